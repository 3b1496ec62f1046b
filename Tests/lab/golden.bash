# Screens as golden files: what a person sees, word for word, except for numbers that differ between runs. Sourced.
# shellcheck shell=bash
# shellcheck disable=SC2154 # of scenario.bash

# numberless — replaces ages, round trips, momentary losses, versions, charon's current request, and paths in the lab's folder
# by letters. It leaves out what a path measured before it went down, which is forgotten after some probes, and what a rule
# says about missing keys: the verdict may come before charon's reason, which the path's own line shows in any case.
numberless() {
  sed -E -e "s|$W|WORK|g" \
    -e 's/[0-9]+ (s|m|h|d)( [0-9]+ (s|m|h))?( |$|:|,|;|\))/AGE\4/g' \
    -e 's/[0-9]+(\.[0-9]+)? ms/TIME/g' -e 's/loss [0-9]+(\.[0-9])? %/loss SHARE/g' -e 's/[0-9]+(\.[0-9])? %/SHARE/g' \
    -e 's/agent [0-9]+\.[0-9]+\.[0-9]+/agent VERSION/' -e 's/20[0-9]{2}-[0-9-]+T[0-9:.]+Z/DATE/g' \
    -e 's/[0-9]+ in a row/N in a row/g' -e 's/(charon-systemd) [0-9.]+/\1 VERSION/' \
    -e 's/([a-z]+ to charon|[a-z-]+): vici [a-z-]+ at WORK/COMMAND: vici COMMAND at WORK/' \
    -e '/^rule /s/; (no SA|charon does not answer).*//' \
    -e 's/^(path [^:]+: down for AGE on [^,: ]+), TIME, loss SHARE/\1/'
}
# golden NAME COMMAND... — COMMAND prints what the golden file has; if not, shows the difference and all that it prints.
golden() {
  local name=$1
  shift
  mkdir -p "$W/$(dirname "$name")"
  "$@" | numberless >"$W/$name.screen"
  diff "$tests/golden/$name.txt" "$W/$name.screen" || { sed 's/^/GOLDEN /' "$W/$name.screen"; return 1; }
}
# technician [WORD...] — asks for the status as a person would, through WORD... if that person is not root: prints both
# outputs, and the exit status if it is not 0. `patience` is how long the question waits for an answer, in seconds.
technician() {
  local got=0
  on edge "$@" "$backhaul" status --socket "$W/agent.sock" --timeout "${patience:-5}" 2>&1 || got=$?
  [ $got = 0 ] || echo "exit status $got"
}
# screen NAME [WORD...] — a technician sees the golden file of that name, once everything that is pinged has answered. After
# one has failed, the others are waited for less long, so that all are shown.
screen() { check "the screen: $1" soon $((failures ? 12 : 30)) golden "status/$1" technician "${@:2}"; }
