#!/usr/bin/env bash
# Trains the model that comes with the package, and packs it: see --help.

data=data/read-speech
expdir=exp/box
train_config=conf/box.yaml
init=
init_part=
phone_minutes=10
minutes=60
leave_out=
speakers="p225 p226 p227 p228 bdl slt kathleen"
train_args=

help_message="Usage: bash recipes/vctk/local/train_box.sh [options]

Finds the phones of data that recipes/vctk/run.sh has prepared (--corpus DIR --skip-bad true --stop-stage 1), teaches
encoder and codes those alone (EXPDIR/phones), then decoder and codes together, and packs what came, with the voices
named, into EXPDIR/packed: weights for vqspeech/pretrained. docs/pretrained.md tells which runs there were. Folders
are relative to recipes/vctk.

  --data DIR           with train and dev (default: $data)
  --expdir DIR         the run and the packed model (default: $expdir)
  --train-config FILE  (default: $train_config)
  --init DIR           a model to go on from, such as the packaged one (default: none)
  --init-part NAME     take encoder or decoder alone from it, the rest by the configuration (default: all)
  --phone-minutes N    of learning phones alone (default: $phone_minutes)
  --minutes N          of training (default: $minutes)
  --leave-out NAMES    speakers whose speech is not heard, so that enrolment can be tried on strangers (default: none)
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

# Lists of train without those speakers' utterances, beside those of dev.
leave_out_speakers() {
  local list
  mkdir -p "$expdir"
  rm -rf "$expdir/data"
  cp -r "$data/." "$expdir/data"
  for list in "$data/train"/*; do
    awk -v names="$leave_out" '
      BEGIN { for (n = split(names, name, " "); n; n--) out[name[n]] }
      FILENAME == ARGV[1] { speaker[$1] = $2; next }
      !($1 in out) && !(speaker[$1] in out)
    ' "$data/train/utt2spk" <(cat "$list") >"$expdir/data/train/${list##*/}"
  done
}

# Encoder and codes alone are so quick that they can take larger batches, and farther shifts of pitch.
learn_phones() {
  # shellcheck disable=SC2086 # words are wanted
  train "$expdir/phones" --training.phones_alone true --training.max_minutes "$phone_minutes" --training.batch_size 8 \
    --training.crop 20480 --training.pitch_shift 3 --training.voices_share 0.3 --training.eval_every 100 \
    --training.phone_crops 0 ${init:+--init "$init"} ${init_part:+--init-part "$init_part"} $train_args
}

learn() {
  # shellcheck disable=SC2086 # words are wanted
  train "$expdir" --training.max_minutes "$minutes" --init "$expdir/phones" $train_args
}

settings="$data $leave_out $init $init_part $phone_minutes $minutes $train_args $(cat "$train_config")"
find_phones
if [ -n "$leave_out" ]; then
  leave_out_speakers
  data=$expdir/data
fi
experiment "phones" "$expdir/phones" "$settings" learn_phones
experiment "the model in the box" "$expdir" "$settings" learn
# shellcheck disable=SC2086
local/pack_model.py "$expdir" "$expdir/packed" --speakers $speakers
