#!/usr/bin/env bash
# shellcheck source-path=SCRIPTDIR/..
# What keeps codes alive: trains vq with each safeguard off in turn and counts the codes in use. See --help.

data=data/miniature
expdir=exp/ablation
train_config=conf/compare.yaml
seeds=1
steps=2000
codes=1024
all="start EMA restart normalisation jitter past-dropout"
names=$all
train_args=

help_message="Usage: bash recipes/vctk/local/ablation.sh [options]

Trains vq from an adversarial start (codes far from the frames, a high learning rate, many codes) with every safeguard,
with each one off in turn, and with none, and prints the codes in use on dev speech. The data directories are those that
recipes/vctk/run.sh has prepared (--stop-stage 1). A run that is done with the same settings is not done again. Folders
are relative to recipes/vctk.

  --data DIR           with train and dev (default: $data)
  --expdir DIR         a folder NAME-SEED for each run, and ablation.md (default: $expdir)
  --train-config FILE  (default: $train_config)
  --seeds SEEDS        (default: $seeds)
  --steps N            of training each (default: $steps)
  --codes K            (default: $codes)
  --names NAMES        of the safeguards; '' for the run with all of them alone (default: $names)
  --train-args ARGS    further flags of vqspeech-train"

. "$(dirname "${BASH_SOURCE[0]}")/experiment.sh"

adversity="--training.learning_rate 8e-3 --model.bottleneck.code_scale 30 --model.bottleneck.codes $codes"
safeguards="--model.bottleneck.jitter 0.12 --model.decoder.past_dropout 0.05"
without() { # <safeguard> ...: the flags that turn them off
  local safeguard
  for safeguard; do
    case $safeguard in
      start) echo "--model.bottleneck.kmeans false --model.bottleneck.start_steps 0" ;;
      EMA) echo "--model.bottleneck.codebook loss" ;;
      restart) echo "--model.bottleneck.restart 0" ;;
      normalisation) echo "--model.bottleneck.normalise none" ;;
      jitter) echo "--model.bottleneck.jitter 0" ;;
      past-dropout) echo "--model.decoder.past_dropout 0" ;;
      *) option_error "no safeguard $safeguard" ;;
    esac
  done
}

ablate() { # <name> <flags>
  local seed
  for seed in $seeds; do
    # shellcheck disable=SC2086 # words are wanted
    experiment "$1, seed $seed" "$expdir/$1-$seed" "$data $steps $adversity $safeguards $2 $train_args $(cat "$train_config")" \
      train "$expdir/$1-$seed" --training.max_steps "$steps" --training.eval_every "$steps" --training.seed "$seed" \
      $adversity $safeguards $2 $train_args
  done
}

# Before any training: within an argument the shell would not see it fail.
# shellcheck disable=SC2086
flags=$(without $names)
ablate all ""
for safeguard in $names; do
  flags=$(without "$safeguard")
  ablate "without-$safeguard" "$flags"
done
# shellcheck disable=SC2086
flags=$(without $all)
[ -z "$names" ] || ablate none "$flags"
local/ablation_table.py "$expdir" | tee "$expdir/ablation.md"
