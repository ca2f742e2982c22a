# shellcheck shell=bash
# Sourced after a script has set its defaults: `--some-name value` sets $some_name, which must have a default.
#   - where the default is true or false, or a whole number, the value has to be one too
#   - `--config FILE` is sourced first, so that the command line has the last word
#   - `--help` prints $help_message; an option that has no default is refused (exit 2)
#   - parsing stops at the first argument that is no option, or after `--`; the rest stays in "$@"

option_error() {
  echo "${0##*/}: $* (see --help)" >&2
  exit 2
}

set_option() { # <name> <value>
  local variable=${1//-/_}
  [[ $1 =~ ^[a-z][a-z0-9-]*$ && -n ${!variable+set} ]] || option_error "unknown option --$1"
  if [[ ${!variable} =~ ^(true|false)$ && ! $2 =~ ^(true|false)$ ]]; then
    option_error "--$1 is true or false, not '$2'"
  fi
  if [[ ${!variable} =~ ^[0-9]+$ && ! $2 =~ ^[0-9]+$ ]]; then
    option_error "--$1 is a whole number, not '$2'"
  fi
  printf -v "$variable" '%s' "$2"
}

for ((i = 1; i < $#; i++)); do
  if [ "${!i}" = --config ]; then
    ((++i))
    [ -r "${!i}" ] || option_error "cannot read --config ${!i}"
    # shellcheck source=/dev/null
    . "$(cd "$(dirname "${!i}")" && pwd)/$(basename "${!i}")"
  fi
done
unset i

while [ $# -gt 0 ]; do
  case $1 in
    --help | -h)
      printf '%s\n' "${help_message:-no help has been written}"
      exit 0
      ;;
    --)
      shift
      break
      ;;
    --*=*) option_error "write '${1%%=*} ${1#*=}' for '$1'" ;;
    --*)
      [ $# -ge 2 ] || option_error "$1 needs a value"
      [ "$1" = --config ] || set_option "${1#--}" "$2"
      shift 2
      ;;
    *) break ;;
  esac
done
