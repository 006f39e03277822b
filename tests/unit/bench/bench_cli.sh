#!/bin/sh
# The command line of the bench: verbs, errors, a run compared with itself, a slower build found.
# bench_cli.sh BACKDAG-BENCH
bench=$1
. "$(dirname "$0")/bench_tap.sh"
says() { # message, then a command that must succeed with it
  message=$1
  shift
  "$@" > "$work/out2" 2>&1 || return 1
  grep -q -e "$message" "$work/out2"
}
# Every time of a report 1.4 times as long, and close together.
slower() {
  awk '/"(seconds|rounds)": \[/ { inside = 1; print; next }
       inside && /\]/ { inside = 0 }
       inside { comma = /,/ ? "," : ""; gsub(/[ ,]/, ""); print $0 * 1.4 comma; next }
       { print }' "$1"
}

# A hidden neuron, an output without a loss: only a forward pass is possible.
network() {
  node='"aggregation": {"name": "sum"}, "response": 1.0'
  cat << END
{"format_version": "1.0", "network_type": "feedforward",
 "topology": {"num_inputs": 1, "num_outputs": 1, "input_keys": [-1], "output_keys": [0]},
 "nodes": [{"id": -1, "type": "input", "activation": {"name": "identity"}, "bias": 0.0, $node},
  {"id": 5, "type": "hidden", "activation": {"name": "tanh"}, "bias": 0.25, $node},
  {"id": 0, "type": "output", "activation": {"name": "sigmoid"}, "bias": -0.5, $node}],
 "connections": [{"from": -1, "to": 5, "weight": 0.5, "enabled": true},
  {"from": 5, "to": 0, "weight": 1.5, "enabled": true},
  {"from": -1, "to": 0, "weight": -2.0, "enabled": true}]}
END
}

echo "1..18"
check "list names cases" says radix-1024 "$bench" list
check "list names peers" says openblas "$bench" list
check "list documents the schema" says backward_forward "$bench" list --schema
check "without a verb there is usage" fails "Usage:" "$bench"
check "--help succeeds" says "Usage:" "$bench" --help
check "an unknown case is an error" fails "no-such-case" "$bench" run --ceilings 0 -q no-such-case
check "an unknown phase is an error" fails "phase" "$bench" run --phase sideways small
check "a number out of range is an error" fails "threads" "$bench" run --threads 0 small
check "an unknown contest is an error" fails "no contest" "$bench" peers --ceilings 0 -q nonsense
check "a run is verified and written" "$bench" run --ceilings 0.1 --budget 0.05 --threads 1 -q \
  --json "$work/a.json" small evolved-100
check "a report equals itself" says " 0 slower" "$bench" compare "$work/a.json" "$work/a.json"
slower "$work/a.json" > "$work/b.json"
check "slower times are found" fails "SLOWER" "$bench" compare "$work/a.json" "$work/b.json"
echo '{"format": "x"}' > "$work/c.json"
check "a file that is no report is an error" fails "no report" "$bench" compare "$work/a.json" \
  "$work/c.json"
network > "$work/net.json"
check "a network file is measured" says "net.json *forward *16 " "$bench" run --ceilings 0 -q \
  --budget 0.02 --threads 1 --batch 16 "$work/net.json"
check "challenge weights refuse a backward pass" fails "INVALID: only" "$bench" run --ceilings 0 -q \
  --budget 0.02 --threads 1 --batch 16 --no-verify --phase forward,backward challenge-1024
check "scale prints planning over the number of edges" says "^ *98304 .*[0-9]$" \
  "$bench" scale --edges 1e5 --batch 16
check "scale prints the phases of one network" says "^second step .*[0-9]$" \
  "$bench" scale --width 64 --layers 20
check "scale refuses bad numbers" fails "is not a number from 1" "$bench" scale --edges 0
