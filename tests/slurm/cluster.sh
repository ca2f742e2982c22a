#!/usr/bin/env bash
# A Slurm cluster on this host, for tests: a controller and two nodes, n1 and n2, of one processor each, under loopback.
#
#   cluster.sh install        Debian's packages; as root, as all of this
#   cluster.sh start DIR      everything it writes lies in DIR; use it with SLURM_CONF=DIR/slurm.conf
#   cluster.sh node DIR NODE  start the node again, when its slurmd has been killed
#   cluster.sh stop DIR
set -euo pipefail

usage() {
  sed -n '2,7s/^# \{0,1\}//p' "$0" >&2
  exit 2
}

configure() {
  local host
  host=$(hostname -s)
  mkdir -p "$dir/state"
  cat >"$dir/slurm.conf" <<END
ClusterName=vqspeech
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=16817
SlurmUser=root
AuthType=auth/munge
# A job that is queued again waits for its credential to run out first.
AuthInfo=socket=$dir/munge.socket,cred_expire=5
StateSaveLocation=$dir/state
SlurmctldPidFile=$dir/slurmctld.pid
SlurmctldLogFile=$dir/slurmctld.log
SlurmdSpoolDir=$dir/spool.%n
SlurmdPidFile=$dir/slurmd.%n.pid
SlurmdLogFile=$dir/slurmd.%n.log
# As little as a container allows: no cgroups, no accounting, no MPI.
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SlurmdParameters=config_overrides
ReturnToService=2
# Seconds: a lost node is noticed, a job that will not end is killed.
SlurmdTimeout=10
KillWait=10
NodeName=n1 NodeHostname=$host NodeAddr=127.0.0.1 Port=16818 CPUs=1
NodeName=n2 NodeHostname=$host NodeAddr=127.0.0.1 Port=16819 CPUs=1
PartitionName=all Nodes=n1,n2 Default=YES MaxTime=INFINITE
END
}

start() {
  local node
  mkdir -p "$dir"
  chmod 755 "$dir"
  configure
  dd if=/dev/urandom of="$dir/munge.key" bs=128 count=1 status=none
  chmod 600 "$dir/munge.key"
  # --force: a folder of a test may lie anywhere.
  munged --force --key-file="$dir/munge.key" --socket="$dir/munge.socket" --pid-file="$dir/munged.pid" \
    --log-file="$dir/munged.log" --seed-file="$dir/munge.seed" 2>"$dir/munged.err"
  slurmctld
  for node in n1 n2; do
    slurmd -N "$node"
  done
  wait_until all_idle || {
    echo "cluster.sh: the nodes did not come up; see $dir/*.log" >&2
    stop
    exit 1
  }
}

# Wait for as many seconds as KillWait, and some more.
wait_until() { # <command> [<argument> ...]
  for _ in {1..60}; do
    ! "$@" 2>/dev/null || return 0
    sleep 0.25
  done
  return 1
}

all_idle() { [ "$(sinfo --noheader --Node --format='%N %T')" = $'n1 idle\nn2 idle' ]; }
no_jobs() { [ -z "$(squeue --noheader)" ]; }
ended() { ! kill -0 "$1"; }

stop() {
  local file process
  scancel --me 2>/dev/null || true
  wait_until no_jobs || true
  for file in "$dir"/slurmd.*.pid "$dir"/slurmctld.pid "$dir"/munged.pid; do
    [ -s "$file" ] || continue
    process=$(cat "$file")
    kill "$process" 2>/dev/null || true
    wait_until ended "$process" || kill -KILL "$process"
  done
}

[ $# -ge 1 ] || usage
if [ "$1" = install ]; then
  apt-get update
  DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends slurm-wlm munge
  exit
fi
[ $# -ge 2 ] || usage
mkdir -p "$2"
dir=$(cd "$2" && pwd)
export SLURM_CONF=$dir/slurm.conf
case $1 in
  start) start ;;
  node) slurmd -N "${3:?which node}" ;;
  stop) stop ;;
  *) usage ;;
esac
