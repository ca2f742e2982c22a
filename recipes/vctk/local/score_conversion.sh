#!/usr/bin/env bash
# shellcheck source-path=SCRIPTDIR/..
# What conversion is worth: balanced conversions of held-out speech, by every judge and beside baselines. See --help.

model=
data=data/miniature
expdir=exp/conversion
targets=
conversions=200
parallel=60
decode_args=
stage=0
stop_stage=2

help_message="Usage: bash recipes/vctk/local/score_conversion.sh [options]

Converts held-out utterances of data directories that recipes/vctk/run.sh has prepared (--stop-stage 1), and judges them:
words, speakers, naturalness, pitch, and distortion where the target reads the text too, beside WORLD, the untouched
sources, copy-synthesis and mu-law copies. To each target as many are converted, by turns of speakers that the model knows
and of others, of its gender and of the other. A judge that is not installed is named (recipes/utils/fetch_judges.sh). A
run that was interrupted goes on where it stopped. Folders are relative to recipes/vctk.

  --model DIR          (default: \$VQSPEECH_MODEL, else the model in the package)
  --data DIR           with train, test and, where there are such, test_unseen and dev_unseen (default: $data)
  --expdir DIR         for wav, score_conversion.json and score_conversion.md (default: $expdir)
  --targets NAMES      parted by commas, or all (default: those of p225,p226,p227,p228,bdl,slt,kathleen that the model
                       knows; all of a model that knows none of them)
  --conversions N      at least so many, where the data have them (default: $conversions)
  --parallel N         at most so many more of texts that the target reads too, for the distortion (default: $parallel)
  --decode-args ARGS   further flags of vqspeech-decode, such as '--temperature 0.7' or '--sampler cuda-graph'
  --stage N            first stage (default: $stage): 0 choice, 1 conversion, 2 judges
  --stop-stage N       last stage (default: $stop_stage)"

recipe=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
command="bash recipes/vctk/local/score_conversion.sh$([ $# -eq 0 ] || printf ' %q' "$@")"
. "$recipe/../utils/parse_options.sh"
set -euo pipefail
[ $# -eq 0 ] || option_error "options only, not '$1'"
cd "$recipe"
for split in train test; do
  [ -d "$data/$split" ] || option_error "no folder $data/$split in $recipe: prepare it with run.sh --stop-stage 1"
done
. ./path.sh
. ./cmd.sh
. ../utils/stages.sh

held_out=()
for split in test test_unseen dev_unseen; do
  [ ! -d "$data/$split" ] || held_out+=("$data/$split")
done
model=${model:-$(python -c 'from vqspeech.lookup import look_up; print(look_up(None) or "")')}
[ -f "$model/model.safetensors" ] || option_error "no model ${model:-named, and none comes with this vqspeech}: give --model"

choose() {
  rm -rf "$expdir/sources"
  $train_cmd "$expdir/log/choose.log" \
    python -m vqspeech.evaluation.trials --model "$model" --data "${held_out[@]}" --train-data "$data/train" \
    ${targets:+--targets "$targets"} --conversions "$conversions" --parallel "$parallel" --out "$expdir"
}

decode() { # <voice> <list of utterances>
  # shellcheck disable=SC2086 # words are wanted
  $train_cmd "$expdir/log/decode.$1.log" \
    vqspeech-decode --model "$model" --units "$expdir/units" --data "$expdir/sources" --speaker "$1" --utterances "$2" \
    --out "$expdir/wav" $decode_args
}

convert() {
  local target voices list=$expdir/wav/.utterances
  $continuing || rm -rf "$expdir/units" "$expdir/wav"
  mkdir -p "$expdir/wav"
  $train_cmd "$expdir/log/units.log" \
    vqspeech-units --force --model "$model" --data "$expdir/sources" --out "$expdir/units"
  voices=$(cut -d ' ' -f 2 "$expdir/trials" "$expdir/parallel" | sort -u)
  for target in $voices; do
    awk -v target="$target" '$2 == target { print $1 }' "$expdir/trials" "$expdir/parallel" | sort -u >"$list"
    decode "$target" "$list"
  done
  [ ! -s "$expdir/copies" ] || decode source "$expdir/copies"
}

judge() {
  $train_cmd "$expdir/log/judge.log" \
    python -m vqspeech.evaluation.conversions "$expdir" --model "$model" --train-data "$data/train" --command "$command"
}

settings="$(cksum <"$model/model.safetensors") $data $(cat "${held_out[@]/%//wav.scp}" | cksum)"
settings+=" $targets $conversions $parallel $decode_args"
if [ -n "$(ls "$expdir" 2>/dev/null)" ] && ! was_begun "$expdir/.choice" "$settings"; then
  log "$expdir was made with other settings, or by something else: remove it, or give another --expdir" >&2
  exit 1
fi
lock "$expdir"
run_stage 0 "choice" "$expdir/.choice" "$settings" choose
run_stage 1 "conversion" "$expdir/.conversion" "$settings" convert
run_stage 2 "judges" "$expdir/.judges" "$settings" judge
[ "$stop_stage" -lt 2 ] || cat "$expdir/score_conversion.md"
