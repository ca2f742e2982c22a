# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # $continuing is for the caller, who has set $stage and $stop_stage
# Sourced by a run.sh.

log() { echo "$(date +%H:%M:%S) $*"; }

# Keep other runs out of <folder> until this one and the jobs it started have ended, however they end.
lock() { # <folder>
  mkdir -p "$1"
  exec 9>>"$1/.lock"
  if ! python3 -c 'import fcntl; fcntl.flock(9, fcntl.LOCK_EX | fcntl.LOCK_NB)' 2>/dev/null; then
    log "$1: in use by $(cat "$1/.lock") or a job it started; wait until it has ended, or give another --expdir" >&2
    exit 1
  fi
  echo "process $$ on $(uname -n)" >"$1/.lock"
}

# True when <file> holds just these <settings>.
holds() { # <file> <settings>
  [ -f "$1" ] && [ "$(cat "$1")" = "$2" ]
}

# True when the stage of <marker> was begun with these <settings>, and perhaps ended.
was_begun() { # <marker> <settings>
  holds "$1.begun" "$2" || holds "$1.done" "$2"
}

# True when the stage of <marker> was begun with other <settings> alone.
was_begun_otherwise() { # <marker> <settings>
  [ -f "$1.begun" ] || [ -f "$1.done" ] || return
  ! was_begun "$1" "$2"
}

# Run <command> when stage <number> is asked for and <marker> does not say that it ended well with these <settings>.
# <command> finds $continuing true when it was begun with the same settings before, and interrupted; one that destroys
# what an earlier run made removes $marker.done with it.
run_stage() { # <number> <title> <marker> <settings> <command> [<argument> ...]
  local number=$1 title=$2 marker=$3 settings=$4
  shift 4
  [ "$number" -ge "$stage" ] && [ "$number" -le "$stop_stage" ] || return 0
  if holds "$marker.done" "$settings"; then
    log "stage $number, $title: done already (remove $marker.done to do it again)"
    return
  fi
  log "stage $number, $title"
  running="stage $number, $title"
  continuing=false
  ! holds "$marker.begun" "$settings" || continuing=true
  mkdir -p "$(dirname "$marker")"
  # Whole or not at all: without its settings the next run could not know it.
  $continuing || { printf '%s\n' "$settings" >"$marker.begin" && mv "$marker.begin" "$marker.begun"; }
  # A plain statement, so that the caller's `set -e` ends the run when anything in <command> fails.
  "$@"
  mv "$marker.begun" "$marker.done"
  running=
}

# A run that a signal ends takes the job it started with it, which saves what it can.
stop() {
  [ -z "${running:-}" ] && return
  log "stopped in $running; the same command goes on from there" >&2
  pkill -TERM -P $$ || true
}
trap stop EXIT
