# Two hubs with a GRE tunnel to each, and lines with loss, delay and jitter: sourced by scenarios about path selection.
# shellcheck shell=bash

# shellcheck source=../lab/agent.bash
. "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/agent.bash"

# shellcheck disable=SC2034 # read by the scenarios
two_hubs='.hubs += [{name: "ams", address: "203.0.113.6"}]
  | .tunnels += [{name: "ams-a", kind: "gre", hub: "ams", uplink: "wan0", inner: {local: "10.1.2.1/30", remote: "10.1.2.2"}}]
  | .paths += [{name: "ams-a", tunnel: "ams-a"}]
  | .probes += [{name: "ams-a-ping", path: "ams-a", kind: "icmp", target: "10.1.2.2", interval_ms: 100, timeout_ms: 90, fall: 3, rise: 3}]
  | .backhaul_rules[0].paths = ["fra-a", "ams-a"]'

# bring_up_two_hubs [JQ-EDIT [CHOICE]] — returns when traffic goes to the first hub, or as CHOICE says, and both paths are up.
bring_up_two_hubs() {
  put_up
  hub_tunnel hub1 1 gre "$wan0"
  hub_tunnel hub2 2 gre "$wan0"
  publish "$two_hubs | ${1:-.}"
  serve_rule_sets
  [ -e "$W/agent.toml" ] || configure
  start_agent
  must "both paths are up" soon 20 eval 'path_is fra-a up && path_is ams-a up'
  must "traffic goes ${2:-to the first hub}" soon 10 way_is "${2:-path:fra-a}"
}

# publish_and_wait EDIT — publishes the two hubs' rule set with EDIT and waits until it is in force.
publish_and_wait() {
  publish "$two_hubs | $1"
  poll
  must "revision $revision is applied" soon 15 revision_is "$revision"
}

# shape HUB NETEM... — what the hub's line does to packets, in both directions; without NETEM it is a good line again. One
# shape replaces another in place: removing the first would drop packets in flight.
shape() {
  local number=${1#hub}
  shift
  if [ $# = 0 ]; then
    on inet tc qdisc del dev "h$number" root 2>/dev/null
    on "hub$number" tc qdisc del dev wan0 root 2>/dev/null
    return 0
  fi
  on inet tc qdisc replace dev "h$number" root netem "$@" && on "hub$number" tc qdisc replace dev wan0 root netem "$@"
}

# lose_one ADDRESS — loses exactly the next packet of a tunnel to that address, however slow the lab is.
lose_one() { on inet nft insert rule inet internet lose ip daddr "$1" "$tunnel_match" limit rate 1/hour burst 1 packets counter drop; }
# lose_singly COUNT FROM TO — loses COUNT packets one by one, each followed by FROM to TO milliseconds without loss.
lose_singly() {
  local number
  for ((number = 1; number <= $1; number++)); do
    lose_one "$hub1"
    soon 10 is "$number" lost_singly || return
    random_pause "$2" "$3"
  done
}
lost_singly() { on inet nft -j list chain inet internet lose | jq '[.nftables[].rule?.expr[]?.counter?.packets // empty] | add'; }

# probes_heard SECONDS — how many probes of the first path reach the hub's line within SECONDS of the first one, by the
# packets' timestamps, because a busy machine listens for longer.
probes_heard() {
  capture probes inet h1 "$tunnel_packets and src host 198.51.100.2"
  sleep $(($1 + 1))
  captured probes >/dev/null
  tcpdump -ttnr "$W/probes.pcap" 2>/dev/null | awk -v seconds="$1" 'NR == 1 { end = $1 + seconds } $1 < end { heard++ } END { print heard + 0 }'
}
# hears_at_most MOST SECONDS — in at least one of three stretches: if an answer seems late on a busy machine, more are sent.
hears_at_most() {
  local heard
  for _ in 1 2 3; do
    heard=$(probes_heard "$2")
    echo "$heard probes in $2 s"
    [ "$heard" -gt "$1" ] || return 0
  done
  return 1
}
