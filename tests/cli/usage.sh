#!/usr/bin/env bash
# Usage of the command-line tool: help, version, mistakes, and what goes to which stream.
# shellcheck source=tests/cli/tap.sh
. "$(dirname "$0")/tap.sh"

verbs="new train evaluate predict check-gradient info convert draw trace"

run --help
check "--help succeeds" succeeds "^Usage: backdag VERB"
check "--help leaves the standard error alone" test ! -s err
for verb in $verbs; do
  check "--help lists $verb" says "^  $verb +[a-z]"
done
run --version
check "--version" succeeds "^backdag [0-9]+\.[0-9]+\.[0-9]+$"
run
check "no verb is wrong usage" ended 2
check "no verb shows the help as an error" complains "^Usage: backdag VERB"
check "no verb prints no result" silent

for verb in $verbs; do
  run "$verb" --help
  check "$verb --help succeeds" succeeds "^Usage: backdag $verb "
  check "$verb --help shows examples" says "^  backdag $verb "
  check "$verb --help tells exit codes" says "^Exit status: 0 success, 1|^Exit status: 0 all"
  check "$verb --help keeps lines short" test "$(awk 'length > 80' out | wc -l)" -eq 0
  cp out help
  run help "$verb"
  check "help $verb is the same" same out help
  run "$verb" --version
  check "$verb --version" succeeds "^backdag [0-9]"
  run "$verb"
  check "$verb without arguments is wrong usage" fails 2 "^backdag $verb: "
  run "$verb" --no-such-option
  check "$verb with an unknown option is wrong usage" fails 2 "no-such-option"
done

run trian
check "an unknown verb suggests the nearest" fails 2 "no verb 'trian'; did you mean 'backdag train'"
run eval
check "an abbreviated verb is completed" fails 2 "did you mean 'backdag evaluate'"
run gradient-check
check "a verb that resembles none" fails 2 "no verb 'gradient-check'"
run ""
check "an empty verb" fails 2 "no verb ''"
run --verbose
check "an unknown option in place of a verb" fails 2 "no option '--verbose'"

run new --mlp 2,x,1 a.json
check "a list that holds no number" fails 2 "--mlp '2,x,1': expected 2 to 64 whole numbers"
run new --mlp 2 a.json
check "a list that is too short" fails 2 "--mlp '2': expected"
run new --mlp 2,0,1 a.json
check "an empty layer" fails 2 "at least one vertex"
run new --mlp 2,1 --seed -1 a.json
check "a negative seed" fails 2 "--seed '-1': expected a whole number from 0"
run new --mlp 2,1 --seed 99999999999999999999 a.json
check "a seed beyond 64 bits" fails 2 "--seed"
run new --mlp 2,1 --skip nan a.json
check "a share that is no number" fails 2 "--skip 'nan': expected a number from 0"
run new --mlp 2,1 --dag 1,1,5 a.json
check "two generators" fails 2 "only one of --mlp"
run new a.json
check "no generator" fails 2 "which graph"
run new --mlp 2,1 a.txt
check "an extension that names no format" fails 2 "must end in .json or .safetensors"
run new --mlp 2,1 a.json b.json
check "two files" fails 2 "one FILE is enough"
run new --mlp 2,2,1 --activation rleu a.json
check "an unknown activation suggests the nearest" fails 2 "no activation 'rleu'; did you mean 'relu'"
run new --mlp 2,2,1 --activation leaky_relu:x a.json
check "an activation's parameter that is no number" fails 2 "'x' is no number"
run new --mlp 2,2,1 --loss mes a.json
check "an unknown loss lists the known" fails 2 "--loss 'mes': expected one of mse, mae"
run new --mlp 3,3,3 --skip 100 a.json
check "more skip edges than there is room for" fails 2 "room for 9"
run new --dag 5,5,9 a.json
check "fewer vertices than inputs and outputs" fails 2 "cannot hold"
run new --dag 2,2,20 --in-degree 5,2 a.json
check "in-degrees in the wrong order" fails 2 "least is larger"
run new --radix 100,3 a.json
check "RadiX-Net of an indivisible width" fails 2 "multiple of DEGREE"
check "none of these wrote a file" test ! -e a.json

run train net.json --data x.csv -o y.json --optimizer sdg
check "an unknown optimizer" fails 2 "expected one of sgd, adam, adamw"
run train net.json --data x.csv
check "train without -o" fails 2 "where to"
run train net.json -o y.json
check "train without data" fails 2 "--data"
run train net.json --data x.csv -o y.json --holdout 0.5 --test z.csv
check "both kinds of held-out data" fails 2 "either --holdout or --test"
run train net.json --data x.csv -o y.json --holdout 1
check "a hold-out of everything" fails 2 "--holdout '1'"
run train net.json --data - --labels - -o y.json
check "the standard input twice" fails 2 "cannot both be the standard input"
run train net.json --data x.csv -o y.json --threads 0
check "no threads at all" fails 2 "--threads '0'"
run train net.json --data x.csv -o y.json --threads 1025
check "more threads than any" fails 2 "from 1 to 1024"
run convert a.json b.bin
check "convert to an unknown extension" fails 2 "give --format"
run draw a.json -o a.bmp
check "draw to an unknown extension" fails 2 "must end in"
run predict a.json --data x.csv --labels y.csv
check "predict takes no labels" fails 2 "needs no --labels"

run info missing.json
check "a missing network" fails 1 "missing\.json.*No such file|No such file.*missing\.json"
run train missing.json --data x.csv -o y.json
check "a missing network for train" fails 1 "missing\.json"
run new --mlp 2,1 -q no/such/folder/a.json
check "a folder that does not exist" fails 1 "no/such/folder"

if [ -e /dev/full ]; then
  "$backdag" --version >/dev/full 2>err
  status=$?
  check "a full standard output is a failure" ended 1
  check "a full standard output is reported" complains "cannot write to the standard output"
fi
finish
