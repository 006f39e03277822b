# Shared by the tests of the command-line tool: runs it and prints TAP. Sourced by bash scripts, whose
# first argument is the program; sets $folder, an empty temporary folder that is the current one.
# shellcheck shell=bash

set -uo pipefail
export LC_ALL=C
backdag=$(realpath "$1")
tests=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder" || exit 1
count=0

# check NAME COMMAND...: one test case; shows the last run when it fails.
check() {
  local name=$1
  shift
  count=$((count + 1))
  if "$@"; then
    echo "ok $count - $name"
    return
  fi
  echo "not ok $count - $name"
  {
    echo "# failed: $*"
    echo "# status ${status:-}, last run: ${last:-}"
    head -c 2000 out 2>/dev/null | sed 's/^/# out: /'
    head -c 2000 err 2>/dev/null | sed 's/^/# err: /'
  } | tr -d '\000' >&2
}

skip() {
  count=$((count + 1))
  echo "ok $count - $1 # SKIP $2"
}

finish() {
  echo "1..$count"
}

# run ARGUMENT...: runs backdag; leaves $status, and the files out and err.
run() {
  last="backdag $*"
  "$backdag" "$@" >out 2>err </dev/null
  status=$?
}

# Conditions on the last run.
ended() { [ "$status" -eq "$1" ]; }
silent() { [ ! -s out ]; } # nothing on the standard output
says() { grep -qE -- "$1" out; }
complains() { grep -qE -- "$1" err; }
# fails STATUS PATTERN: that exit status, a message, and not a word on the standard output.
fails() { ended "$1" && silent && complains "$2" && [ "$(wc -l <err)" -le 4 ]; }
# succeeds [PATTERN]: status 0, and the standard output holds it.
succeeds() { ended 0 && { [ $# -eq 0 ] || says "$1"; }; }
same() { [ -s "$1" ] && cmp -s "$1" "$2"; }
different() { [ -s "$1" ] && [ -s "$2" ] && ! cmp -s "$1" "$2"; }
# value NAME: the number behind a name of the results.
value() { sed -nE "s/^$1 +([-+.0-9e]+).*/\1/p" out; }
# at_least NUMBER NUMBER, by awk: the shell knows whole numbers only.
at_least() { awk -v a="$1" -v b="$2" 'BEGIN { exit !(a != "" && a + 0 >= b + 0) }'; }
# near NUMBER NUMBER: equal to about six digits.
near() {
  awk -v a="$1" -v b="$2" 'BEGIN { d = a - b; exit !(a != "" && b != "" && d * d <= 1e-11 * a * a) }'
}
