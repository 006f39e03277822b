# Checks in TAP for the command line of the bench: to be sourced. $work is a folder of the script's own.
work=$(mktemp -d) || exit 99
trap 'rm -rf "$work"' EXIT
number=0

check() { # what, then a command that must succeed
  number=$((number + 1))
  what=$1
  shift
  if "$@" > "$work/out" 2> "$work/err"; then
    echo "ok $number - $what"
  else
    echo "not ok $number - $what"
    touch "$work/out2"
    sed 's/^/# /' "$work/out" "$work/err" "$work/out2"
  fi
}
fails() { # message, then a command that must fail with it
  message=$1
  shift
  if "$@" > "$work/out2" 2>&1; then return 1; fi
  grep -q -e "$message" "$work/out2"
}
