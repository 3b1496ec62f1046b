# The base of every scenario: a folder of its own, checks, processes in namespaces, captures and flows. Sourced.
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
mkfifo "$W/silence"
failures=0
declare -A processes=()

# --- words ----------------------------------------------------------------------------------------------------------

say() { printf '%s\n' "# $*"; }

# check WHAT COMMAND... — one claim. If it does not hold, the scenario fails but goes on to show the others.
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

# must WHAT COMMAND... — a claim without which the rest would prove nothing.
must() {
  local failures_before=$failures
  check "$@"
  [ "$failures" = "$failures_before" ] || exit 1
}

# is EXPECTED COMMAND... — COMMAND prints EXPECTED.
is() {
  local expected=$1 got
  shift
  got=$("$@" 2>&1)
  [ "$got" = "$expected" ] || { printf 'got:      %s\nexpected: %s\n' "$got" "$expected"; return 1; }
}

# soon SECONDS COMMAND... — COMMAND succeeds within SECONDS. After each try it rests for four times as long as the try took,
# because constant polling would slow down what it waits for. On a busy machine a second is as long as two tries take, up to
# four seconds.
soon() {
  local limit=$(($1 * 1000000)) begun=${EPOCHREALTIME/./} looks=0 look now rest
  shift
  while look=${EPOCHREALTIME/./}; ! "$@" >"$W/soon" 2>&1; do
    now=${EPOCHREALTIME/./} looks=$((looks + 1)) rest=$(((now - look) * 4))
    if [ $((now - begun)) -ge $limit ] && { [ $((looks * 500000)) -ge $limit ] || [ $((now - begun)) -ge $((limit * 4)) ]; }; then
      cat "$W/soon"
      echo "not within $((limit / 1000000)) s: $*"
      return 1
    fi
    printf -v rest '0.%06d' $((rest < 20000 ? 20000 : rest > 400000 ? 400000 : rest))
    # Nobody ever writes there, and `sleep` would be a process more.
    read -rt "$rest" <>"$W/silence"
  done
  cat "$W/soon"
}

not() { ! "$@"; }

# --- numbers: bash only has integers, so seconds are handled as microseconds ----------------------------------------

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
# A random pause of FROM to TO milliseconds, so that cuts do not fall into step with the probes.
random_pause() {
  local milliseconds=$(($1 + RANDOM % ($2 - $1)))
  sleep "$(printf '%d.%03d' $((milliseconds / 1000)) $((milliseconds % 1000)))"
}

# --- namespaces and processes ----------------------------------------------------------------------------------------

on() { ip netns exec "$@"; }

# start NAME NAMESPACE COMMAND... — runs it in the background; its output goes to a log of that name.
start() {
  local name=$1 namespace=$2
  shift 2
  ip netns exec "$namespace" "$@" >>"$W/$name.log" 2>&1 &
  processes[$name]=$!
}

running() { [ -n "${processes[$1]:-}" ] && kill -0 "${processes[$1]}" 2>/dev/null; }

# stop NAME [SIGNAL] — signals it and waits until it has ended; returns the process's own status.
stop() {
  local process=${processes[$1]:-}
  [ -n "$process" ] || return 0
  unset "processes[$1]"
  kill "-${2:-TERM}" "$process" 2>/dev/null
  wait "$process" 2>/dev/null
}

# --- captures --------------------------------------------------------------------------------------------------------

# capture NAME NAMESPACE DEVICE FILTER — starts a capture; returns when it sees every packet from now on.
capture() {
  local name=$1 namespace=$2 device=$3
  shift 3
  : >"$W/$name.capture.log"
  ip netns exec "$namespace" tcpdump --immediate-mode -nni "$device" -U -s 128 -w "$W/$name.pcap" "$@" \
    >>"$W/$name.capture.log" 2>&1 &
  processes[capture-$name]=$!
  soon 10 grep -q 'listening on' "$W/$name.capture.log"
}

# has_read_all NAME — tcpdump is waiting for a packet, so all earlier ones are in its file; or it has ended.
has_read_all() {
  local status
  read -r status 2>/dev/null <"/proc/${processes[capture-$1]}/stat" || return 0
  [[ ${status##*) } = [SZX]* ]]
}
# end_capture NAME — ends it if it is still running, once it has read everything: a signal makes tcpdump drop unread packets.
end_capture() {
  [ -n "${processes[capture-$1]:-}" ] || return 0
  soon 10 has_read_all "$1" >/dev/null
  stop "capture-$1" INT
}

# captured NAME [FILTER] — ends the capture if it is still running, and prints its packets.
captured() {
  local name=$1
  shift
  if [ -n "${processes[capture-$name]:-}" ]; then sleep 0.1; end_capture "$name"; fi
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
