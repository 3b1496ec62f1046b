# What every scenario stands on: a folder of its own, checks, processes in namespaces, captures and flows. Sourced.
# shellcheck shell=bash
set -u
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin

tests=$(dirname "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")")
# shellcheck disable=SC2034 # what the files that source this one run
{
  backhaul=${BACKHAUL_BINARY:-$tests/../.build/lab/backhaul}
  flow=${BACKHAUL_FLOW:-$tests/../.build/lab/flow}
  simulate=${BACKHAUL_SIMULATE:-$tests/../.build/release/backhaul-simulate}
  serve=$tests/servers/serve
}
W=$(mktemp -d "${TMPDIR:-/tmp}/scenario.XXXXXX")
failures=0
declare -A processes=()

# --- words ----------------------------------------------------------------------------------------------------------

say() { printf '%s\n' "# $*"; }

# check WHAT COMMAND... — one claim. A claim that does not hold fails the scenario, which goes on to show the others.
check() {
  local what=$1
  shift
  if "$@" >"$W/check" 2>&1; then
    printf 'ok    %s\n' "$what"
  else
    printf 'FAIL  %s\n' "$what"
    sed 's/^/      | /' "$W/check" | tail -20
    failures=$((failures + 1))
  fi
}

# must WHAT COMMAND... — a claim without which the rest says nothing.
must() {
  local failures_before=$failures
  check "$@"
  [ "$failures" = "$failures_before" ] || exit 1
}

# is EXPECTED COMMAND... — what COMMAND prints is EXPECTED.
is() {
  local expected=$1 got
  shift
  got=$("$@" 2>&1)
  [ "$got" = "$expected" ] || { printf 'got:      %s\nexpected: %s\n' "$got" "$expected"; return 1; }
}

# soon SECONDS COMMAND... — COMMAND succeeds before SECONDS are over. It is tried again after longer and longer pauses: a guest
# has one CPU, and who asks without end takes it from what is waited for (hooks are nice, and waited 5 s for a turn).
soon() {
  local seconds=$1 begun=$EPOCHREALTIME pause=20
  shift
  until "$@" >"$W/soon" 2>&1; do
    if before "$(add "$begun" "$seconds")" "$EPOCHREALTIME"; then
      cat "$W/soon"
      echo "not within $seconds s: $*"
      return 1
    fi
    sleep "$(printf '0.%03d' "$pause")"
    pause=$((pause < 400 ? pause * 5 / 4 : 400))
  done
  cat "$W/soon"
}

not() { ! "$@"; }

# --- numbers: bash has whole ones only, so seconds are handled as microseconds ---------------------------------------

microseconds() {
  local whole=${1%.*} part=0
  [ "$whole" = "$1" ] || part=${1#*.}000000
  echo $((10#$whole * 1000000 + 10#${part:0:6}))
}
add() { local sum=$(($(microseconds "$1") + $(microseconds "$2"))); printf '%d.%06d\n' $((sum / 1000000)) $((sum % 1000000)); }
before() { [ "$(microseconds "$1")" -lt "$(microseconds "$2")" ]; }
at_most() { before "$1" "$(add "$2" 0.000001)" || { echo "$1 is more than $2"; return 1; }; }
at_least() { at_most "$2" "$1" || { echo "$1 is less than $2"; return 1; }; }
milliseconds_since() { echo $((($(microseconds "$EPOCHREALTIME") - $(microseconds "$1")) / 1000)); }
# A pause of FROM to TO milliseconds: no cut may fall into step with the probes.
random_pause() {
  local milliseconds=$(($1 + RANDOM % ($2 - $1)))
  sleep "$(printf '%d.%03d' $((milliseconds / 1000)) $((milliseconds % 1000)))"
}

# --- namespaces and processes ----------------------------------------------------------------------------------------

on() { ip netns exec "$@"; }

# start NAME NAMESPACE COMMAND... — in the background; its output goes to a log of that name.
start() {
  local name=$1 namespace=$2
  shift 2
  ip netns exec "$namespace" "$@" >>"$W/$name.log" 2>&1 &
  processes[$name]=$!
}

running() { [ -n "${processes[$1]:-}" ] && kill -0 "${processes[$1]}" 2>/dev/null; }

# stop NAME [SIGNAL] — and waits until it has ended; status is the process's own.
stop() {
  local process=${processes[$1]:-}
  [ -n "$process" ] || return 0
  unset "processes[$1]"
  kill "-${2:-TERM}" "$process" 2>/dev/null
  wait "$process" 2>/dev/null
}

# --- captures --------------------------------------------------------------------------------------------------------

# capture NAME NAMESPACE DEVICE FILTER — begins to capture; returns when every packet from now on is seen.
capture() {
  local name=$1 namespace=$2 device=$3
  shift 3
  : >"$W/$name.capture.log"
  ip netns exec "$namespace" tcpdump --immediate-mode -nni "$device" -U -s 128 -w "$W/$name.pcap" "$@" \
    >>"$W/$name.capture.log" 2>&1 &
  processes[capture-$name]=$!
  soon 10 grep -q 'listening on' "$W/$name.capture.log"
}

# captured NAME [FILTER] — ends the capture if it still runs, and prints its packets.
captured() {
  local name=$1
  shift
  if [ -n "${processes[capture-$name]:-}" ]; then sleep 0.1; stop "capture-$name" INT; fi
  tcpdump -nnvr "$W/$name.pcap" "$@" 2>/dev/null
}

count_captured() { captured "$@" | grep -c '^[0-9][0-9]:'; }
saw() { [ "$(count_captured "$@")" -gt 0 ] || { echo "no packet like this: $*"; captured "$1" | head -10; return 1; }; }
saw_none() { [ "$(count_captured "$@")" = 0 ] || { echo "$(count_captured "$@") packets:"; captured "$@" | head -10; return 1; }; }

# --- the end ---------------------------------------------------------------------------------------------------------

finish() {
  local status=$? name
  trap - EXIT
  if [ "$status" != 0 ] || [ "$failures" != 0 ]; then show_logs; fi
  for name in "${!processes[@]}"; do stop "$name" KILL; done
  declare -F take_down >/dev/null && take_down
  rm -rf "$W"
  if [ "$failures" != 0 ] || [ "$status" != 0 ]; then exit 1; fi
  exit 0
}

show_logs() {
  local log
  for log in "$W"/*.log; do
    [ -s "$log" ] || continue
    echo "--- ${log##*/}"
    tail -n 60 "$log"
  done
}

trap finish EXIT
