#!/usr/bin/env python3
"""Makes README's results section, and its plot, from reports of the bench.

  readme_results.py --store run.json scaling.json peers.json   reports become bench/results/KIND.json,
                                                               README and plot are made from them
  readme_results.py                                            the same from the stored reports
  readme_results.py --check                                    status 1 if README or plot differ
"""
import argparse
import json
import math
import pathlib
import re
import subprocess
import sys
import tempfile

BEGIN = "<!-- results: made by bench/readme_results.py from bench/results/*.json, do not edit -->"
END = "<!-- end of results -->"
KINDS = ("run", "scaling", "peers")
FULLEST = ("step", "both", "forward", "tasks")  # of a contest's phases, the first is taken
PROGRAM = "build/bench/bench"


# ---- Reports ---------------------------------------------------------------------------------------


def load(path):
    with open(path, encoding="utf-8") as file:
        report = json.load(file)
    if report.get("format") != "backdag-bench" or report.get("schema") != 1:
        raise SystemExit(f"{path} is no report of this bench")
    if report["kind"] not in KINDS:
        raise SystemExit(f"{path}: kind \"{report['kind']}\" is none of {', '.join(KINDS)}")
    return report


def rounded(value):
    """Samples with five digits: the rest is noise, and would be most of the file."""
    if isinstance(value, float):
        return float(f"{value:.5g}")
    if isinstance(value, list):
        return [rounded(v) for v in value]
    return value


def store(report, folder):
    folder.mkdir(exist_ok=True)
    for row in report["rows"]:
        row.update({name: rounded(row[name]) for name in ("seconds", "rounds") if name in row})
    lines = []
    for name, value in report.items():
        if name == "rows":
            rows = ",\n".join(json.dumps(row, separators=(",", ":")) for row in value)
            lines.append(f'"rows":[\n{rows}\n]')
        else:
            lines.append(f"{json.dumps(name)}:{json.dumps(value, separators=(',', ':'))}")
    path = folder / f"{report['kind']}.json"
    path.write_text("{" + ",\n".join(lines) + "}\n", encoding="utf-8")


# ---- Text ------------------------------------------------------------------------------------------


def three(value):
    if value is None or not math.isfinite(value):
        return "–"
    if value >= 99.95:
        return f"{value:.0f}"
    if value >= 0.9995:
        return f"{value:.1f}" if value >= 9.995 else f"{value:.2f}"
    return f"{value:.3f}" if value >= 0.09995 else f"{value:.3g}"


def seconds(value):
    if not value:
        return "–"
    for unit, factor in (("ns", 1e9), ("µs", 1e6), ("ms", 1e3)):
        if value * factor < 999.5:
            return f"{three(value * factor)} {unit}"
    return f"{three(value)} s"


def plain(text):
    """Text for a cell of a table in Markdown."""
    text = str(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return "".join("\\" + c if c in "\\|`*_[]" else " " if c < " " else c for c in text)


def table(head, rows, texts=1):
    """The first `texts` columns are text, the others numbers."""
    align = ["---"] * texts + ["---:"] * (len(head) - texts)
    return ["| " + " | ".join(cells) + " |" for cells in [head, align, *rows]]


def threads_text(count):
    return f"{count} thread" + ("" if count == 1 else "s")


# ---- Tables ----------------------------------------------------------------------------------------


def peer_rows(report):
    """(row, backdag's row of the same contest) of each peer that was measured."""
    own = None
    for row in report["rows"]:
        if row["implementation"] == "backdag":
            own = row
        elif own is not None and own["median"] and (row["median"] or not row["valid"]):
            yield row, own


def fullest_rows(report):
    """Of each contest and peer the fullest phase, by threads: {(case, batch, peer): {threads: …}}."""
    phases = {}
    for row, own in peer_rows(report):
        key = (row["case"], row["batch"], row["implementation"])
        phases.setdefault(key, {}).setdefault(row["phase"], {})[row["threads"]] = (row, own)
    return {key: (phase, by[phase]) for key, by in phases.items()
            for phase in [min(by, key=lambda p: FULLEST.index(p) if p in FULLEST else 9)]}


def ratio_cell(pair):
    if pair is None:
        return "–"
    row, own = pair
    if not row["valid"] or not own["valid"]:
        return "not valid"
    ratio = row["median"] / own["median"]
    return f"**{three(ratio)}**" if ratio >= 1 else three(ratio)


def peers_section(report):
    chosen = fullest_rows(report)
    if not chosen:
        return []
    counts = sorted({threads for _, by in chosen.values() for threads in by})
    rows, remarks = [], []
    for (case, batch, peer), (phase, by) in chosen.items():
        row, own = by[max(by)]
        what = case if batch == 0 else f"{case}, {phase}, batch {batch}"
        mark = ""
        if row["note"]:
            if row["note"] not in remarks:
                remarks.append(row["note"])
            mark = f" <sup>{remarks.index(row['note']) + 1}</sup>"
        rows.append([plain(what), plain(peer) + mark, seconds(own["median"]),
                     seconds(row["median"]), *(ratio_cell(by.get(t)) for t in counts)])
    remarks = [f"<sup>{i + 1}</sup> {plain(text)}" for i, text in enumerate(remarks)]
    if any(case.startswith("sparse-") for case, _, _ in chosen):
        remarks.append("In `sparse-80` 80 % of the edges of a dense net are missing, and so on; OpenBLAS "
                       "multiplies dense matrices with zeros there.")
    head = ["contest", "peer", "backdag", "peer's time", *(f"ratio, {threads_text(t)}" for t in counts)]
    return [
        "**Beside other people's software**, in turns in one run on the same network, results compared "
        "first; of each contest its fullest phase (a training step, else forward and backward, else "
        "forward). The ratio is the peer's time over backdag's: above 1, in bold, backdag is faster. "
        "Times and plot are of the most threads.", "",
        '<img src="bench/results/peers.svg" width="760" alt="Bars: time of each peer over the time of '
        'backdag, from the table below.">', "",
        *table(head, rows, 2), "", *([". ".join(remarks), ""] if remarks else []),
        *command(f"{PROGRAM} peers --json peers.json")]


def run_section(report):
    rows = [r for r in report["rows"] if r["implementation"] == "backdag" and r["valid"]]
    if not rows:
        return []
    most = max(r["threads"] for r in rows)
    cases = {}
    for row in rows:
        if row["threads"] == most and row["median"]:
            cases.setdefault((row["case"], row["batch"]), {})[row["phase"]] = row
    lines = []
    for (case, batch), by in cases.items():
        if "forward" not in by:
            continue
        peak = by["forward"]["peak"]
        share = f"{100 * by['forward']['flops'] / by['forward']['median'] / peak:.0f} %" if peak else "–"
        rate = by["forward"]["edge_samples"]
        lines.append([f"{plain(case)}, batch {batch}",
                      *(seconds(by[p]["median"]) if p in by else "–"
                        for p in ("forward", "backward", "step")),
                      three(1e-9 * rate / by["forward"]["median"]) if rate else "–", share])
    head = ["network", "forward", "backward", "step", "forward: 10⁹ edges × samples/s", "of peak"]
    return [f"**Times of one pass** on {threads_text(most)}, medians. A step is forward, backward and "
            "update.", "", *table(head, lines), "", *command(f"{PROGRAM} run --json run.json")]


def prediction_cell(case):
    if not case["predictions_shown"] or not case["predictions"]:
        return "–"
    last = case["predictions"][-1]
    return f"{three(last['speedup'])}× on {last['threads']} ({last['limit']})"


def scaling_section(report):
    scaling = report["scaling"]
    lines = []
    for case in scaling["cases"]:
        points = [p for p in case["points"] if not p["oversubscribed"]]
        if not case["valid"] or len(points) < 2:
            continue
        last = points[-1]
        error = case["check_error"]
        lines.append([f"{plain(case['name'])}, {plain(case['phase'])}, batch {case['batch']}",
                      seconds(points[0]["median"]), seconds(last["median"]),
                      f"{three(last['speedup'])}×", three(last["speedup_serial"]) + "×",
                      "–" if error is None else f"{100 * error:+.1f} %".replace("-", "−"),
                      prediction_cell(case)])
    if not lines:
        return []
    most = max(p["threads"] for c in scaling["cases"] for p in c["points"] if not p["oversubscribed"])
    head = ["network", "1 thread", threads_text(most), "speed-up", "to serial path", "formula",
            "prediction"]
    program = scaling["command"].replace("backdag-bench", PROGRAM, 1)
    return ["**Scaling.** *Formula* is how far the time that work, span and release latency predict for "
            "the most threads is from the time that was measured; only where it is within 5 % a "
            "prediction for more threads is given, with what limits it. It is computed, not measured.",
            "", *table(head, lines), "", *command(program)]


def command(text):
    return ["```sh", text.replace("`", "'"), "```", ""]


def machine_text(report):
    machine = report["machine"]
    text = (f"{plain(machine['cpu'])}, {machine['cores']} cores, {plain(machine['kernel'])}, "
            f"{plain(machine['compiler'])}, {plain(machine['time'][:10])}, "
            f"commit {plain(machine['commit'])}")
    return text + ("; **the machine had other work**" if machine["busy"] else "")


def section(reports):
    makers = {"peers": peers_section, "run": run_section, "scaling": scaling_section}
    lines = [BEGIN, "", "## Results", ""]
    machines = {}
    for kind in KINDS:
        if kind in reports:
            machines.setdefault(machine_text(reports[kind]), []).append(kind)
    for text, kinds in machines.items():
        lines += [f"`bench {'`, `bench '.join(kinds)}` on {text}.", ""]
    lines += [f"`{PROGRAM} plot REPORT.json --html PAGE.html` makes a page of any report, with plots and the "
              "method in plain words.", ""]
    for kind in ("peers", "run", "scaling"):
        if kind in reports:
            lines += makers[kind](reports[kind])
    return "\n".join([*lines, END])


# ---- README and plot -------------------------------------------------------------------------------


def with_section(readme, text):
    """README with the section in the place of the one before, or at the end of its text."""
    if BEGIN in readme and END in readme:
        before, rest = readme.split(BEGIN, 1)
        return before + text + rest.split(END, 1)[1]
    return readme.rstrip("\n") + "\n\n" + text + "\n"


def plot(bench, report):
    """The SVG of what the table of peers shows, on the most threads."""
    rows = []
    for _, by in fullest_rows(report).values():
        row, own = by[max(by)]
        rows += [own, row]
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "chosen.json"
        path.write_text(json.dumps({**report, "rows": rows}), encoding="utf-8")
        subprocess.run([bench, "plot", path, "-o", folder], check=True)
        return (pathlib.Path(folder) / "peers.svg").read_text(encoding="utf-8")


def same_drawing(old, new):
    """Other processors may round a place differently."""
    number = re.compile(r"-?\d+(?:\.\d+)?")
    values = [float(v) for v in number.findall(old)], [float(v) for v in number.findall(new)]
    return (number.sub("0", old) == number.sub("0", new) and
            all(abs(a - b) <= 0.02 for a, b in zip(*values)))


def main():
    root = pathlib.Path(__file__).resolve().parent.parent
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("reports", nargs="*", help="default: bench/results/*.json")
    parser.add_argument("--store", action="store_true", help="keep the reports in bench/results")
    parser.add_argument("--check", action="store_true", help="change nothing, compare")
    parser.add_argument("--bench", default=root / "build/bench/bench", help="the bench, for the plot")
    parser.add_argument("--readme", type=pathlib.Path, default=root / "README.md")
    parser.add_argument("--results", type=pathlib.Path, default=root / "bench/results",
                        help="folder of stored reports and of the plot")
    arguments = parser.parse_args()
    given = {report["kind"]: report for report in map(load, arguments.reports)}
    if arguments.store:
        for report in given.values():
            store(report, arguments.results)
    if arguments.store or not given:
        given = {r["kind"]: r for r in map(load, sorted(arguments.results.glob("*.json")))}
    if not given:
        raise SystemExit("no report: run the bench with --json first")
    readme = arguments.readme.read_text(encoding="utf-8")
    files = {arguments.readme: (readme, with_section(readme, section(given)))}
    if "peers" in given and fullest_rows(given["peers"]):
        path = arguments.results / "peers.svg"
        old = path.read_text(encoding="utf-8") if path.exists() else ""
        files[path] = (old, plot(arguments.bench, given["peers"]))
    differ = [path for path, (old, new) in files.items()
              if old != new and not (path.suffix == ".svg" and same_drawing(old, new))]
    for path in differ:
        if arguments.check:
            print(f"{path} is not what bench/readme_results.py makes: run it", file=sys.stderr)
        else:
            path.write_text(files[path][1], encoding="utf-8")
            print(f"{path} written")
    return 1 if arguments.check and differ else 0


if __name__ == "__main__":
    sys.exit(main())
