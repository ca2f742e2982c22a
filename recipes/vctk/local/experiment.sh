# shellcheck shell=bash
# shellcheck source-path=SCRIPTDIR/..
# shellcheck disable=SC2034,SC2154 # the caller has set $data and $train_config, and run_stage wants $stage, $stop_stage
# Sourced by the experiments of this folder once they have set their defaults and $help_message.

recipe=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
. "$recipe/../utils/parse_options.sh"
set -euo pipefail
[ $# -eq 0 ] || option_error "options only, not '$1'"
cd "$recipe"
[ -d "$data/train" ] || option_error "no folder $data/train in $recipe: prepare it with run.sh --stop-stage 1"
[ -r "$train_config" ] || option_error "no file --train-config $train_config"
. ./path.sh
. ./cmd.sh
stage=0 stop_stage=0
. ../utils/stages.sh

# Run <command> for <model folder> unless that is done; one that was made with other <settings> is not touched.
experiment() { # <title> <model folder> <settings> <command> [<argument> ...]
  local title=$1 model=$2 settings=$3
  shift 3
  if was_begun_otherwise "$model/.experiment" "$settings"; then
    log "$model was made with other settings: remove it, or give another --expdir" >&2
    exit 1
  fi
  run_stage 0 "$title" "$model/.experiment" "$settings" "$@"
}

# Train on CPU with $train_config into <model folder>.
train() { # <model folder> <flag> ...
  local model=$1
  shift
  ! $continuing || set -- "$@" --resume
  $train_cmd "$model/log/train.log" \
    vqspeech-train --config "$train_config" --train "$data/train" --dev "$data/dev" --out "$model" --accelerator cpu "$@"
}
