# Two that watch the same tunnel from the same edge, in turns: ours, and Debian's BIRD with BFD. Sourced.
#
# Ours pings the hub and translates at the edge. BIRD has BFD with a BIRD in the hub and two static defaults; its edge has
# neither marks nor connections, and hub and internet translate, so that it has less to do than ours, and answers come
# back by the way that works in both cases. Both have 100 ms x 3.
# shellcheck shell=bash

# shellcheck source=../bench/bench.bash
. "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/bench.bash"

# Where the server sees the flow come from when it has moved.
# shellcheck disable=SC2034
declare -A local_address=([ours]=$wan0 [bird]=198.18.0.1)
# The longest that a cut is put off where 300 ms is not enough, so that it comes at any moment between two probes.
declare -A phase=()

bird_common() {
  cat <<T
log "$W/$1.bird.log" all;
router id $2;
protocol device { scan time 60; }
protocol bfd { interface "$3" { interval 100 ms; multiplier 3; }; neighbor $4 dev "$3" local $5; }
T
}
configure_birds() {
  { bird_common edge 10.1.1.1 vpn0 10.1.1.2 10.1.1.1
    cat <<T
protocol kernel { ipv4 { export all; }; }
protocol static by_hub { ipv4 { preference 200; }; route 0.0.0.0/0 via 10.1.1.2 bfd; }
protocol static by_wan { ipv4 { preference 100; }; route 0.0.0.0/0 via 198.51.100.1; }
T
  } >"$W/edge.conf"
  bird_common hub 10.1.1.2 t1 10.1.1.1 10.1.1.2 >"$W/hub.conf"
  # What the edge does not translate, the internet does; and knows the way back.
  ip -n inet route add 192.168.10.0/24 via "$wan0"
  on inet nft -f - <<<'table inet translate { chain leave {
    type nat hook postrouting priority srcnat; ip saddr 192.168.0.0/16 masquerade; }; }'
}

default_is() { ip -n edge route get "$server" from "$client" iif lan0 2>/dev/null | grep -q "dev $1"; }
settle_ours() { start_agent && soon 15 mode_is backhaul; }
settle_bird() { start bird edge bird -f -c "$W/edge.conf" -s "$W/edge.ctl" && soon 15 default_is vpn0; }
leave_ours() { stop agent && teardown; }
leave_bird() { stop bird; soon 5 default_is wan0; }

# begin WHO — sends by the hub, under a flow of 1,000 packets a second, at any moment of the watching.
begin() {
  sound
  need "$1 sends by the hub" "settle_$1"
  begin_flow "$1"
  sleep 0.7
  random_pause 0 "${phase[$1]:-300}"
  need "$1: the flow comes out at the hub" flow_moved "$1" "$hub1"
}

start_hub_bird() { running hub-bird || start hub-bird hub1 bird -f -c "$W/hub.conf" -s "$W/hub.ctl"; }

put_up_pair() {
  put_up_bench
  configure
  publish "$external"
  configure_birds
  if declare -F configure_peers >/dev/null; then configure_peers; fi
  start_hub_bird
  # The first start is without a cache, and not measured.
  need "ours sends by the hub" settle_ours
  leave_ours
}
