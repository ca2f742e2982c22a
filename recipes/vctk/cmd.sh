# shellcheck shell=bash
# Sourced in this folder: how jobs are run, as `$cmd [options] [JOB=1:N] LOG PROGRAM [ARGUMENT ...]`.
# On a Slurm cluster: train_cmd="../utils/run_job.py --cluster slurm --mem 8G --threads 4". Kaldi's run.pl, queue.pl and
# slurm.pl speak the same protocol.
export train_cmd=${train_cmd:-../utils/run_job.py}
export cuda_cmd=${cuda_cmd:-$train_cmd}
