#!/bin/sh
# clang-format would change nothing.
# format.sh ROOT_OF_THE_SOURCES
cd "$1" || exit 99
wanted=14
formatter=
for name in clang-format-$wanted clang-format; do
  version=$("$name" --version 2>/dev/null | sed -n 's/.*version \([0-9]*\).*/\1/p')
  if [ "$version" = "$wanted" ]; then formatter=$name && break; fi
done
if [ -z "$formatter" ]; then
  echo "1..0 # SKIP clang-format $wanted is missing: THE FORMAT WAS NOT CHECKED"
  echo "tests/header/format.sh: clang-format $wanted is missing: THE FORMAT WAS NOT CHECKED" >&2
  exit 0
fi
files=$(find src tools bench tests include -type f \
          \( -name '*.c' -o -name '*.h' -o -name '*.cpp' -o -name '*.cc' \) | sort)
echo "1..1"
# Names of files hold no spaces here.
if output=$("$formatter" --dry-run -Werror $files 2>&1); then
  echo "ok 1 - clang-format would change nothing in $(echo "$files" | wc -l) files"
else
  echo "not ok 1 - clang-format would change files; run $formatter -i on them"
  echo "$output" | sed -n 's/^\([^: ]*\):[0-9].*error.*/# \1/p' | sort -u
fi
