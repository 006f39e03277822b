#!/bin/sh
# Compiles each public header alone, twice in a row, with the compiler and the flags that are given.
# alone.sh FOLDER_OF_HEADERS LANGUAGE COMPILER [FLAG...]
headers=$1
language=$2
shift 2
number=0
for header in "$headers"/backdag/*.h; do
  number=$((number + 1))
  name=$(basename "$header")
  if output=$(printf '#include <backdag/%s>\n#include <backdag/%s>\n' "$name" "$name" |
              "$@" -I"$headers" -x "$language" -c - -o /dev/null 2>&1); then
    echo "ok $number - $name"
  else
    echo "not ok $number - $name"
    echo "$output" | sed 's/^/# /'
  fi
done
echo "1..$number"
