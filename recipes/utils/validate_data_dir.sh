#!/usr/bin/env bash
# Check a Kaldi data directory: `validate_data_dir.sh data/train`. The first fault is named by file, line and reason.
set -euo pipefail
PATH="$(bash "$(dirname "${BASH_SOURCE[0]}")/setup_env.sh"):$PATH"
exec python -m vqspeech.data.kaldi "$@"
