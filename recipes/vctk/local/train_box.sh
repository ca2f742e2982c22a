#!/usr/bin/env bash
# Trains the model that comes with the package, and packs it: see --help.

data=data/read-speech
expdir=exp/box
train_config=conf/base.yaml
init=
minutes=120
pitch_shift=3
speakers="p225 p226 p227 p228 bdl slt kathleen"
train_args=

help_message="Usage: bash recipes/vctk/local/train_box.sh [options]

Trains on data that recipes/vctk/run.sh has prepared (--corpus DIR --skip-bad true --stop-stage 1) and packs what came,
with the voices named, into EXPDIR/packed: the weights for vqspeech/pretrained. docs/pretrained.md tells which runs there
were. Folders are relative to recipes/vctk.

  --data DIR           with train and dev (default: $data)
  --expdir DIR         the run and the packed model (default: $expdir)
  --train-config FILE  (default: $train_config)
  --init DIR           a model to go on from, such as the packaged one (default: none)
  --minutes N          of training (default: $minutes)
  --pitch-shift N      semitones by which the encoder hears speech higher or lower (default: $pitch_shift)
  --speakers NAMES     voices that are packed (default: $speakers)
  --train-args ARGS    further flags of vqspeech-train"

. "$(dirname "${BASH_SOURCE[0]}")/experiment.sh"

# shellcheck disable=SC2086 # words are wanted
experiment "the model in the box" "$expdir" "$data $init $minutes $pitch_shift $train_args $(cat "$train_config")" \
  train "$expdir" --training.max_minutes "$minutes" --training.pitch_shift "$pitch_shift" \
  ${init:+--init "$init"} $train_args
# shellcheck disable=SC2086
local/pack_model.py "$expdir" "$expdir/packed" --speakers $speakers
