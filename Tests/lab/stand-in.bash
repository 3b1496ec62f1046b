# Tunnels that every kernel has, instead of GRE, for scenarios that run on the kernel at hand. Sourced by agent.bash if the
# scenario says so. To the agent they are external tunnels; they cross the same uplinks and end at the same hubs, so they are
# cut and repaired as GRE is.
# shellcheck shell=bash
# shellcheck disable=SC2154 # of topology.bash

# Only the IPv4 packets in them count: there is no ARP inside GRE.
# shellcheck disable=SC2034
tunnel_packets='udp dst port 4789 and udp[28:2] = 0x800' tunnel_match='udp dport 4789 @th,224,16 0x800'

# hub_tunnel HUB NUMBER gre EDGE-ADDRESS — sets up both ends of VXLAN NUMBER, like hub_tunnel's end of GRE: tNUMBER at the
# hub, and standNUMBER at the edge, 10.1.NUMBER.1/30. VXLAN needs ARP, and the hub answers for every address.
hub_tunnel() {
  local hub=$1 number=$2 edge=$4
  ip -n "$hub" link del "t$number" 2>/dev/null
  ip -n edge link del "stand$number" 2>/dev/null
  ip -n "$hub" link add "t$number" mtu 1450 type vxlan id "$number" local "${hub_address[$hub]}" remote "$edge" dstport 4789 ttl 64
  ip -n edge link add "stand$number" mtu 1450 type vxlan id "$number" local "$edge" remote "${hub_address[$hub]}" dstport 4789 ttl 64
  ip -n edge addr add "10.1.$number.1/30" dev "stand$number"
  ip -n edge link set "stand$number" up
  # Otherwise its outer packets would inherit the inner mark, and so be routed into the tunnel itself.
  on edge nft -f - <<N
table netdev stand$number
delete table netdev stand$number
table netdev stand$number {
  chain forget_mark {
    type filter hook egress device "stand$number" priority 0
    meta mark set 0
  }
}
N
  join_tunnel "$hub" "$number"
  on "$hub" sh -c "echo 1 >/proc/sys/net/ipv4/conf/t$number/proxy_arp; echo 0 >/proc/sys/net/ipv4/neigh/t$number/proxy_delay"
  # The edge does no proxy ARP for its LAN, so the route there goes by the edge's own address.
  ip -n "$hub" route replace 192.168.0.0/16 via "10.1.$number.1" dev "t$number" table $((100 + number))
  ip -n "$hub" route replace 192.168.0.0/16 via "10.1.$number.1" dev "t$number" metric $((100 + number))
}

# The last edit of each published rule set: every GRE tunnel becomes the stand-in with the number of its inner address.
# shellcheck disable=SC2034
last_edit='.tunnels |= map(if .kind == "gre"
  then {name, hub, kind: "external", device: ("stand" + (.inner.local | split(".")[2]))} else . end)'
