# The network that the scenarios use. Sourced.
#
#   client 192.168.10.2 ── lan0 .1 EDGE wan0 198.51.100.2 ── .1 ┐
#                                       wan1 192.0.2.2 ───── .1 INET ── .1 server 198.18.0.9, 198.19.0.9
#                                                               ├ 203.0.113.1 ── .2 hub1  (inside 10.200.0.1)
#                                                               └ 203.0.113.5 ── .6 hub2  (inside 10.200.0.2)
#
# IPv6 (native, never through a tunnel): client 2001:db8:10::2, edge wan0 2001:db8:1::2, server 2001:db8:9::9.
# `inet` forwards, counts and cuts; hubs translate what comes out of their tunnels to their own address.
# shellcheck shell=bash

# shellcheck source=../lab/scenario.bash
. "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/scenario.bash"

# shellcheck disable=SC2034 # read by the scenarios
{
  client=192.168.10.2 client6=2001:db8:10::2
  server=198.18.0.9 direct_server=198.19.0.9 server6=2001:db8:9::9
  wan0=198.51.100.2 wan1=192.0.2.2
  hub1=203.0.113.2 hub2=203.0.113.6
}
# The agent's own pings of gateways and hubs' outer addresses, by which it finds out what is at fault. No host behind the
# router pings any of those.
# shellcheck disable=SC2034 # read by the scenarios
own_pings="(icmp and (net 198.51.100.0/24 or net 192.0.2.0/24)
  and (host 198.51.100.1 or host 192.0.2.1 or host $hub1 or host $hub2))"
declare -A hub_address=([hub1]=$hub1 [hub2]=$hub2) hub_inside=([hub1]=10.200.0.1 [hub2]=10.200.0.2)
namespaces=(inet edge client server hub1 hub2)

# wire NAMESPACE DEVICE ADDRESS NAMESPACE DEVICE ADDRESS — a cable with an address at each end.
wire() {
  ip -n "$1" link add "$2" type veth peer name "$5" netns "$4"
  printf 'addr add %s dev %s\nlink set %s up\n' "$3" "$2" "$2" | ip -n "$1" -batch -
  printf 'addr add %s dev %s\nlink set %s up\n' "$6" "$5" "$5" | ip -n "$4" -batch -
}

# An IPv6 address that can be used at once.
wire6() { ip -n "$1" -6 addr add "$3" dev "$2" nodad; }

# Every namespace is a router with IPv6; the edge has strict reverse-path checks, as a careful operator's would. In a guest
# each process that starts takes some 15 ms of CPU time, so here and below one `ip` does as much as it can.
prepare_namespaces() {
  printf 'netns add %s\n' "${namespaces[@]}" | ip -batch -
  # shellcheck disable=SC2016
  ip -all netns exec sh -c '
    cd /proc/sys/net
    echo 1 >ipv4/ip_forward; echo 1 >ipv6/conf/all/forwarding; echo 0 >ipv6/conf/default/accept_dad
    echo 0 >ipv4/conf/all/rp_filter; echo 0 >ipv4/conf/default/rp_filter; echo 0 >ipv4/icmp_ratelimit' >/dev/null
  on edge sh -c 'cd /proc/sys/net/ipv4/conf; echo 1 >default/rp_filter; echo 0 >lo/rp_filter'
}

put_up() {
  local namespace
  prepare_namespaces
  # The second end of a cable cannot come up before it is one: `addresses_of` brings it up, first of all in `inet`, so that
  # each cable is in place when its addresses are set.
  ip -batch - <<'I'
link add eth0 up netns client type veth peer name lan0 netns edge
link add wan0 up netns edge type veth peer name e0 netns inet
link add wan1 up netns edge type veth peer name e1 netns inet
link add eth0 up netns server type veth peer name s0 netns inet
link add wan0 up netns hub1 type veth peer name h1 netns inet
link add wan0 up netns hub2 type veth peer name h2 netns inet
I
  for namespace in "${namespaces[@]}"; do addresses_of "$namespace" | ip -n "$namespace" -batch -; done
  prepare_hub hub1
  prepare_hub hub2
  on inet nft -f - <<<"$internet_rules"
  start internet server "$serve" internet "$W/internet.requests"
  start echo server "$flow" server 7000 $server
  start direct-echo server "$flow" server 7000 $direct_server
  soon 10 on server "$serve" ask http 127.0.0.1 1 >/dev/null
}

# addresses_of NAMESPACE — its addresses and routes, for `ip -batch`.
addresses_of() {
  echo "link set lo up"
  case $1 in
    client) cat <<I
addr add $client/24 dev eth0
addr add $client6/64 dev eth0 nodad
route add default via 192.168.10.1
route add ::/0 via 2001:db8:10::1
I
      ;;
    edge) cat <<I
link set lan0 up
addr add 192.168.10.1/24 dev lan0
addr add $wan0/24 dev wan0
addr add $wan1/24 dev wan1
addr add 2001:db8:10::1/64 dev lan0 nodad
addr add 2001:db8:1::2/64 dev wan0 nodad
route add default via 198.51.100.1 dev wan0 metric 100
route add default via 192.0.2.1 dev wan1 metric 200
route add ::/0 via 2001:db8:1::1 dev wan0
I
      ;;
    inet) cat <<I
link set e0 up
link set e1 up
link set s0 up
link set h1 up
link set h2 up
addr add 198.51.100.1/24 dev e0
addr add 192.0.2.1/24 dev e1
addr add 198.18.0.1/24 dev s0
addr add 203.0.113.1/30 dev h1
addr add 203.0.113.5/30 dev h2
addr add 2001:db8:1::1/64 dev e0 nodad
addr add 2001:db8:9::1/64 dev s0 nodad
route add $direct_server via $server
route add 2001:db8:10::/64 via 2001:db8:1::2
I
      ;;
    server) cat <<I
addr add $server/24 dev eth0
addr add $direct_server/32 dev lo
addr add $server6/64 dev eth0 nodad
route add default via 198.18.0.1
route add ::/0 via 2001:db8:9::1
I
      ;;
    hub1) hub_addresses hub1 203.0.113.1 ;;
    hub2) hub_addresses hub2 203.0.113.5 ;;
  esac
}
# hub_addresses NAME GATEWAY
hub_addresses() {
  cat <<I
addr add ${hub_address[$1]}/30 dev wan0
addr add ${hub_inside[$1]}/32 dev lo
route add default via $2
I
}

# What crosses the internet is counted by kind; whatever is in `cut` or `cut_links` is silently dropped. Newer versions of nft
# would take a counter called `gre` for a keyword.
internet_rules='
table inet internet {
  set cut { type ipv4_addr; }
  set cut_links { type ifname; }
  counter crossed_gre {}
  counter crossed_ipip {}
  counter crossed_bare_esp {}
  counter crossed_natt {}
  counter crossed_untranslated {}
  chain lose {
    type filter hook prerouting priority raw
    ip saddr @cut drop
    ip daddr @cut drop
    iifname @cut_links drop
  }
  chain lose_out {
    type filter hook postrouting priority raw
    oifname @cut_links drop
  }
  chain watch {
    type filter hook forward priority filter
    ip protocol 47 counter name crossed_gre
    ip protocol 4 counter name crossed_ipip
    ip protocol 50 counter name crossed_bare_esp
    # In UDP: everything longer than a keepalive that is not an IKE message, which begins with four zero bytes.
    udp dport 4500 @th,64,32 != 0 counter name crossed_natt
    udp sport 4500 @th,64,32 != 0 counter name crossed_natt
    ip saddr 192.168.0.0/16 counter name crossed_untranslated
  }
}'

cut_off() { on inet nft add element inet internet "$([[ $1 = *.* ]] && echo cut || echo cut_links)" "{ $1 }"; }
mend() { on inet nft delete element inet internet "$([[ $1 = *.* ]] && echo cut || echo cut_links)" "{ $1 }"; }
crossed() { on inet nft -j list counter inet internet "crossed_$1" | jq '.nftables[] | .counter? // empty | .packets'; }
forget_counters() { on inet nft reset counters table inet internet >/dev/null; }

# prepare_hub NAME — a hub answers by the tunnel that the flow last came in by, and translates what goes out.
prepare_hub() {
  on "$1" nft -f - <<'N'
table inet hub {
  chain arrive {
    type filter hook prerouting priority mangle
    iifname "t1" ct mark set 1
    iifname "t2" ct mark set 2
    iifname "t3" ct mark set 3
    iifname != "t*" meta mark set ct mark
  }
  chain answer {
    type route hook output priority mangle
    meta mark set ct mark
  }
  chain leave {
    type nat hook postrouting priority srcnat
    oifname "wan0" masquerade
  }
}
N
}

# hub_tunnel HUB NUMBER KIND EDGE-ADDRESS [OPTIONS] — sets up the hub's end of a tunnel by hand: 10.1.NUMBER.2/30. Replaces
# an existing one.
hub_tunnel() {
  local hub=$1 number=$2 kind=$3 edge=$4
  shift 4
  ip -n "$hub" link del "t$number" 2>/dev/null
  ip -n "$hub" link add "t$number" type "$kind" local "${hub_address[$hub]}" remote "$edge" ttl 64 "$@"
  join_tunnel "$hub" "$number"
}

# join_tunnel HUB NUMBER — gives the device t-NUMBER its address and the routes to the edge's LAN.
join_tunnel() {
  local hub=$1 device=t$2 table=$((100 + $2))
  ip -n "$hub" -batch - <<I
addr replace 10.1.$2.2/30 dev $device
link set $device up
route replace 192.168.0.0/16 dev $device table $table
route replace 10.1.$2.0/30 dev $device table $table
route append 192.168.0.0/16 dev $device metric $table
I
  ip -n "$hub" rule show | grep -q "lookup $table\$" || ip -n "$hub" rule add fwmark "$2" lookup "$table"
}

# hub_says HUB STATUS BODY — sets what the hub's health page says from now on.
hub_says() {
  printf '%s %s' "$2" "$3" >"$W/$1.health.next"
  mv "$W/$1.health.next" "$W/$1.health"
  [ -n "${processes[health-$1]:-}" ] || start "health-$1" "$1" "$serve" health "$W/$1.health" "${hub_inside[$1]}"
}

# --- flows ----------------------------------------------------------------------------------------------------------

# begin_flow NAME [OPTIONS] — starts a flow from the client to the internet; returns when the first packet has been sent.
# end_flow ends it and prints its statistics.
begin_flow() {
  local name=$1
  shift
  : >"$W/$name.flow"
  rm -f "$W/$name.progress"
  ip netns exec client "$flow" client "$server" 7000 --seconds 600 --progress "$W/$name.progress" "$@" \
    >"$W/$name.flow" 2>"$W/$name.flow.log" &
  processes[flow-$name]=$!
  soon 10 test -s "$W/$name.progress"
}

end_flow() { stop "flow-$1" INT; cat "$W/$1.flow" "$W/$1.flow.log"; }
flow_says() { jq -r "$2" "$W/$1.flow"; }
# The longest pause of the ended flow whose longest pause was the shortest, so that a busy machine's delays do not count.
quickest_blackout() { local name; for name; do flow_says "$name" .blackout_ms; done | sort -n | head -1; }
# The addresses that the flow came out at, in order.
flow_ways() { flow_says "$1" '[.ways[].address] | join(" ")'; }
# flow_moved NAME ADDRESS — the flow comes out there now.
flow_moved() { is "$2" jq -r '.ways[-1].address // "nobody"' "$W/$1.progress"; }

# goes_on NAME [MORE] — this many more answers come from now on.
goes_on() {
  local before
  before=$(jq '.answered // 0' "$W/$1.progress")
  soon 10 has_answers "$1" $((before + ${2:-20}))
}
has_answers() { at_least "$(jq '.answered // 0' "$W/$1.progress")" "$2"; }

# --- questions ------------------------------------------------------------------------------------------------------

# The source address that the internet sees for the client, and for the router itself. Each call is a new flow.
client_seen_as() { on client "$flow" client "${1:-$server}" 7000 --rate 20 --seconds 0.2 | jq -r '.ways[0].address // "nobody"'; }
router_seen_as() { on edge "$serve" ask "$1" "$server" 5; }
client_comes_out_as() { is "$1" client_seen_as "${2:-$server}"; }
