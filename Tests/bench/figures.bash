# Figures: what times, and small statistics. Sourced after the lab's files.
# shellcheck shell=bash

# shellcheck disable=SC2034
stopwatch=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/stopwatch.py

# need WHAT COMMAND... — without which nothing can be measured. Says nothing where it holds.
need() {
  local what=$1
  shift
  "$@" >"$W/check" 2>&1 || { echo "could not measure: not so: $what"; cat "$W/check"; exit 1; }
}

# statistics LABEL UNIT FILE — of the numbers in a file, one on each line.
statistics() {
  jq -rs --arg name "$1" --arg unit "$2" 'sort | def at(p): .[[((length * p) | ceil) - 1, 0] | max];
    def shown: . * 100 | round / 100;
    if length == 0 then "\($name): nothing measured" else
    "\($name | .[0:30] | . + " " * (30 - length)) n \(length)  min \(.[0] | shown)  median \(at(0.5) | shown)  " +
    "p99 \(at(0.99) | shown)  max \(.[-1] | shown) \($unit)" end' "$3"
  [ -s "$3" ]
}
median() { jq -s 'sort | .[(length - 1) / 2 | floor]' "$1"; }
# ratio LABEL FILE FILE — of the medians.
ratio() { printf '%-30s %s\n' "$1" "$(jq -n "$(median "$2") / $(median "$3") * 1000 | round / 1000")"; }
maximum() { jq -s max "$1"; }
# ratio_of_maxima LABEL FILE FILE
ratio_of_maxima() { printf '%-30s %s\n' "$1" "$(jq -n "$(maximum "$2") / $(maximum "$3") * 1000 | round / 1000")"; }
