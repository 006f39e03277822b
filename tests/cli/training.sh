#!/usr/bin/env bash
# train, evaluate and predict: data in every shape, held-out samples, checkpoints, Ctrl-C, terminals.
# shellcheck source=tests/cli/tap.sh
. "$(dirname "$0")/tap.sh"

# Points in the plane: class 1 inside a circle, 0 outside. Columns: x, y, class.
awk 'BEGIN { srand(5); for (i = 0; i < 600; i++) { x = 2 * rand() - 1; y = 2 * rand() - 1
  printf "%.5f,%.5f,%d\n", x, y, x * x + y * y < 0.5 } }' >rows.csv
{ echo "x,y,inside"; cat rows.csv; } >circle.csv
cut -d, -f1,2 rows.csv >x.csv
cut -d, -f3 rows.csv >y.csv
awk -F, '{ print $1, $2, 1 - $3, $3 }' OFS=, rows.csv >one_hot.csv
run new -q --mlp 2,16,16,16,2 --skip 0.3 --activations tanh,relu --seed 1 net.json

# ---- train and evaluate ---------------------------------------------------------------------------
options=(--epochs 60 --lr 0.01 --seed 3)
run train net.json --data circle.csv "${options[@]}" --holdout 0.25 --plot loss.svg -o trained.json
check "train succeeds" ended 0
check "it learns the training data" at_least "$(value 'training accuracy')" 95
check "it learns the held-out data" at_least "$(value 'held-out accuracy')" 93
check "it splits the samples" test "$(value 'training samples') $(value 'held-out samples')" = "450 150"
check "it reports its epochs" test "$(value epochs)" = 60
check "it reports the time of an epoch" at_least "$(value 'seconds per epoch')" 0.0000001
check "progress goes to the standard error" complains "^epoch 60/60  loss"
check "progress is thinned out" test "$(grep -c ^epoch err)" -le 25
check "no progress on the standard output" test "$(grep -c "^epoch .*/" out)" -eq 0
check "no terminal codes in plain lines" test "$(tr -dc '\033\r' <err | wc -c)" -eq 0
check "the loss curve is an SVG" sh -c 'grep -q "^<svg" loss.svg && test "$(grep -c "<polyline" loss.svg)" -eq 2 && tail -1 loss.svg | grep -qx "</svg>"'
check "no temporary files are left" test "$(find . -name '*.tmp*' | wc -l)" -eq 0

run evaluate trained.json --data circle.csv
check "evaluate succeeds" succeeds "^accuracy +9[0-9]\.[0-9]+ %$"
cp out by_name
run evaluate trained.json --data x.csv --labels y.csv
check "labels may lie in a file of their own" same out by_name
"$backdag" evaluate trained.json --data - <circle.csv >out 2>err
status=$?
check "evaluate reads the standard input" same out by_name
run evaluate trained.json --data circle.csv --batch 7 --threads 1
check "loss does not depend on the batch" near "$(value loss)" "$(sed -nE 's/^loss +//p' by_name)"
run evaluate trained.json --data circle.csv --json
check "evaluate --json" succeeds '"accuracy": 0\.9'
run evaluate trained.json --data circle.csv --type float64
check "evaluate in float64" succeeds "^accuracy +9"

run train net.json --data circle.csv "${options[@]}" --holdout 0.25 --deterministic -q -o a.json
check "--quiet trains without a word" test ! -s err
run train net.json --data circle.csv "${options[@]}" --holdout 0.25 --deterministic -q --threads 1 -o b.json
check "the same seed gives the same network" same a.json b.json
run train net.json --data circle.csv "${options[@]}" --holdout 0.25 --deterministic -q --seed 4 -o b.json
check "another seed gives another" different a.json b.json
run train net.json --data circle.csv --epochs 2 --json -q -o a.json
check "train --json" succeeds '"training_accuracy": 0\.'

run train net.json --data circle.csv --epochs 2 --holdout 0.5 --json -q -o a.json
check "held-out samples are others than those trained on" sh -c '
  test "$(sed -n "s/.*\"training_loss\": //p" out)" != "$(sed -n "s/.*\"held_out_loss\": //p" out)"'

# Every option of the optimizer reaches it: no two of these networks are the same.
for option in "--optimizer sgd" "--optimizer sgd --momentum 0.5" "--optimizer sgd --nesterov" \
  "--optimizer sgd --weight-decay 0.1" "--optimizer sgd --lr 0.1" "--optimizer adam" \
  "--optimizer adamw" "--beta1 0.1" "--beta2 0.1" "--epsilon 0.1" "--weight-decay 0.1" "--lr 0.1" \
  "--schedule cosine" "--schedule linear" "--no-shuffle" "--batch 100" "--seed 9" \
  "--init auto --seed 5" "--init he-normal" "--init he-uniform" "--init glorot-normal" \
  "--init glorot-uniform" "--loss bce --data one_hot.csv" "--loss huber --data one_hot.csv" \
  "--loss huber --huber-delta 0.1 --data one_hot.csv"; do
  # shellcheck disable=SC2086
  run train net.json --data circle.csv --epochs 4 --deterministic -q -o option.json $option
  ended 0 || echo "$option failed"
  sed '/"losses"/,$d' option.json | cksum
done >sums
check "every option of the optimizer matters" test "$(sort sums | uniq | wc -l) $(grep -c failed sums)" = "25 0"

head -450 rows.csv >train.csv
tail -150 rows.csv >test.csv
for optimizer in sgd adam adamw; do
  run train net.json --data train.csv --test test.csv --optimizer $optimizer --lr 0.02 --nesterov \
    --momentum 0.8 --weight-decay 0.0001 --schedule cosine --epochs 60 -q -o a.safetensors
  check "train with $optimizer" at_least "$(value 'held-out accuracy')" 90
done
run train net.json --data x.csv --labels y.csv --test x.csv --test-labels y.csv --epochs 1 -q -o a.json
check "test labels in a file of their own" test "$(value 'held-out samples')" = 600

for loss in distribution mse bce mae huber; do
  run train net.json --loss $loss --data one_hot.csv --epochs 60 --lr 0.01 -q -o a.json
  check "train with $loss on one column a class" at_least "$(value 'training accuracy')" 90
done
run evaluate net.json --loss mse --data one_hot.csv
check "evaluate with another loss" succeeds "^mse "

# A plane through the origin: values, not classes.
awk -F, '{ print $1, $2, 0.5 * $1 - 0.25 * $2 }' OFS=';' rows.csv >plane.csv
run new -q --mlp 2,8,1 --activation tanh line.json
run train line.json --data plane.csv --epochs 40 --lr 0.01 -q -o a.json
check "values give no accuracy" test "$(grep -c accuracy out)" -eq 0
check "values are learnt" at_least 0.005 "$(value 'training mse')"

{ echo "150 2 1"; awk -F, '{ print $1, $2; print $3 }' test.csv; } >test.fann
run new -q --mlp 2,16,1 --loss bce --activation tanh logit.json
run train logit.json --data test.fann --epochs 150 --lr 0.02 -q -o a.json
check "FANN training data" at_least "$(value 'training accuracy')" 90

# Weights that are all zero are drawn; others are kept.
sed -E '/"from"/ s/("weight": ?)[-+.0-9e]+/\10/' net.json >zero.json
run train zero.json --data circle.csv "${options[@]}" -q -o a.json
check "weights of zero are drawn anew" at_least "$(value 'training accuracy')" 90

# ---- Data that do not fit ---------------------------------------------------------------------------
run train net.json --data x.csv -o a.json
check "missing targets" fails 1 "target column is missing: put them behind, or give --labels"
run train net.json --data one_hot.csv -o a.json
check "a column too many" fails 1 "4 columns, but the network takes 2 inputs and 1 targets, 3 columns"
head -10 y.csv >short.csv
run train net.json --data x.csv --labels short.csv -o a.json
check "labels that are too few" fails 1 "short.csv: 10 rows, but x.csv has 600"
run train net.json --loss mse --data x.csv --labels y.csv -o a.json
check "labels of another kind" fails 1 "y.csv: 1 columns, .* 2 targets a sample; one class index"
sed '17s/,[01]$/,2/' rows.csv >class.csv
run train net.json --data class.csv -o a.json
check "a class that does not exist" ended 1
check "is reported without a result" silent
sed '17s/^[^,]*/abc/' rows.csv >word.csv
run train net.json --data word.csv -o a.json
check "a word among numbers names its line" fails 1 "word.csv:17: "
: >nothing.csv
run train net.json --data nothing.csv -o a.json
check "a file without samples" fails 1 "nothing.csv"
run train net.json --data missing.csv -o a.json
check "a missing file" fails 1 "missing.csv"
run train net.json --data circle.csv --holdout 0.0001 -o a.json
check "a hold-out of nobody" fails 1 "leaves nothing on one side"
run train net.json --data circle.csv --lr 1e30 --optimizer sgd --epochs 5 -q -o diverged.json
check "a run that breaks down advises a smaller rate" fails 1 "smaller --lr"
check "and writes no network" test ! -e diverged.json
run train net.json --data circle.csv --epochs 1 -q -o no/such/folder/a.json
check "an unwritable network" fails 1 "no/such/folder"

# ---- predict ----------------------------------------------------------------------------------------
run predict trained.json --data x.csv
check "predict writes a row a sample" test "$(wc -l <out)" -eq 600
check "probabilities add up to one" awk -F, '{ s = $1 + $2; if (NF != 2 || s < 0.99999 || s > 1.00001) exit 1 }' out
cp out predictions
run predict trained.json --data circle.csv
check "target columns are ignored" same out predictions
"$backdag" predict trained.json --data - <x.csv >out 2>err
status=$?
check "predict reads the standard input" same out predictions
run predict trained.json --data x.csv -o file.csv
check "predict -o writes the same" same file.csv predictions
check "and nothing else" silent
run predict trained.json --data x.csv --batch 1
check "a sample does not depend on its batch" same out predictions
run predict trained.json --data x.csv --threads 1 --axis serial
check "nor on the threads" same out predictions
awk -F, '{ printf "%.6f,%.6f,%d\n", $1 / 2, $2 / 2, $3 }' rows.csv >half.csv
run predict trained.json --data half.csv --scale 2
check "--scale multiplies the inputs" same out predictions
run evaluate trained.json --data half.csv --scale 2
check "but not the targets" same out by_name
run predict trained.json --data x.csv --class
paste -d, out y.csv >pairs
check "predicted classes are the right ones" at_least "$(awk -F, '$1 == $2' pairs | wc -l)" 550
run predict trained.json --data x.csv --names
check "--names" test "$(head -1 out)" = "output_0,output_1"
run predict trained.json --data x.csv --raw
check "--raw leaves logits" different out predictions
run predict trained.json --data x.csv -o file.npy
check "predict writes .npy" test "$(head -c 6 file.npy | od -An -tx1 | tr -d ' ')" = 934e554d5059
run predict trained.json --data x.csv --format npy
check "also to the standard output" same out file.npy
run predict trained.json --data y.csv
check "too few inputs" fails 1 "y.csv: 1 columns, but the network"
if [ -e /dev/full ]; then
  "$backdag" predict trained.json --data x.csv >/dev/full 2>err
  status=$?
  check "a full disk is a failure" ended 1
fi

# ---- Ctrl-C, checkpoints, resuming ------------------------------------------------------------------
# interrupt SIGNAL ARGUMENT...: sends the signal once the first line of progress is there.
interrupt() {
  local signal=$1
  shift
  last="backdag $*, interrupted"
  : >err
  # Background jobs of a script ignore SIGINT; env restores it.
  env --default-signal=INT "$backdag" "$@" >out 2>err </dev/null &
  local job=$! tries=0
  until grep -q '^epoch' err || [ $tries -ge 300 ]; do
    sleep 0.05
    tries=$((tries + 1))
  done
  kill -s "$signal" $job
  wait $job
  status=$?
}
long=(--data circle.csv --epochs 1000000 --seed 2)
interrupt INT train net.json "${long[@]}" -o long.json
check "Ctrl-C ends with status 1" ended 1
check "Ctrl-C says where the checkpoint is" complains "checkpoint saved: long.json.checkpoint.safetensors"
check "Ctrl-C says how to go on" complains "--resume long.json.checkpoint.safetensors"
check "Ctrl-C leaves no result" silent
check "Ctrl-C writes no final network" test ! -e long.json
check "the checkpoint exists" test -s long.json.checkpoint.safetensors
run info long.json.checkpoint.safetensors
check "a checkpoint is a network" succeeds "^vertices +52$"
run evaluate long.json.checkpoint.safetensors --data circle.csv
check "its weights are trained" at_least "$(value accuracy)" 50
run train --resume long.json.checkpoint.safetensors --data circle.csv --epochs 1 -o long.json
check "a checkpoint beyond --epochs is told" fails 1 "epochs are done already"
interrupt TERM train net.json "${long[@]}" -o term.json
check "SIGTERM does the same" complains "checkpoint saved: term.json.checkpoint.safetensors"

# With epochs long enough to be interrupted in the middle.
for i in 1 2 3 4 5 6 7 8; do cat rows.csv rows.csv rows.csv rows.csv rows.csv; done >many.csv
long=(--data many.csv --batch 8 --epochs 1000000)
interrupt INT train net.json "${long[@]}" -o middle.json
check "an epoch cut short is told" complains "interrupted in epoch [0-9]+ of 1000000 after batch [0-9]+; the epoch will be repeated"
epoch=$(sed -nE 's/.*interrupted in epoch ([0-9]+) .*/\1/p' err)
run train --resume middle.json.checkpoint.safetensors --data rows.csv --epochs "${epoch:-0}" -o a.json
check "and repeated" complains "^epoch $epoch/$epoch  loss"

# In one go, and with a pause after 4 epochs: the same bits.
whole=(--data circle.csv --seed 2 --deterministic -q --lr 0.01)
run train net.json "${whole[@]}" --epochs 8 -o whole.json
run train net.json "${whole[@]}" --epochs 4 --checkpoint 4 -o part.json
check "--checkpoint writes one" test -s part.json.checkpoint.safetensors
run train --resume part.json.checkpoint.safetensors "${whole[@]}" --epochs 8 -o resumed.json
check "resuming goes on where it stopped" same whole.json resumed.json
check "and counts all epochs" test "$(value epochs)" = 8
run train --resume net.json "${whole[@]}" -o a.json
check "a network is no checkpoint" fails 1 "net.json"

# ---- On a terminal ----------------------------------------------------------------------------------
if script -qec true /dev/null >/dev/null 2>&1 </dev/null; then
  TERM=xterm script -qec "'$backdag' train net.json --data circle.csv --epochs 3000 -o a.json >out" screen >/dev/null </dev/null
  check "a terminal gets a bar" grep -qE 'epoch [0-9]+/3000 [#.]+ +[0-9]+ %' screen
  check "with the time left" grep -q 'ETA 0:' screen
  check "results are still there and clean" test "$(grep -c "^training accuracy" out) $(tr -dc '\033\r' <out | wc -c)" = "1 0"
else
  for name in "a terminal gets a bar" "with the time left" "results are still there and clean"; do
    skip "$name" "there is no script command or no pseudo-terminal"
  done
fi
finish
