#!/bin/sh
# Rules of the house for files: no include points upward, file names are unique, no file is too long,
# each says in its first line what it is for.
# layers.sh ROOT_OF_THE_SOURCES
cd "$1" || exit 99
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

echo "1..7"
find src tools bench tests include -type f \( -name '*.c' -o -name '*.h' -o -name '*.cpp' -o -name '*.cc' \) |
  sort > "$work/files"

find src -mindepth 2 -type f \( -name '*.c' -o -name '*.h' \) -exec \
  grep -nE '^[[:space:]]*#[[:space:]]*include[[:space:]]*"' {} /dev/null \; |
  awk -F: '
  BEGIN {
    split("base 0 network 1 kernel 1 plan 2 runtime 3 train 4 io 5", f, " ")
    for (i = 1; i in f; i += 2) floor[f[i]] = f[i + 1]
  }
  {
    split($1, path, "/"); room = path[2]
    header = $3; sub(/^[^"]*"/, "", header); sub(/".*/, "", header)
    n = split(header, part, "/")
    other = n == 1 ? room : part[1]
    if (!(room in floor)) print $1 ": the room " room " has no floor"
    else if (!(other in floor)) print $1 ":" $2 ": \"" header "\" is in no room of src"
    else if (floor[other] > floor[room]) print $1 ":" $2 ": \"" header "\" is above " room
  }' > "$work/upward"
report 1 "no include under src points upward" "$work/upward"

grep -cE '' $(find src -name '*.c') /dev/null | awk -F: '{ n++ } END { exit !(n > 30) }' ||
  echo "fewer than 30 files under src" > "$work/few"
touch "$work/few"
report 2 "the sources were found" "$work/few"

xargs awk 'FNR == 801 { print FILENAME ": more than 800 lines" }' < "$work/files" > "$work/long"
report 3 "no file has more than 800 lines" "$work/long"

sed 's|.*/||' "$work/files" | sort | uniq -d > "$work/names"
report 4 "file names are unique" "$work/names"

xargs awk 'FNR == 1 && !/^\/\*|^\/\// { print FILENAME ": does not open with what it is for" }' \
  < "$work/files" > "$work/mute"
report 5 "every file opens with its role" "$work/mute"

xargs grep -nE '\b(TODO|FIXME)\b|^[[:space:]]*#[[:space:]]*if[[:space:]]+0\b' < "$work/files" \
  > "$work/left"
report 6 "nothing is left to do and nothing is switched off" "$work/left"

find . -name meson.build -not -path './build*' -exec grep -nE -e '-f(fast-math|unsafe-math)' {} /dev/null \; \
  > "$work/fast"
report 7 "no fast-math anywhere" "$work/fast"
