# What the parts share: the scenarios' network with a tunnel that the kernel at hand has, and small statistics. Sourced.
#
#   client ── lan0 EDGE wan0 ── INET ── server       by the local WAN the server sees the edge's wan0
#                   vpn0 ── t1 HUB ── INET            by the hub it sees the hub
#
# vpn0 and t1 are the ends of one cable, without ARP and with the same hardware address, as a tunnel's would be.
# shellcheck shell=bash

# shellcheck source=../lab/agent.bash
. "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/../lab/agent.bash"

# shellcheck disable=SC2034
stopwatch=${BASH_SOURCE[0]%/*}/stopwatch.py
source_url=file://$W/www/rule-set.json
# shellcheck disable=SC2034 # read by the parts
external='.tunnels[0] = {name: "fra-a", kind: "external", hub: "fra", device: "vpn0"}'

put_up_bench() {
  local command
  put_up
  ip -n edge link add vpn0 type veth peer name t1 netns hub1
  for command in "edge vpn0" "hub1 t1"; do
    # shellcheck disable=SC2086
    set -- $command
    ip -n "$1" link set "$2" address 02:00:00:00:01:01 arp off
  done
  ip -n edge addr add 10.1.1.1/30 dev vpn0
  ip -n edge link set vpn0 up
  join_tunnel hub1 1
  on hub1 nft -f - <<'N'
table inet cut {
  set links { type ifname; }
  chain in { type filter hook prerouting priority raw; iifname @links drop; }
  chain out { type filter hook postrouting priority raw; oifname @links drop; }
}
N
}

# The tunnel loses every packet in both directions, without a word and with its carrier; and no more.
silence() { on hub1 nft add element inet cut links '{ t1 }'; }
sound() { on hub1 nft flush set inet cut links; }

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
