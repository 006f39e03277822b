#!/usr/bin/env bash
# `meson install` into an empty prefix, and a stranger's program built against it through pkg-config.
# install.sh BACKDAG BUILD_FOLDER MESON COMPILER...
# shellcheck source=tests/cli/tap.sh
. "$(dirname "$0")/tap.sh"
build=$2
meson=$3
shift 3
compiler=("$@")

last="meson install"
status=0
DESTDIR=$folder/stage "$meson" install -C "$build" --no-rebuild >out 2>err || status=$?
check "meson install succeeds" ended 0
pc=$(find stage -name backdag.pc)
check "it installs a pkg-config file" test -n "$pc"
prefix=$folder/stage$(sed -n 's/^prefix=//p' "$pc")
library=$(dirname "$(find "$prefix" -name libbackdag.so)")
check "and the library" test -e "$library/libbackdag.so.0"
check "and the program" test -x "$prefix/bin/backdag"
check "and its manual page" test -e "$prefix/share/man/man1/backdag.1"
check "and the headers" test -e "$prefix/include/backdag/backdag.h"
extra=$(find stage \( -type f -o -type l \) | grep -E 'test|demo|internal|/oracle|_tmpl|\.c$|\.o$')
echo "$extra" >out
check "but neither tests nor internals" test -z "$extra"
inner=$(find stage -name '*.h' ! -path '*/include/backdag/*')
echo "$inner" >out
check "and no other header" test -z "$inner"

# The staged prefix is not where the files will lie in the end: tell pkg-config.
flags() {
  PKG_CONFIG_PATH=$folder/$(dirname "$pc") pkg-config --define-variable=prefix="$prefix" "$@" backdag
}
check "the version is that of the program" test "backdag $(flags --modversion)" = "$("$prefix/bin/backdag" --version 2>/dev/null || LD_LIBRARY_PATH=$library "$prefix/bin/backdag" --version)"
status=0
read -ra compile <<<"$(flags --cflags --libs)"
last="${compiler[*]} stranger.c ${compile[*]}"
"${compiler[@]}" -std=c11 -Wall -Wextra -Werror "$tests/stranger.c" -o stranger "${compile[@]}" \
  -Wl,-rpath,"$library" >out 2>err || status=$?
check "a stranger's program compiles" ended 0
check "it has thirty lines" test "$(wc -l <"$tests/stranger.c")" -le 30
status=0
./stranger >out 2>err || status=$?
last=./stranger
check "it runs" ended 0
check "its gradients are right" same out "$tests/stranger.expected"
finish
