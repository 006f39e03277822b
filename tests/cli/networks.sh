#!/usr/bin/env bash
# Verbs that handle networks: new with every generator, info, convert, draw, check-gradient.
# shellcheck source=tests/cli/tap.sh
. "$(dirname "$0")/tap.sh"

# ---- new and info -------------------------------------------------------------------------------
run new --mlp 4,6,5,3 --seed 3 mlp.json
check "new writes a network" ended 0
check "new prints no result" silent
check "new says what it made" complains "mlp.json: 18 vertices \(4 inputs, 3 outputs\), 69 edges"
run info mlp.json
check "info counts vertices" test "$(value vertices)" = 18
check "info counts edges" test "$(value edges)" = 69
check "info knows the depth" test "$(value depth)" = 3
check "info knows the greatest width" test "$(value 'greatest width')" = 6
check "info knows N_loss" test "$(value N_loss)" = 3
check "info counts parameters" test "$(value parameters)" = $((69 + 14))
check "info finds everything reachable" test "$(value 'unreachable vertices')" = 0
check "the loss fits several outputs" says "^loss +cross_entropy of 3$"
check "info draws the width profile" test "$(awk '/^ +[0-9]+ +[0-9]+ #+$/ { s = s $2 " " } END { print s }' out)" = "4 6 5 3 "

run info --json mlp.json
check "info --json" succeeds '"edges": 69'
if command -v jq >/dev/null; then
  check "info --json is JSON" test "$(jq -c .widths out)" = "[4,6,5,3]"
else
  skip "info --json is JSON" "jq is not installed"
fi

run new -q --mlp 4,6,5,3 --seed 3 again.json
check "--quiet says nothing" test ! -s err
check "the same seed gives the same file" same mlp.json again.json
run new -q --mlp 4,6,5,3 --seed 4 other.json
check "another seed gives other weights" different mlp.json other.json

run new -q --mlp 6,6,6,6,6,2 --skip 0.5 --seed 1 skip.json
run info skip.json
check "--skip adds its share of edges" test "$(value edges)" = $((156 + 78))
check "--skip keeps the depth" test "$(value depth)" = 5
# Ids are 0 to 5 for the inputs, then 6 a layer: the layers that an edge jumps over, counted.
jumps() {
  tr -d ' \n' <skip.json | grep -oE '"from":[0-9]+,"to":[0-9]+' |
    awk -F'[:,]' '{ d = int($4 / 6) - int($2 / 6); n[d]++ } END { for (d = 2; d <= 5; d++) print n[d] + 0 }'
}
check "skip edges share out over all depths, as far as there is room" test "$(jumps | tr '\n' ' ')" = "22 22 22 12 "
run new -q --mlp 3,3,3 --skip 0.5 full.json
run info full.json
check "all pairs can be taken" test "$(value edges)" = 27

run new -q --mlp 2,4,1 single.json
run info single.json
check "one output gets mse" says "^loss +mse of 1$"
run new -q --mlp 2,4,1 --loss bce single.json
run info single.json
check "--loss bce" says "^loss +bce of 1$"
run new -q --mlp 2,4,1 --loss none none.json
run info none.json
check "--loss none" says "^loss +none$"
check "without a loss nothing reaches it" test "$(value N_loss)" = 0

run new -q --mlp 2,300,1 --activations relu,tanh,sin --output-activation sigmoid mixed.json
run info mixed.json
check "every listed activation is used" says "^activations +(relu|tanh|sin) [0-9]+, .*(relu|tanh|sin) [0-9]+, .*(relu|tanh|sin) [0-9]+"
check "the output has its own activation" says "sigmoid 1[,$]"
run new -q --mlp 2,3,1 --activation leaky_relu:0.25 leaky.json
check "an activation's parameter reaches the file" grep -q '0\.25' leaky.json

run new -q --dag 5,3,200 --in-degree 2,6 --seed 2 dag.json
run info dag.json
check "a random graph has its vertices" test "$(value vertices)" = 200
check "in-degrees lie in their range" at_least "$(value edges)" $((192 * 2))
check "in-degrees stay below their most" at_least $((192 * 6)) "$(value edges)"
run new -q --dag 5,3,200 --in-degree 1,6 --depth 17 --seed 2 deep.json
run info deep.json
check "--depth is exact" test "$(value depth)" = 17
run new -q --dag 4,1,500 --in-degree 3,3 --window 10 window.json
far() { tr -d ' \n' <"$1" | grep -oE '"from":[0-9]+,"to":[0-9]+' | awk -F'[:,]' '$4 - $2 > 10' | wc -l; }
check "--window keeps sources near" test "$(far window.json)" -eq 0
run new -q --dag 4,1,500 --in-degree 3,3 --window 10 --long-edges 0.3 long.json
check "--long-edges lets some go far" at_least "$(far long.json)" 200
run new -q --small-world 10,2,300 --neighbours 6 --rewire 0.2 small.json
run info small.json
check "a small world has its in-degree" test "$(value edges)" = $((290 * 6))
run new -q --small-world 10,2,300 --neighbours 6 --rewire 0 ring.json
check "without rewiring a small world is a band" test "$(far ring.json)" -eq 0
check "with it some edges go far" at_least "$(far small.json)" 200
run new -q --radix 16,2,4 --loss mse radix.json
# Sources of the first neuron of each layer: stride 1, then stride 4.
sources() { tr -d ' \n' <radix.json | grep -oE "\"from\":[0-9]+,\"to\":$1," | tr -dc '0-9,\n' | cut -d, -f1 | tr '\n' ' '; }
check "RadiX-Net begins with stride 1" test "$(sources 16)" = "0 1 2 3 "
check "RadiX-Net goes on with stride 4" test "$(sources 32)" = "16 20 24 28 "
run new -q --radix 64,4,8 --loss mse radix.safetensors
run info radix.safetensors
check "RadiX-Net has its edges" test "$(value edges)" = $((64 * 8 * 4))
check "RadiX-Net has its depth" test "$(value depth)" = 4
check "RadiX-Net has no dead neurons" test "$(value 'unreachable vertices')" = 0

# ---- convert ------------------------------------------------------------------------------------
run convert skip.json skip.safetensors
check "convert to safetensors" ended 0
run convert skip.safetensors back.json
check "and back" same skip.json back.json
run convert --format json skip.safetensors plain
check "--format overrides the name" same skip.json plain
cp skip.json inplace.json
run convert inplace.json inplace.json
check "a file may be converted onto itself" same skip.json inplace.json

cat >genome.json <<'GENOME'
{"format_version": "1.0", "network_type": "feedforward",
 "topology": {"num_inputs": 2, "num_outputs": 1, "input_keys": [-1, -2], "output_keys": [0]},
 "nodes": [
  {"id": -1, "type": "input", "activation": null, "aggregation": null, "bias": null, "response": null},
  {"id": -2, "type": "input", "activation": null, "aggregation": null, "bias": null, "response": null},
  {"id": 7, "type": "hidden", "activation": "tanh", "aggregation": "sum", "bias": 0.1, "response": 1.5},
  {"id": 0, "type": "output", "activation": "sigmoid", "aggregation": "sum", "bias": -0.3, "response": 1.0}],
 "connections": [
  {"from": -1, "to": 7, "weight": 0.5, "enabled": true},
  {"from": -2, "to": 7, "weight": -0.7, "enabled": true},
  {"from": -2, "to": 0, "weight": 2.0, "enabled": false},
  {"from": 7, "to": 0, "weight": 1.25, "enabled": true}]}
GENOME
run info genome.json
check "a neat-python genome loads" test "$(value edges)" = 3
check "its disabled edge is counted apart" test "$(value 'disabled edges')" = 1
run convert genome.json evolved.json
check "a genome keeps its ids" grep -qE '"id": ?7' evolved.json
run check-gradient genome.json --loss mse
check "a genome's gradients agree" succeeds "of [0-9]+ parameters checked"

# ---- Broken files ---------------------------------------------------------------------------------
printf '{"nodes": [' >torn.json
run info torn.json
check "a torn JSON file names its line" fails 1 "torn.json:1: "
head -c 200 skip.safetensors >torn.safetensors
run info torn.safetensors
check "a torn safetensors file is refused by name" fails 1 "torn.safetensors"
: >empty.json
run convert empty.json x.json
check "an empty file is refused by name" fails 1 "empty.json"
head -c 3000 /dev/urandom >noise.json
run info noise.json
check "noise is refused by name" fails 1 "noise.json"
run info .
check "a folder is refused" fails 1 "."
sed 's/"to": *0, *"weight": *1.25/"to": 7, "weight": 1.25/; s/"from": 7, "to": 7/"from": 0, "to": 7/' genome.json >cycle.json
sed -i 's/"from": -1, "to": 7/"from": 7, "to": 0/' cycle.json
run info cycle.json
check "a cycle is refused and listed" fails 1 "cycle"

# ---- draw -----------------------------------------------------------------------------------------
run draw genome.json
check "draw writes DOT" succeeds "^ *(strict )?digraph"
check "draw draws edges" says "->"
cp out drawn
run draw genome.json -o genome.dot
check "draw -o FILE.dot" same drawn genome.dot
check "draw -o prints nothing" silent
if command -v dot >/dev/null; then
  run draw genome.json -o genome.svg
  check "draw -o FILE.svg" ended 0
  check "the picture is SVG" grep -q "<svg" genome.svg
else
  skip "draw -o FILE.svg" "graphviz is not installed"
  skip "the picture is SVG" "graphviz is not installed"
fi
mkdir bare
last="PATH=bare backdag draw genome.json -o bare.svg"
PATH=$folder/bare "$backdag" draw genome.json -o bare.svg >out 2>err
status=$?
check "without Graphviz draw says what to do" fails 1 "install graphviz"
run draw --max-edges 10 skip.json
check "draw refuses large networks politely" fails 1 "234 edges, too many .*--max-edges"
run draw --max-edges 10 skip.json -o large.dot
check "and leaves no file behind" test ! -e large.dot

# ---- check-gradient -------------------------------------------------------------------------------
run check-gradient mlp.json
check "gradients agree" succeeds "^83 of 83 parameters checked on 8 samples: 0 off"
check "the worst are listed" test "$(grep -cE '^[0-9]+ +(edge|bias)' out)" -eq 10
run check-gradient mixed.json --parameters 50 --samples 3
check "a draw of parameters" succeeds "^50 of 1201 parameters checked on 3 samples: 0 off"
for loss in mse mae huber bce cross_entropy distribution; do
  run check-gradient dag.json --loss $loss --redraw
  check "gradients agree with $loss" succeeds ": 0 off"
done
run check-gradient mlp.json --tolerance 1e-14
check "gradients that are off end with status 1" ended 1
check "and are marked" says "OFF$"
run check-gradient none.json
check "without a loss there is no gradient" fails 1 "no loss; choose one with --loss"
finish
