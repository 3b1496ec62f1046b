# Where the trouble of a dead path lies: what the scenarios of causes source.
# shellcheck shell=bash

# shellcheck source=../lab/agent.bash
. "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/agent.bash"

# uplink_has INTERFACE LINE... — more of the uplink in the local configuration.
uplink_has() {
  local interface=$1 line
  shift
  for line; do sed -i "/^interface = \"$interface\"/a $line" "$W/agent.toml"; done
}

# bring_up_scouted [JQ-EDIT [UPLINK...]] — as bring_up, with two targets behind each uplink, and all who are asked by the
# first have answered.
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
# check_cause CAUSE — found, told in an event, and soon after the verdict.
check_cause() {
  local lag
  must "the cause is $1" soon 10 cause_is "$1"
  say "$(evidence)"
  check "an event tells it" is "$1" eval 'ask events | jq -r "[.events[] | select(.kind == \"cause_found\")][-1].details.cause"'
  lag=$(time_to_cause)
  say "found $lag s after the verdict"
  check "that is within half a second" at_most "$lag" "${2:-0.5}"
  check "so does the status" status_has "$1: "
}

# Nothing was torn down since there were so many of both events.
untouched() { is "$1 $2" eval 'echo "$(count_events failover) $(count_events connections_deleted)"'; }
