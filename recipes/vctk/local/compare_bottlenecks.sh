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

. "$(dirname "${BASH_SOURCE[0]}")/experiment.sh"

compare() { # <name> <seed> <model folder>
  local name=$1 seed=$2 model=$3 split prior=()
  local flags=(--model.bottleneck.name "$name" --training.seed "$seed" --training.max_minutes "$minutes")
  # As many codes as the others have, in three stages.
  [ "$name" != rvq ] || flags+=(--model.bottleneck.codes 8 --model.bottleneck.stages 3)
  # shellcheck disable=SC2206 # words are wanted
  flags+=($train_args)
  train "$model" "${flags[@]}"
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
    experiment "$name, seed $seed" "$model" "$data $minutes $train_args $prior_args $(cat "$train_config")" \
      compare "$name" "$seed" "$model"
  done
done
python -m vqspeech.evaluation.comparison "$expdir" --plot "${plot:-$expdir/bottlenecks.png}" |
  tee "$expdir/bottlenecks.md"
