# Screens as golden files: what a person sees, word for word, but for numbers that no two runs share. Sourced.
# shellcheck shell=bash

# numberless — ages, round trips, losses of moments, addresses of the lab's ports and paths of its folder as letters.
numberless() {
  sed -E -e "s|$W|WORK|g" \
    -e 's/[0-9]+ (s|m|h|d)( [0-9]+ (s|m|h))?( |$|:|,|;|\))/AGE\4/g' \
    -e 's/[0-9]+(\.[0-9]+)? ms/TIME/g' -e 's/loss [0-9]+(\.[0-9])? %/loss SHARE/g' -e 's/[0-9]+(\.[0-9])? %/SHARE/g' \
    -e 's/agent [0-9]+\.[0-9]+\.[0-9]+/agent VERSION/' -e 's/20[0-9]{2}-[0-9-]+T[0-9:.]+Z/DATE/g' \
    -e 's/[0-9]+ in a row/N in a row/g' \
    -e 's/((hub|gateway) [0-9.]+) (answers|is silent|has not answered)(,|$)/\1 ANSWER\4/g'
}
# golden NAME COMMAND... — what COMMAND prints is what the golden file has; else how it differs, and all that it prints.
golden() {
  local name=$1
  shift
  mkdir -p "$W/$(dirname "$name")"
  "$@" | numberless >"$W/$name.screen"
  # shellcheck disable=SC2154 # of scenario.bash
  diff "$tests/golden/$name.txt" "$W/$name.screen" || { sed 's/^/GOLDEN /' "$W/$name.screen"; return 1; }
}
