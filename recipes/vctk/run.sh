#!/usr/bin/env bash
# From a corpus to a trained VQ-VAE, its discrete units, converted voices and a table of results: see --help.

stage=0
stop_stage=7
nj=$(getconf _NPROCESSORS_ONLN)
corpus=
download=
mic=mic1
labels=
train_config=conf/tiny.yaml
expdir=exp
ngpu=0
skip_bad=false
prepare_args=
bottleneck=
train_args=
no_codes_steps=3000
evaluate_args=

help_message="Usage: bash recipes/vctk/run.sh [--corpus DIR | --download DIR] [options]

Trains a VQ-VAE on a corpus of many speakers and shows what it is worth. Without a corpus it makes a miniature of
synthetic voices and shows within 20 minutes that everything works. A stage that is done is not done again.

  --corpus DIR         VCTK 0.92 or 0.80, LibriSpeech, a folder with a manifest.tsv, a Kaldi data directory, or a
                       folder of speaker folders
  --download DIR       fetch VCTK 0.92 (11 GB) into DIR and use that
  --mic MIC            mic1 or mic2 of VCTK 0.92 (default: $mic)
  --labels DIR         phone labels (.lab or .phn), where the corpus has none of its own
  --skip-bad BOOL      carry on past bad utterances and count them (default: $skip_bad)
  --prepare-args ARGS  further flags of vqspeech-prepare, such as '--allow-pipes'
  --train-config FILE  the model and its training (default: $train_config; see recipes/vctk/conf)
  --bottleneck NAME    what stands between encoder and decoder, instead of the configuration's: vq, nsvq, soft_em,
                       gumbel, nvil, vimco, fsq, rvq, or without discrete units vae, ae (see docs/bottlenecks.md)
  --train-args ARGS    further flags of vqspeech-train, such as '--training.max_minutes 5'
  --evaluate-args ARGS further flags of vqspeech-evaluate, such as '--copies 100'
  --no-codes-steps N   steps of the same decoder trained without codes, at most the model's (default: $no_codes_steps)
  --ngpu N             GPUs to train on (default: $ngpu)
  --nj N               jobs at once (default: $nj)
  --expdir DIR         where models, logs and results go (default: recipes/vctk/$expdir)
  --stage N            first stage (default: $stage): 0 miniature, 1 prepare, 2 train, 3 train without codes,
  --stop-stage N       last stage (default: $stop_stage)   4 units, 5 copies and conversions, 6 evaluate, 7 results, on a page
  --config FILE        options as shell variables, such as nj=8
  --help               this text

Environment variables:
  VQSPEECH_MINIATURE_SPEAKERS, VQSPEECH_MINIATURE_SENTENCES   size of the miniature (default: 10, 40)
  VQSPEECH_TRAIN_ARGS, VQSPEECH_EVALUATE_ARGS                 behind --train-args, --evaluate-args
  VQSPEECH_VENV, VQSPEECH_PYTHON, VQSPEECH_TORCH_INDEX        see recipes/utils/setup_env.sh"

recipe=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
command="bash recipes/vctk/run.sh$([ $# -eq 0 ] || printf ' %q' "$@")"
for variable in VQSPEECH_{EVALUATE_ARGS,TRAIN_ARGS,MINIATURE_SENTENCES,MINIATURE_SPEAKERS}; do
  [ -z "${!variable:-}" ] || command="$variable=$(printf %q "${!variable}") $command"
done
. "$recipe/../utils/parse_options.sh"
set -euo pipefail
[ $# -eq 0 ] || option_error "options only, not '$1'"

absolute() { [[ -z $1 || $1 == /* ]] && echo "$1" || echo "$PWD/$1"; }
corpus=$(absolute "${corpus%/}")
download=$(absolute "${download%/}")
labels=$(absolute "$labels")
[ "$expdir" = exp ] || expdir=$(absolute "$expdir")
[ ! -e "$train_config" ] || train_config=$(absolute "$train_config")
[ -z "$corpus" ] || [ -z "$download" ] || option_error "either --corpus or --download"
if [ -n "$corpus" ]; then
  [ -d "$corpus" ] || option_error "no folder --corpus $corpus"
  corpus=$(cd "$corpus" && pwd) # its name is the last part, even of '..'
fi

[[ $bottleneck == @(|vq|nsvq|soft_em|gumbel|nvil|vimco|fsq|rvq|vae|ae) ]] ||
  option_error "no --bottleneck $bottleneck: see --help"

cd "$recipe"
[ -r "$train_config" ] || option_error "no file --train-config $train_config"
. ./path.sh
. ./cmd.sh
. ../utils/stages.sh

# What is made lies in data/NAME, dump/NAME and exp/NAME_CONFIG.
if [ -n "$corpus" ]; then
  name=$(basename "$corpus")
  source=(--corpus "$corpus")
elif [ -n "$download" ]; then
  name=VCTK-0.92
  source=(--download "$download")
else
  name=miniature
  source=(--corpus downloads/miniature)
fi
name=${name//[^A-Za-z0-9._-]/_}
data=data/$name
dump=dump/$name
exp=$expdir/${name}_$(basename "$train_config" .yaml)${bottleneck:+_$bottleneck}
no_codes=${exp}_no-codes
for made in "$data" "$dump"; do
  [ ! "$corpus" -ef "$made" ] || option_error "--corpus $corpus lies where this recipe puts what it makes of a corpus"
done

size=(--speakers "${VQSPEECH_MINIATURE_SPEAKERS:-10}" --sentences "${VQSPEECH_MINIATURE_SENTENCES:-40}")
skip=$([ "$skip_bad" = false ] || echo --skip-bad)
# shellcheck disable=SC2206 # words are wanted
prepare_flags=("${source[@]}" --mic "$mic" ${labels:+--labels "$labels"} $prepare_args)
train_flags=(--accelerator cpu)
[ "$ngpu" = 0 ] || train_flags=(--accelerator cuda --devices "$ngpu")
# shellcheck disable=SC2206
train_flags+=(${bottleneck:+--model.bottleneck.name "$bottleneck"} $train_args ${VQSPEECH_TRAIN_ARGS:-})

make_miniature() {
  rm -rf downloads/miniature "$marker.done"
  $train_cmd "$exp/log/miniature.log" local/make_miniature.py downloads/miniature "${size[@]}" --nj "$nj"
}

prepare() {
  $continuing || rm -rf "$data" "$dump" "$marker.done"
  set -- vqspeech-prepare "${prepare_flags[@]}" --data "$data" --dump "$dump" ${skip:+"$skip"}
  # A corpus that has to be fetched first is one job's.
  [ -n "$download" ] || $train_cmd JOB=1:"$nj" "$exp/log/prepare.JOB.log" "$@" --part "JOB/$nj"
  $train_cmd "$exp/log/prepare.log" "$@" --nj "$nj"
  # What vqspeech-prepare says after its progress: the counts of each split, and notes.
  sed -e '1,/^prepare: .* in [0-9.]* s$/d' -e '/^#/d' "$exp/log/prepare.log"
}

train() { # <model folder> [<flag> ...]
  local model=$1
  shift
  # A job that the cluster begins anew goes on, too.
  if $continuing || [ ! -e "$model/model.safetensors" ]; then
    set -- --resume "$@"
  fi
  $cuda_cmd --gpu "$ngpu" "$model/log/train.log" \
    vqspeech-train --config "$train_config" "${train_flags[@]}" --train "$data/train" --dev "$data/dev" \
    --out "$model" "$@"
}

train_without_codes() {
  local steps
  steps=$(sed -n 's/.*"step": \([0-9]*\).*/\1/p' "$exp/train/metrics.jsonl" | tail -n 1)
  # The same learning rates at every step as the model had, so that the codes are the only difference.
  train "$no_codes" --model.bottleneck.name none --training.max_minutes 0 --training.max_steps "$steps" \
    --training.stop_steps "$no_codes_steps"
}

extract_units() {
  local split
  for split in train dev test dev_unseen test_unseen; do
    [ -d "$data/$split" ] || continue
    set -- vqspeech-units --force --model "$exp" --data "$data/$split" --out "$exp/units/$split" ${skip:+"$skip"}
    $train_cmd JOB=1:"$nj" "$exp/log/units.$split.JOB.log" "$@" --part "JOB/$nj"
    $train_cmd "$exp/log/units.$split.log" "$@"
  done
}

# A few copies of held-out utterances by their own speakers, and the same few in two other voices.
decode() {
  local voices
  $continuing || rm -rf "$exp/wav"
  voices=$(vqspeech-convert --model "$exp" --list-speakers | sed -n 1,2p | paste -s -d , -)
  $train_cmd "$exp/log/decode.log" \
    vqspeech-decode --model "$exp" --units "$exp/units/test" --utterances 4 --out "$exp/wav" \
    --speaker "source,$voices" --data "$data/test"
}

evaluate() {
  local flags=(--model "$exp" --data "$data/test" --train-data "$data/train" --out "$exp/results")
  # shellcheck disable=SC2206
  flags+=(--command "$command" $evaluate_args ${VQSPEECH_EVALUATE_ARGS:-})
  [ ! -d "$data/test_unseen" ] || flags+=(--unseen "$data/test_unseen")
  [ ! -d "$data/test_parallel" ] || flags+=(--parallel "$data/test_parallel")
  [ ! -d "$no_codes/train" ] || flags+=(--no-codes "$no_codes")
  $train_cmd "$exp/log/evaluate.log" vqspeech-evaluate "${flags[@]}" ${skip:+"$skip"}
}

publish() {
  cp "$exp/results/results.json" "$expdir/RESULTS.json"
  cp "$exp/results/RESULTS.md" "$expdir/RESULTS.md"
  $train_cmd "$exp/log/report.log" vqspeech-report "$exp" --force
}

# A stage is done anew when what it depends on has changed. What is not there yet counts as nothing.
checksum() { cat "$@" 2>/dev/null | cksum || true; }

data_settings="${prepare_flags[*]}"
[ -n "$corpus$download" ] || data_settings+=" ${size[*]}"
train_settings="$data_settings ${train_flags[*]} $(cat "$train_config")"

lock "$exp"

# Hours of work are not for a script to overwrite.
if [ "$stage" -le 1 ] && { [ -d "$data" ] || [ -d "$dump" ]; } && ! was_begun "data/.$name" "$data_settings"; then
  log "$recipe/$data is of another corpus or was prepared with other settings, or by something else:" \
    "remove it and $recipe/$dump, or give the folder of this corpus another name" >&2
  exit 1
fi
for model in "$exp" "$no_codes"; do
  if [ "$stage" -le 3 ] && [ "$stop_stage" -ge 2 ] && [ -d "$model/train" ] &&
    ! was_begun "$model/.train" "$train_settings"; then
    log "$model was trained with other settings: remove it, or give another --expdir" >&2
    exit 1
  fi
done

if [ -z "$corpus$download" ]; then
  cat local/miniature.txt
  run_stage 0 "miniature corpus" downloads/.miniature "${size[*]}" make_miniature
fi
run_stage 1 "data directories" "data/.$name" "$data_settings" prepare
run_stage 2 "training" "$exp/.train" "$train_settings" train "$exp"
run_stage 3 "training without codes" "$no_codes/.train" "$train_settings" train_without_codes
model=$(checksum "$exp/model.safetensors" "$no_codes/model.safetensors")
if grep -qE '"name": "(vae|ae)"' "$exp/config.json" 2>/dev/null; then
  log "stages 4 and 5 are left out: the bottleneck has no discrete units"
else
  run_stage 4 "units" "$exp/.units" "$model" extract_units
  run_stage 5 "copies and conversions" "$exp/.decode" "$model" decode
fi
run_stage 6 "evaluation" "$exp/.evaluate" "$model $evaluate_args ${VQSPEECH_EVALUATE_ARGS:-}" evaluate
run_stage 7 "results" "$exp/.results" "$(checksum "$exp/results/results.json")" publish

if [ "$stop_stage" -ge 7 ]; then
  cat "$expdir/RESULTS.md"
  here=$(cd "$exp" && pwd)
  wavs=$here/wav
  [ -d "$wavs" ] || wavs=$here/results/wav
  # wav/VOICE/SPEAKER_NAME.wav is a conversion where the voice is not the speaker's own.
  wav=$(find "$wavs" -name '*.wav' | sort |
    grep -v -e /source/ -e /copy/ -e '/\([^/]*\)/\1[^/]*$' | sed -n 1p || true)
  [ ! -d "$here/units" ] || log "units: $here/units"
  log "converted voices: $here/wav and $here/results/wav"
  log "all of it on one page, to see and hear: $here/report.html"
  log "to hear one: ffplay -nodisp -autoexit '$wav'"
fi
