#!/usr/bin/env bash
# The README keeps its promises: its C example compiles and prints what it says, its shell lines run,
# and the files that it names exist.
# readme.sh BACKDAG ROOT_OF_THE_SOURCES FOLDER_OF_THE_LIBRARY COMPILER...
# shellcheck source=tests/cli/tap.sh
. "$(dirname "$0")/tap.sh"
root=$2
library=$3
shift 3
compiler=("$@")

# block LANGUAGE NUMBER: the text of that fenced block.
block() {
  awk -v open="^\`\`\`$1\$" -v wanted="$2" '
    /^```/ { if (inside) { inside = 0; next } if ($0 ~ open && ++n == wanted) { inside = 1; next } }
    inside' "$root/README.md"
}

block c 1 >example.c
block text 1 >expected
check "there is a C example of at most 20 lines" test "$(wc -l <example.c)" -gt 5 -a "$(wc -l <example.c)" -le 20
status=0
"${compiler[@]}" -std=c11 -Wall -Wextra -Werror -I"$root/include" example.c -o example \
  -L"$library" -lbackdag -Wl,-rpath,"$library" >out 2>err || status=$?
last="compiling the example"
check "it compiles without a warning" ended 0
status=0
./example >out 2>err || status=$?
last="the example"
check "it runs" ended 0
check "it prints what the README says" same out expected

# The shell lines of the CLI, on data made up here with the names that the README uses.
block sh 2 >commands
check "there are shell lines" grep -q '^backdag new' commands
awk 'BEGIN { srand(1); for (i = 0; i < 200; i++) { c = i % 10; s = ""
  for (j = 0; j < 784; j++) s = s sprintf("%.3f,", rand() * 0.1 + (j % 10 == c))
  print s c } }' >train.csv
head -20 train.csv >test.csv
PATH=$(dirname "$backdag"):$PATH bash -euo pipefail commands >out 2>err
status=$?
last="the shell lines"
check "the shell lines run" ended 0
check "and leave their network" test -s trained.safetensors

named=$(grep -oE '\]\([^)#]+\)|src="[^"]+"|`(src|tests|tools|include|bench)/[^`* ]+`' "$root/README.md" |
  sed -E 's/^\]\(//; s/\)$//; s/^src="//; s/"$//; s/`//g' | grep -v '^https\?:' | sort -u)
check "the README names files" test -n "$named"
missing=$(for file in $named; do [ -e "$root/$file" ] || echo "$file"; done)
echo "$missing" >out
check "every file that it names exists" test -z "$missing"
finish
