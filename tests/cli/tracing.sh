#!/usr/bin/env bash
# backdag trace: tables, JSON, trace files, pictures, and bad input.
# shellcheck source=tests/cli/tap.sh
. "$(dirname "$0")/tap.sh"

"$backdag" new -q --mlp 20,40,30,5 --skip 0.1 --seed 1 net.json
"$backdag" new -q --mlp 4,3,2 --loss none bare.json
{
  for row in 1 2 3 4 5 6 7 8; do
    printf '0.1,%.0s' $(seq 20)
    echo $((row % 5))
  done
} >data.csv

# ---- Tables ---------------------------------------------------------------------------------------
run trace net.json --batch 100 --threads 1
check "trace succeeds" succeeds "^pass +forward and backward$"
check "trace leaves the standard error alone" test ! -s err
check "it counts samples" test "$(value samples)" = 100
check "one thread" test "$(value threads)" = 1
check "nothing is dropped" test "$(value dropped)" = 0
check "tasks were recorded" at_least "$(value tasks)" 2
check "parallelism is at least 1" at_least "$(value parallelism)" 1
for kind in load forward loss backward "weight gradient"; do
  check "work of kind $kind" says "^$kind +[0-9]+ +[0-9.]+ [num]?s +[0-9.]+ %"
done
check "what is predicted is called a prediction" says "^Prediction"
check "one thread has no speed-up" says "^ +1 +[0-9.]+ [num]?s +1\.00$"
check "it predicts for 128 threads" says "^ +128 +[0-9.]+ [num]?s +[0-9.]+$"
check "it tells the measured time" says "^The measured time with 1 thread: "
check "the critical path names vertices and levels" says "[0-9]+ [num]?s   (forward|backward|weight gradient): .*, level"
check "five steps by default" test "$(grep -cE '^ +[0-9]+ +[0-9.]+ [num]?s   [a-z]' out)" -eq 5

run trace net.json --batch 100 --threads 1 --path 2
check "--path 2" test "$(grep -cE '^ +[0-9]+ +[0-9.]+ [num]?s   [a-z]' out)" -eq 2
run trace net.json --batch 100 --threads 1 --path 0
check "--path 0" test "$(grep -c 'critical path:' out)" -eq 0

run trace net.json --pass forward --threads 1 --runs 1
check "--pass forward" succeeds "^pass +forward$"
check "a forward pass has no backward tasks" test "$(grep -c '^backward' out)" -eq 0
run trace net.json --pass backward --threads 1 --runs 1
check "--pass backward" succeeds "^pass +backward$"
check "a backward pass has no forward tasks" test "$(grep -c '^forward' out)" -eq 0
run trace bare.json --threads 1
check "without a loss: forward" succeeds "^pass +forward$"
run trace bare.json --pass step
check "without a loss there is no step" fails 1 "bare\.json: the network has no loss"

run trace net.json --data data.csv --threads 1 --runs 2
check "data instead of a drawn batch" succeeds "^samples +8$"
run trace net.json --batch 1 --pass forward --runs 1
check "one sample" succeeds "^single sample +1 "
run trace net.json --type float64 --deterministic --threads 2 --oversubscribe --runs 1
check "float64, deterministic" ended 0

for axis in tiles vertices both; do
  run trace net.json --batch 512 --threads 2 --oversubscribe --axis $axis
  check "axis $axis" succeeds "^axis +$axis$"
  check "axis $axis: two threads" test "$(value threads)" = 2
done
run trace net.json --batch 512 --axis serial
check "axis serial runs on one thread" succeeds "^threads +1$"
run trace net.json --threads 1 --release 2.5
check "--release" succeeds "^release +2\.5 us \(given\)$"
run trace net.json --threads 1
check "one thread releases nothing" says "^release +none on another thread"

# ---- JSON and files -------------------------------------------------------------------------------
run trace net.json --threads 2 --oversubscribe --json
check "--json" succeeds '"burdened_span": [0-9]'
check "--json predicts" says '"predicted_speed_up_on_128_threads": [0-9]'
has_jq=$(command -v jq)
if [ -n "$has_jq" ]; then
  check "--json is JSON" test "$(jq -r .pass out)" = "forward and backward"
  check "work and span" jq -e '.work > 0 and .span > 0 and .span <= .work * 1.0001 and .burdened_span >= .span' out
else
  skip "--json is JSON" "jq is not installed"
  skip "work and span" "jq is not installed"
fi

run trace net.json --batch 300 --axis tiles --threads 2 --oversubscribe --chrome trace.json --svg trace.svg
check "both files" test -s trace.json -a -s trace.svg
check "the tables come all the same" says "^work "
if [ -n "$has_jq" ]; then
  check "the trace is JSON" jq -e '.traceEvents | length > 10' trace.json
  check "every box has a beginning, a length, a row and a name" jq -e '
    [.traceEvents[] | select(.ph == "X")] | length > 0 and
    all(.ts >= 0 and .dur >= 0 and .pid == 1 and .tid >= 0 and (.name | length) > 0)' trace.json
  check "the rows are named" jq -e '
    [.traceEvents[] | select(.name == "thread_name") | .args.name] == ["passes", "thread 0", "thread 1"]' trace.json
  check "both passes" jq -e '
    [.traceEvents[] | select(.cat == "pass") | .name] == ["forward pass of 300 samples", "backward pass of 300 samples"]' trace.json
  check "boxes lie within the passes" jq -e '
    ([.traceEvents[] | select(.cat == "pass") | .ts + .dur] | max) as $last |
    [.traceEvents[] | select(.ph == "X" and .cat != "pass") | .ts + .dur] | max <= $last + 0.001' trace.json
  check "names say which vertices" jq -e '
    [.traceEvents[] | select(.cat == "forward") | .name] | all(test("^forward: .*level"))' trace.json
  check "arrows have two ends" jq -e '
    ([.traceEvents[] | select(.ph == "s") | .id] | sort) == ([.traceEvents[] | select(.ph == "f") | .id] | sort)' trace.json
else
  skip "the trace is JSON" "jq is not installed"
fi
if command -v xmllint >/dev/null; then
  check "the picture is XML" xmllint --noout trace.svg
else
  skip "the picture is XML" "xmllint is not installed"
fi
check "the picture has a lane for each thread" test "$(grep -c 'class="lane"' trace.svg)" -eq 2
check "the picture marks the critical path" grep -q 'class="critical"' trace.svg
check "the picture fits dark screens" grep -q 'prefers-color-scheme:dark' trace.svg
check "the axis has a unit" grep -qE 'time \((ns|µs|ms)\)' trace.svg

run trace net.json --threads 1 --chrome -
check "--chrome - writes the trace to the standard output" succeeds '"traceEvents"'
check "and nothing else" test "$(head -c 1 out)" = "{" -a "$(tail -n 1 out)" = "]}"

# ---- Mistakes -------------------------------------------------------------------------------------
run trace net.json --pass sideways
check "an unknown pass" fails 2 "--pass 'sideways': expected one of step, forward, backward"
run trace net.json other.json
check "two networks" fails 2 "one NETWORK is enough"
run trace net.json --runs 0
check "no runs" fails 2 "--runs '0'"
run trace net.json --release -1
check "a negative release" fails 2 "--release '-1'"
run trace net.json --labels data.csv
check "labels without data" fails 2 "--labels needs --data"
run trace net.json --json --chrome -
check "the standard output twice" fails 2 "cannot both take the standard output"
run trace net.json --svg - --chrome -
check "the standard output twice, by files" fails 2 "cannot both take the standard output"
run trace missing.json
check "a missing network" fails 1 "missing\.json"
run trace net.json --data missing.csv
check "missing data" fails 1 "missing\.csv"
run trace bare.json --data data.csv
check "data of another width" fails 1 "columns"
run trace net.json --threads 1 --chrome no/such/folder/t.json
check "a trace file that cannot be written" fails 1 "no/such/folder"
run trace net.json --threads 1 --svg no/such/folder/t.svg
check "a picture that cannot be written" fails 1 "no/such/folder/t\.svg: cannot be written"
if [ -e /dev/full ]; then
  run trace net.json --threads 1 --svg /dev/full
  check "a picture on a full disk" fails 1 "/dev/full: cannot be written"
fi
finish
