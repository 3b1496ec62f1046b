# Why a path is dead: sourced by the scenarios about causes.
# shellcheck shell=bash

# shellcheck source=../lab/agent.bash
. "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/agent.bash"

# uplink_has INTERFACE LINE... — adds lines to the uplink in the local configuration.
uplink_has() {
  local interface=$1 line
  shift
  for line; do sed -i "/^interface = \"$interface\"/a $line" "$W/agent.toml"; done
}

# bring_up_scouted [JQ-EDIT [UPLINK...]] — like bring_up, with two targets behind each uplink; returns when everything that
# is pinged over the first uplink has answered.
bring_up_scouted() {
  local edit=${1:-.} uplink
  shift
  configure "$@"
  for uplink in "${@:-wan0}"; do uplink_has "$uplink" "targets = [\"$server\", \"$direct_server\"]"; done
  bring_up "$edit"
  must "the gateway, the hub and the targets answer" soon 15 is "answers answers answers answers" scouts wan0
}

uplink_says() { ask status | jq -r --arg uplink "$1" ".uplinks[] | select(.interface == \$uplink) | $2"; }
scouts() { uplink_says "$1" '[.scouts[].answer] | join(" ")'; }
cause() { ask paths | jq -r --arg path "${1:-fra-a}" '.paths[] | select(.name == $path) | .down_cause'; }
cause_is() { is "$1" cause "${2:-fra-a}"; }
evidence() { ask paths | jq -r --arg path "${1:-fra-a}" '.paths[] | select(.name == $path) | .evidence'; }
evidence_has() { evidence | grep -F -- "$1" || { evidence; return 1; }; }
status_has() { on edge "$backhaul" status --socket "$W/agent.sock" | grep -F -- "$1" || { on edge "$backhaul" status --socket "$W/agent.sock"; return 1; }; }

# The seconds from the last verdict that a path is down to the first cause that was found for it.
time_to_cause() {
  ask events | jq -r '[.events[] | select(.kind == "path_down")][-1].number as $down
    | [.events[] | select(.kind == "cause_found" and .number > $down)][0].number as $found
    | [.events[] | select(.number > $down and .number <= $found) | .after_seconds] | add'
}
# check_cause CAUSE — this cause was found, and an event says so.
check_cause() {
  must "the cause is $1" soon 10 cause_is "$1"
  say "$(evidence)"
  check "an event tells it" soon 5 is "$1" eval 'ask events | jq -r "[.events[] | select(.kind == \"cause_found\")][-1].details.cause"'
  lag=$(time_to_cause)
  say "found $lag s after the verdict"
  check "so does the status" soon 5 status_has "$1: "
}
# check_quick CAUSE CUT MEND — the cause was found within half a second of the verdict, the last time or when CUT breaks the
# path once more, because a busy machine may delay any single one. In the end traffic is back where it was.
check_quick() {
  local before
  for _ in 1 2 3 4; do
    ! at_most "$lag" 0.5 >/dev/null || break
    before=$(count_events cause_found)
    eval "$2"
    must "the cause is $1 once more" soon 15 eval "had_event cause_found $before && cause_is $1"
    lag=$(time_to_cause)
    say "found $lag s after the verdict"
    eval "$3"
    must "traffic returns once more" soon 30 way_is path:fra-a
  done
  check "$1 was found within half a second" at_most "$lag" 0.5
}

# Nothing has been torn down since these counts of both events.
untouched() { is "$1 $2" eval 'echo "$(count_events failover) $(count_events connections_deleted)"'; }
