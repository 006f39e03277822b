#!/bin/sh
# Instructions of fixed small cases, counted by callgrind on one thread with the AVX2 kernels, against
# expected.txt. More than 3 % above is a failure; more than 3 % below, too, so that a gain is kept.
# When a change is meant, write the expectations anew: ninja -C BUILD renew-instructions
#   instructions.sh PROGRAM COMPILER            compare; TAP
#   instructions.sh PROGRAM COMPILER --renew    write expected.txt anew
# COMPILER is what built the program, e.g. "gcc 12 -O3": counts of another one are not comparable.
program=$1
compiler=$2
expected=$(dirname "$0")/expected.txt
tolerance=3 # per cent; repeated counts differ by less than 0.1

skip() {
  echo "instructions.sh: NOT TESTED: $1" >&2
  echo "1..0 # SKIP $1"
  exit 0
}
command -v valgrind > /dev/null 2>&1 || skip "valgrind is not installed (apt install valgrind)"
if [ "$3" != --renew ]; then
  known=$(sed -n 's/^# compiler: //p' "$expected")
  [ "$known" = "$compiler" ] || skip "counts are known for $known, this build is $compiler"
fi
work=$(mktemp -d) || exit 99
trap 'rm -rf "$work"' EXIT
# Set by meson; it costs instructions.
unset MALLOC_PERTURB_
# One pattern cannot serve two options of callgrind.
BACKDAG_ISA=avx2 OMP_NUM_THREADS=1 valgrind --tool=callgrind --zero-before='measure_*' \
  --dump-after=measure_plan --dump-after=measure_forward --dump-after=measure_backward \
  --dump-after=measure_one --dump-after=measure_step --callgrind-out-file="$work/out" "$program" \
  > "$work/names" 2> "$work/log"
status=$?
if [ $status -ne 0 ]; then
  if grep -q 'instruction set' "$work/log"; then skip "this processor has no AVX2"; fi
  cat "$work/log" >&2
  exit 99
fi
number=0
while read -r name; do
  number=$((number + 1))
  count=$(sed -n 's/^totals: //p' "$work/out.$number")
  [ -n "$count" ] || exit 99
  echo "$name $count"
done < "$work/names" > "$work/counts" || exit 99

if [ "$3" = --renew ]; then
  {
    echo "# Instructions of one call; see instructions.sh, which also writes this file."
    echo "# compiler: $compiler"
    cat "$work/counts"
  } > "$expected"
  echo "wrote $expected"
  exit 0
fi
awk -v tolerance=$tolerance '
  NR == FNR { if ($1 != "#") known[$1 " " $2] = $3; next }
  { what = $1 " " $2; count++ }
  !(what in known) { printf "not ok %d - %s: no expectation, run with --renew\n", count, what; next }
  { change = 100 * ($3 / known[what] - 1)
    good = change <= tolerance && change >= -tolerance
    seen[what] = 1
    printf "%s %d - %s: %d instructions, %+.2f %% of %d\n", good ? "ok" : "not ok", count, what, $3,
           change, known[what] }
  END { for (what in known) if (!(what in seen)) {
          count++
          printf "not ok %d - %s is not counted any more\n", count, what }
        print "1.." count
        print "# a change that is meant: ninja -C BUILD renew-instructions" }' "$expected" "$work/counts"
