# What the parts share: the scenarios' network with a tunnel that the kernel at hand has. Sourced.
#
#   client ── lan0 EDGE wan0 ── INET ── server       by the local WAN the server sees the edge's wan0
#                   vpn0 ── t1 HUB ── INET            by the hub it sees the hub
#
# vpn0 and t1 are the ends of one cable, without ARP and with the same hardware address, as a tunnel's would be.
# shellcheck shell=bash

# Unless the part has sourced ipsec.bash, which is more.
# shellcheck source=../lab/agent.bash
declare -F configure >/dev/null || . "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/../lab/agent.bash"
# shellcheck source=../bench/figures.bash
. "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/figures.bash"

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
