#!/usr/bin/env bash
# backdag info --plan and --svg: what the plan finds in nets whose structure is known.
# shellcheck source=tests/cli/tap.sh
. "$(dirname "$0")/tap.sh"

"$backdag" new -q --mlp 20,32,16,4 --seed 1 dense.json
"$backdag" new -q --mlp 60,64,64,8 --skip 0.1 --seed 1 skips.json
"$backdag" new -q --radix 64,4,8 --loss mse --seed 1 radix.json
"$backdag" new -q --dag 4,2,300 --in-degree 3,5 --depth 20 --seed 1 irregular.json

run info --plan dense.json
check "all edges of a dense net are in dense panels" says "^edges in dense panels +100.00 %$"
check "nothing is padded there" says "^padding +0.00 %$"
check "flops of a dense net" says "^flops forward +$((2 * (20 * 32 + 32 * 16 + 16 * 4)))$"
check "backward leaves inputs out" \
  says "^flops backward +$((2 * (20 * 32 + 2 * 32 * 16 + 2 * 16 * 4)))$"
check "sizes are listed" says "^ +32 x 24 +1 panels +640 edges$"
check "the tile is told" says "^samples a tile +64$"
check "the instruction set is told" says "^isa +[a-z0-9]+$"

run info --plan skips.json
check "skips are lists" says "^edges in lists +[1-9]"
check "the rest is dense" says "^edges in dense panels +[89][0-9]"

run info --plan --json radix.json
check "JSON has the shares" says '"edges_in_unions"'
run info --plan irregular.json
check "an irregular net has no dense panels" says "^dense panels +0$"

run info --svg picture.svg skips.json
check "a picture is written" test -s picture.svg
check "it is well-formed" python3 -c "import xml.dom.minidom as x; x.parse('picture.svg')"
check "it has panels and lists" grep -q 'class="k0"' picture.svg
check "its legend counts edges" grep -Eq 'lists: [0-9]+, [0-9.]+ % of [0-9]+ edges' picture.svg
check "it stays small" test "$(wc -c <picture.svg)" -lt 2000000
run info --svg nowhere/picture.svg skips.json
check "a folder that does not exist is an error" fails 1 "nowhere/picture.svg"
run info --svg
check "--svg wants a file" ended 2

finish
