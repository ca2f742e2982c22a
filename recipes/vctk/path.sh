# shellcheck shell=bash
# Sourced in this folder: vqspeech's programs come first on the PATH, their environment being made when there is none.
PATH="$(bash ../utils/setup_env.sh):$PATH"
# A thread that waits gives up its core: beside any other work, spinning threads made training 16 times as slow.
export PATH OMP_WAIT_POLICY=${OMP_WAIT_POLICY:-passive}
