#!/bin/sh
# `bench scaling` from the command line: table, JSON, CSV, errors.
# bench_scaling_cli.sh BACKDAG-BENCH
bench=$1
. "$(dirname "$0")/bench_tap.sh"
has() { # file, patterns that must occur in it
  file=$1
  shift
  for pattern in "$@"; do
    grep -q -e "$pattern" "$file" || {
      echo "no $pattern in"
      cat "$file"
      return 1
    }
  done
}
# No line of the file is longer than 100 columns.
narrow() { awk 'length > 100 { bad = 1; print } END { exit bad }' "$1"; }
# Value of the column $2 in the line $3 of the CSV $1 (without quoted commas).
field() {
  awk -F, -v name="$2" -v line="$3" '
    NR == 1 { for (i = 1; i <= NF; i++) { sub(/\r/, "", $i); if ($i == name) column = i } }
    NR == line + 1 { sub(/\r/, "", $column); print $column }' "$1"
}
equals() {
  value=$(field "$work/a.csv" "$1" "$2")
  [ "$value" = "$3" ] || { echo "$1 of line $2 is \"$value\", not \"$3\""; return 1; }
}
positive() { awk -v x="$(field "$work/a.csv" "$1" "$2")" 'BEGIN { exit !(x > 0) }'; }
measure() {
  "$bench" scaling --ceilings 0.1 --budget 0.02 -q "$@" > "$work/table" 2> "$work/err"
}

echo "1..19"
check "three numbers of threads are measured" measure --cases-only --threads 2,3 \
  --json "$work/a.json" --csv "$work/a.csv" small evolved-100
check "the table is at most 100 columns wide" narrow "$work/table"
check "the table names what it measured" has "$work/table" "^small, both, batch 32" \
  "^evolved-100, forward, batch 32" "serial path" "Roofline"
check "the report is JSON of its schema" has "$work/a.json" '"kind": "scaling"' '"scaling": {' \
  '"speedup_serial"' '"karp_flatt": null' '"bitwise_equal": true'
check "the command is kept" has "$work/a.json" '"command": "backdag-bench scaling --ceilings 0.1'
check "one thread is always measured" equals threads 1 1
check "the numbers of threads ascend" equals threads 3 3
check "results are bitwise equal" equals bitwise_equal 2 1
check "speed-up against itself is 1" equals speedup 1 1
check "times are positive" positive median 2
check "rows can be compared" "$bench" compare "$work/a.json" "$work/a.json"
check "the rest of the report follows" measure --threads 1 small
check "it has grain, edges and roofline" has "$work/table" "^METG" "chains  *1 threads" \
  "^Time over edges" "backward  *600"
check "an unknown case is an error" fails "no-such-case" "$bench" scaling --ceilings 0 -q \
  --cases-only no-such-case
check "a path that cannot be written is an error" fails "cannot write" "$bench" scaling \
  --ceilings 0 --budget 0.01 -q --cases-only --threads 1 --csv "$work/none/a.csv" small
check "a cost profile is written" "$bench" profile -o "$work/costs.json"
check "and read" "$bench" scaling --ceilings 0 --budget 0.01 -q --cases-only --threads 1 \
  --costs "$work/costs.json" small
check "a file that is no cost profile is an error" fails "seconds_per\|cost-profile" "$bench" run \
  --ceilings 0 --budget 0.01 -q --threads 1 --costs "$work/a.json" small
check "the schema is documented" sh -c "'$bench' list --schema | grep -q predictions_shown"
