#!/usr/bin/env bash
# Trains the model that comes with the package, and packs it: see --help.

data=data/read-speech
expdir=exp/box
train_config=conf/box.yaml
init=
minutes=88
speakers="p225 p226 p227 p228 bdl slt kathleen"
train_args=

help_message="Usage: bash recipes/vctk/local/train_box.sh [options]

Finds the phones of data that recipes/vctk/run.sh has prepared (--corpus DIR --skip-bad true --stop-stage 1), trains on
them and packs what came, with the voices named, into EXPDIR/packed: the weights for vqspeech/pretrained.
docs/pretrained.md tells which runs there were. Folders are relative to recipes/vctk.

  --data DIR           with train and dev (default: $data)
  --expdir DIR         the run and the packed model (default: $expdir)
  --train-config FILE  (default: $train_config)
  --init DIR           a model to go on from, such as the packaged one (default: none)
  --minutes N          of training (default: $minutes)
  --speakers NAMES     voices that are packed (default: $speakers)
  --train-args ARGS    further flags of vqspeech-train"

. "$(dirname "${BASH_SOURCE[0]}")/experiment.sh"

find_phones() {
  local split
  for split in train dev; do
    [ -e "$data/$split/labels.scp" ] ||
      $train_cmd "$expdir/log/align.$split.log" vqspeech-align --data "$data/$split" --out "$expdir/labels/$split"
  done
}

learn() {
  find_phones
  # shellcheck disable=SC2086 # words are wanted
  train "$expdir" --training.max_minutes "$minutes" ${init:+--init "$init"} $train_args
}

experiment "the model in the box" "$expdir" "$data $init $minutes $train_args $(cat "$train_config")" learn
# shellcheck disable=SC2086
local/pack_model.py "$expdir" "$expdir/packed" --speakers $speakers
