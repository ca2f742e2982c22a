#!/usr/bin/env bash
# What units are worth for speech recognition: a small CTC recogniser on exported units and on baselines. See --help.

stage=0
stop_stage=4
data=../../recipes/vctk/data/miniature
units=../../recipes/vctk/exp/miniature_tiny/units
test="test"
expdir=exp/miniature_tiny
inputs="units mfcc random log-mel"
labels="characters bpe"
dedup=true
bpe=100
steps=1000
train_args=
beam=8

help_message="Usage: bash egs/downstream_asr/run.sh [--data DIR --units DIR --expdir DIR] [options]

Trains one recogniser by CTC, with the same settings and steps, on units, on MFCC k-means units of the same number and
rate, on random units and on log-mel bands, and prints error rates on held-out sentences. Without options it takes the
miniature that recipes/vctk/run.sh has made. Units go through vqspeech-export, and the recogniser reads its files alone.

  --data DIR       folder with the data directories train and test, with texts (default: that of the miniature)
  --units DIR      folder with their units, train and test, by vqspeech-units (default: those of the miniature)
  --test NAME      the split to recognise, in both folders (default: $test)
  --expdir DIR     where all that is made goes (default: egs/downstream_asr/$expdir)
  --inputs NAMES   of units, mfcc, random, log-mel (default: $inputs)
  --labels NAMES   what is recognised: characters, bpe (default: $labels)
  --dedup BOOL     merge runs of equal units; how long each lasts is an input too (default: $dedup)
  --bpe N          pieces of the texts, for bpe (default: $bpe)
  --steps N        of training (default: $steps)
  --train-args ARGS  further flags of train.py, such as '--width 144 --layers 4 --batch-size 16 --seed 1'
  --beam N         prefixes that the beam search keeps (default: $beam)
  --stage N        first stage (default: $stage): 0 baseline units, 1 export, 2 train,
  --stop-stage N   last stage (default: $stop_stage)   3 recognise, 4 results
  --config FILE    options as shell variables, such as steps=20000
  --help           this text

Environment variables: see recipes/utils/setup_env.sh"

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
command="bash egs/downstream_asr/run.sh$([ $# -eq 0 ] || printf ' %q' "$@")"
. "$here/../../recipes/utils/parse_options.sh"
set -euo pipefail
[ $# -eq 0 ] || option_error "options only, not '$1'"
for name in $inputs; do
  [[ $name == @(units|mfcc|random|log-mel) ]] || option_error "no --inputs $name"
done
for name in $labels; do
  [[ $name == @(characters|bpe) ]] || option_error "no --labels $name"
done

# A folder that is given is the caller's, a default lies beside this script.
given=$PWD
cd "$here"
absolute() { [[ $1 == /* ]] && echo "$1" || echo "$2/$1"; }
[ "$data" = ../../recipes/vctk/data/miniature ] || data=$(absolute "$data" "$given")
[ "$units" = ../../recipes/vctk/exp/miniature_tiny/units ] || units=$(absolute "$units" "$given")
[ "$expdir" = exp/miniature_tiny ] || expdir=$(absolute "$expdir" "$given")
for folder in "$data" "$units"; do
  for split in train "$test"; do
    [ -d "$folder/$split" ] || option_error "no folder $folder/$split: bash recipes/vctk/run.sh makes the miniature's"
  done
done

PATH="$(bash ../../recipes/utils/setup_env.sh):$PATH"
export PATH
train_cmd=${train_cmd:-../../recipes/utils/run_job.py}
. ../../recipes/utils/stages.sh

exported=$expdir/exported
made=$expdir/units
[ "$dedup" = false ] || merge=--dedup

make_baselines() {
  local kind
  for kind in mfcc random; do
    [[ " $inputs " == *" $kind "* ]] || continue
    $train_cmd "$expdir/log/$kind.log" ./baseline_units.py "$kind" "$data" "$units" "$made/$kind" train "$test"
  done
}

export_units() {
  local kind split source
  # Log-mel takes texts and audio from the export of our units.
  for kind in units mfcc random; do
    [[ " units $inputs " == *" $kind "* ]] || continue
    source=$made/$kind
    [ "$kind" != units ] || source=$units
    for split in train "$test"; do
      $train_cmd "$expdir/log/export.$kind.$split.log" \
        vqspeech-export --force --units "$source/$split" --data "$data/$split" --format jsonl ${merge:+"$merge"} \
        --out "$exported/$kind/$split"
    done
  done
}

exported_of() { [ "$1" = log-mel ] && echo "$exported/units" || echo "$exported/$1"; }

train() { # <input> <labels> <folder>
  local flags=(--steps "$steps")
  [ "$1" != log-mel ] || flags+=(--log-mel)
  [ "$2" != bpe ] || flags+=(--bpe "$bpe")
  # shellcheck disable=SC2206 # words are wanted
  flags+=($train_args)
  rm -rf "$3/model"
  $train_cmd "$3/log/train.log" ./train.py "$(exported_of "$1")/train" "$3/model" "${flags[@]}"
}

recognise() { # <input> <folder>
  $train_cmd "$2/log/recognise.$test.log" \
    ./recognise.py "$2/model" "$(exported_of "$1")/$test" "$2/$test.jsonl" --beam "$beam"
}

score() {
  # shellcheck disable=SC2086
  $train_cmd "$expdir/log/score.log" \
    ./score.py "$expdir" --test "$test" --inputs $inputs --labels $labels --command "$command"
}

lock "$expdir"

checksum() { cat "$@" 2>/dev/null | cksum || true; }
source_settings="$data $test $(checksum "$units"/{train,"$test"}/units.txt "$data"/{train,"$test"}/text)"
train_settings="$data $(checksum "$units/train/units.txt" "$data/train/text") $dedup $steps $train_args"
run_stage 0 "baseline units" "$made/.$test" "$source_settings $inputs" make_baselines
run_stage 1 "export" "$exported/.$test" "$source_settings $dedup $inputs" export_units
for kind in $labels; do
  for name in $inputs; do
    folder=$expdir/asr/${name}_$kind
    settings=$train_settings
    [ "$kind" != bpe ] || settings+=" --bpe $bpe"
    if [ "$stage" -le 2 ] && [ "$stop_stage" -ge 2 ] && was_begun_otherwise "$folder/.trained" "$settings"; then
      log "$folder was trained with other settings: remove it, or give another --expdir" >&2
      exit 1
    fi
    run_stage 2 "train on $name, $kind" "$folder/.trained" "$settings" train "$name" "$kind" "$folder"
  done
done
for kind in $labels; do
  for name in $inputs; do
    folder=$expdir/asr/${name}_$kind
    settings="$source_settings $dedup $beam $(checksum "$folder/model/recogniser.safetensors")"
    run_stage 3 "recognise from $name, $kind" "$folder/.$test" "$settings" recognise "$name" "$folder"
  done
done
run_stage 4 "results" "$expdir/.results.$test" "$command $(checksum "$expdir"/asr/*/"$test.jsonl")" score
[ "$stop_stage" -lt 4 ] || cat "$expdir/RESULTS.$test.md"
