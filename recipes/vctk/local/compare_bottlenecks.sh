#!/usr/bin/env bash
# shellcheck source-path=SCRIPTDIR/..
# Trains every bottleneck with the same encoder, decoder, data and time, and prints one table: see --help.

data=data/miniature
expdir=exp/bottlenecks
train_config=conf/compare.yaml
names="none ae vae vq nsvq soft_em gumbel nvil vimco fsq rvq"
seeds="1 2"
minutes=6
train_args=
prior_args="--training.max_minutes 1"
plot=

help_message="Usage: bash recipes/vctk/local/compare_bottlenecks.sh [options]

Compares bottlenecks on data directories that recipes/vctk/run.sh has prepared (--stop-stage 1). A run that is done with
the same settings is not done again. Folders are relative to recipes/vctk.

  --data DIR           with train, dev and test (default: $data)
  --expdir DIR         a folder NAME-SEED for each run, and bottlenecks.md (default: $expdir)
  --train-config FILE  (default: $train_config)
  --names NAMES        which (default: $names)
  --seeds SEEDS        (default: $seeds)
  --minutes N          of training each (default: $minutes)
  --train-args ARGS    further flags of vqspeech-train
  --prior-args ARGS    flags of vqspeech-train-prior (default: $prior_args)
  --plot FILE          where to draw bits per sample over steps (default: bottlenecks.png in --expdir)"

recipe=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
. "$recipe/../utils/parse_options.sh"
set -euo pipefail
[ $# -eq 0 ] || option_error "options only, not '$1'"
cd "$recipe"
[ -d "$data/train" ] || option_error "no folder $data/train in $recipe: prepare it with run.sh --stop-stage 1"
[ -r "$train_config" ] || option_error "no file --train-config $train_config"
. ./path.sh
. ./cmd.sh
# shellcheck disable=SC2034 # for run_stage
stage=0 stop_stage=0
. ../utils/stages.sh

compare() { # <name> <seed> <model folder>
  local name=$1 seed=$2 model=$3 split prior=()
  local flags=(--model.bottleneck.name "$name" --training.seed "$seed" --training.max_minutes "$minutes")
  # As many codes as the others have, in three stages.
  [ "$name" != rvq ] || flags+=(--model.bottleneck.codes 8 --model.bottleneck.stages 3)
  ! $continuing || flags+=(--resume)
  # shellcheck disable=SC2206 # words are wanted
  flags+=($train_args)
  $train_cmd "$model/log/train.log" \
    vqspeech-train --config "$train_config" --train "$data/train" --dev "$data/dev" --out "$model" --accelerator cpu \
    "${flags[@]}"
  case $name in
    none | ae | vae) ;;
    *)
      for split in train dev; do
        $train_cmd "$model/log/units.$split.log" \
          vqspeech-units --force --model "$model" --data "$data/$split" --out "$model/units/$split"
      done
      rm -rf "$model/prior"
      # shellcheck disable=SC2086
      $train_cmd "$model/log/prior.log" \
        vqspeech-train-prior --units "$model/units/train" --dev "$model/units/dev" --out "$model/prior" $prior_args
      prior=(--prior "$model/prior")
      ;;
  esac
  $train_cmd "$model/log/evaluate.log" \
    vqspeech-evaluate --model "$model" --data "$data/test" --train-data "$data/train" --out "$model/results" \
    --measures bits,bound,codes,phones ${prior[@]+"${prior[@]}"}
}

for seed in $seeds; do
  for name in $names; do
    model=$expdir/$name-$seed
    settings="$data $minutes $train_args $prior_args $(cat "$train_config")"
    if was_begun_otherwise "$model/.compared" "$settings"; then
      log "$model was made with other settings: remove it, or give another --expdir" >&2
      exit 1
    fi
    run_stage 0 "$name, seed $seed" "$model/.compared" "$settings" compare "$name" "$seed" "$model"
  done
done
python -m vqspeech.evaluation.comparison "$expdir" --plot "${plot:-$expdir/bottlenecks.png}" |
  tee "$expdir/bottlenecks.md"
