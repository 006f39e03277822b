#!/bin/sh
# `bench plot`, `bench scaling --html --svg-dir` and README's results from the command line; documents are
# parsed by an XML parser.
# bench_plot_cli.sh BACKDAG-BENCH PYTHON ROOT_OF_THE_SOURCES
bench=$1
python=$2
root=$3
results=$root/bench/readme_results.py
. "$(dirname "$0")/bench_tap.sh"
# Every file parses, refers to nothing outside and holds no number that is none.
sound() {
  "$python" - "$@" << 'EOF'
import re, sys, xml.etree.ElementTree as tree
assert len(sys.argv) > 1
for path in sys.argv[1:]:
    root = tree.parse(path).getroot()
    assert root.tag.endswith(("svg", "html")), root.tag
    for element in root.iter():
        name = element.tag.split("}")[1]
        assert name not in ("script", "link", "image", "img", "iframe", "object", "use"), name
        for key, value in element.attrib.items():
            assert not re.search(r"\b(nan|inf)\b", value), (path, key, value)
            assert not key.endswith(("href", "src")) or value.startswith("#"), (path, key, value)
        if name == "style":
            assert "url(" not in element.text and "@import" not in element.text
EOF
}
# Both have the same parts; numbers and places may differ by what JSON rounds.
parts() { grep -oE '<(td|th|text|svg|circle|h2|figure)[ >]' "$1" | sort | uniq -c; }
same() {
  parts "$1" > "$work/first"
  test -s "$work/first" && parts "$2" | diff "$work/first" -
}
# The report with names that no file format likes.
spoil() {
  "$python" - "$1" "$2" << 'EOF'
import json, sys
report = json.load(open(sys.argv[1]))
name = "</title><script>\"'&\u0001]]> \u00b5"
report["machine"]["cpu"] = name
for table in ("cases", "roofline", "peers"):
    for entry in report["scaling"][table]:
        entry["name"] = name
for row in report["rows"]:
    row["case"] = name
json.dump(report, open(sys.argv[2], "w"))
EOF
}
kind() { # the report as one of another kind, without the part "scaling"
  "$python" -c 'import json, sys
r = json.load(open(sys.argv[1])); r.pop("scaling"); r["kind"] = sys.argv[3]
json.dump(r, open(sys.argv[2], "w"))' "$@"
}
readme() {
  "$python" "$results" --bench "$bench" --results "$work/results" --readme "$work/README.md" "$@"
}

echo "1..18"
check "a scaling report writes its page and its plots" "$bench" scaling --ceilings 0.1 --budget 0.01 \
  --threads 1,2 -q --json "$work/a.json" --html "$work/a.html" --svg-dir "$work/svg" small evolved-100
check "four figures are there" test -s "$work/svg/speedup.svg" -a -s "$work/svg/metg.svg" -a \
  -s "$work/svg/roofline.svg" -a -s "$work/svg/edges.svg"
check "they are sound" sound "$work/a.html" "$work"/svg/*.svg
check "the report is drawn again" "$bench" plot -o "$work/again" --html "$work/b.html" "$work/a.json"
check "the same figures come out" same "$work/svg/roofline.svg" "$work/again/roofline.svg"
check "the same page comes out" same "$work/a.html" "$work/b.html"
check "a report with hostile names is made" spoil "$work/a.json" "$work/evil.json"
check "it is drawn" "$bench" plot -o "$work/evil" --html "$work/evil.html" "$work/evil.json"
check "it is sound, too" sound "$work/evil.html" "$work"/evil/*.svg
kind "$work/a.json" "$work/run.json" run
check "a report of run has a roofline" "$bench" plot -o "$work/run" "$work/run.json"
echo "{}" > "$work/none.json"
check "what is no report is refused" fails "no report of this bench" "$bench" plot -o "$work/none" \
  "$work/none.json"
check "a folder that cannot be made is an error" fails "cannot make the folder" "$bench" plot \
  -o "$work/no/such/folder" "$work/a.json"
check "a page that cannot be written is an error" fails "cannot write" "$bench" plot \
  --html "$work/no/such.html" "$work/a.json"
check "somewhere to write is wanted" fails "say where to" "$bench" plot "$work/a.json"

echo "# A text" > "$work/README.md"
check "README's results are made from reports" readme --store "$work/a.json" "$work/run.json"
check "they are as stored" readme --check
sed 's/^## Results/## Other/' "$work/README.md" > "$work/changed" && mv "$work/changed" "$work/README.md"
check "a change by hand is found" fails "run it" readme --check
check "README of these sources is what its stored reports make" "$python" "$results" --check \
  --bench "$bench"
