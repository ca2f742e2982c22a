# shellcheck shell=bash
# Sourced in this folder: vqspeech's programs come first on the PATH, their environment being made when there is none.
PATH="$(bash ../utils/setup_env.sh):$PATH"
export PATH
