#!/usr/bin/env bash
# Print the folder that holds vqspeech's programs, making the environment first when there is none:
#
#   PATH="$(bash recipes/utils/setup_env.sh):$PATH"
#
# An active environment that has vqspeech is left alone. Otherwise .venv at the repository root is used, made with
# plain pip, and brought up to date when pyproject.toml or constraints.txt changed. Messages go to stderr.
#
#   VQSPEECH_VENV         another place for the environment
#   VQSPEECH_PYTHON       the Python to make it with (default: the first that is 3.11 or newer)
#   VQSPEECH_TORCH_INDEX  pip's index for torch, such as https://download.pytorch.org/whl/cpu for one without CUDA
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
venv=${VQSPEECH_VENV:-$root/.venv}
stamp=$venv/.vqspeech

say() { echo "setup_env: $*" >&2; }

fits() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }
makes_environments() { "$1" -c 'import ensurepip, venv' 2>/dev/null; }

find_python() {
  local python bare='' candidates=(python3.11 python3.12 python3.13 python3)
  [ -z "${VQSPEECH_PYTHON:-}" ] || candidates=("$VQSPEECH_PYTHON")
  for python in "${candidates[@]}"; do
    fits "$python" || continue
    makes_environments "$python" && echo "$python" && return
    bare=${bare:-$python}
  done
  if [ -n "$bare" ]; then
    say "$bare has no venv module; on Debian and Ubuntu: apt-get install ${bare##*/}-venv"
  else
    say "no Python 3.11 or newer among: ${candidates[*]}; install one, or name it: VQSPEECH_PYTHON=/path/to/python3"
  fi
  return 1
}

install() {
  "$venv/bin/python" -m pip install --disable-pip-version-check --constraint constraints.txt "$@" >&2
}

active=$(command -v vqspeech-train || true)
if [ -n "$active" ] && [ "${active%/*}" != "$venv/bin" ]; then
  echo "${active%/*}"
  exit
fi

cd "$root"
wanted=$(echo "$root" && cat pyproject.toml constraints.txt)
if [ ! -f "$stamp" ] || [ "$(cat "$stamp")" != "$wanted" ]; then
  if ! "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
    python=$(find_python)
    say "making $venv with $python: PyTorch with CUDA is about 5 GB (without: see VQSPEECH_TORCH_INDEX)"
    "$python" -m venv --clear "$venv" >&2
  else
    say "bringing $venv up to date"
    export PIP_QUIET=1
  fi
  export PIP_BUILD_CONSTRAINT=constraints.txt
  if [ -n "${VQSPEECH_TORCH_INDEX:-}" ]; then
    install --index-url "$VQSPEECH_TORCH_INDEX" torch torchaudio
  fi
  install --editable '.[dev]'
  printf '%s\n' "$wanted" >"$stamp"
fi
echo "$venv/bin"
