#!/bin/sh
# The library exports exactly what the public headers declare, and all of it begins with bdag_.
# symbols.sh LIBRARY FOLDER_OF_HEADERS
library=$1
headers=$2
work=$(mktemp -d) || exit 99
trap 'rm -rf "$work"' EXIT

report() { # number, what, file with offenders
  if [ -s "$3" ]; then
    echo "not ok $1 - $2"
    sed 's/^/# /' "$3"
  else
    echo "ok $1 - $2"
  fi
}

echo "1..4"
# __odr_asan… are the address sanitizer's own marks.
nm -D --defined-only "$library" | awk '{ sub(/@.*/, "", $NF); print $NF }' |
  grep -v '^__odr_asan' | sort -u > "$work/exported"
grep -v '^bdag_' "$work/exported" > "$work/foreign"
report 1 "every exported symbol begins with bdag_" "$work/foreign"

# A declaration may go over several lines; its name is the first one followed by a parenthesis.
cat "$headers"/backdag/*.h | grep -v "^#" | tr '\n' ' ' | grep -o 'BDAG_API [^;]*;' |
  sed 's/(.*//; s/.*[ *]//' | sort -u > "$work/declared"
comm -13 "$work/exported" "$work/declared" > "$work/missing"
report 2 "every declared function is exported" "$work/missing"
comm -23 "$work/exported" "$work/declared" > "$work/undeclared"
report 3 "every exported function is declared in a public header" "$work/undeclared"

count=$(wc -l < "$work/declared")
if [ "$count" -ge 20 ]; then echo "ok 4 - $count declarations found"
else echo "not ok 4 - only $count declarations found: the search for them is broken"; fi
