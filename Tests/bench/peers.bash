# More that watch the same tunnel, each in its turn, beside the two of pair.bash: Debian's FRR and keepalived, with the
# same BIRD in the hub; and ours at a probe a second. Sourced.
#
# Every one of them has 100 ms x 3 but the last. Their daemons are run by hand and have all their files below the
# temporary directory; none is a service of this machine.
#
# FRR: Debian's has no BFD for static routes, so that the default route by the hub is one that BIRD in the hub tells by
# BGP, in a session that falls with BFD's. Its static default by the WAN has a greater distance. FRR prefers any default
# that it finds in the kernel, so that the edge's own are taken away while it runs.
#
# keepalived: its BFD, tracked by a VRRP instance that has the default route by the hub as a virtual route; where BFD
# falls, the instance does, and its route goes. Not VRRP itself over the tunnel: that would tell the edge that it has to be
# master, and not that a way is dead, and it would have no check of the way back. The instance speaks on the LAN, where no
# other router is, so that it adds nothing to what goes over the tunnel.
# shellcheck shell=bash

# shellcheck source=../bench/pair.bash
. "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/pair.bash"

local_address+=([slow]=$wan0 [frr]=198.18.0.1 [keepalived]=198.18.0.1)
phase+=([slow]=1000)
frr=/usr/lib/frr

configure_peers() {
  # FRR's daemons run as a user of theirs and refuse root, so that they have to come this far.
  chmod 711 "$W"
  install -d -m 700 -o frr -g frr "$W/frr"
  cat >>"$W/hub.conf" <<T
protocol static anywhere { ipv4; route 0.0.0.0/0 unreachable; }
protocol bgp edge {
  local 10.1.1.2 as 65002;
  neighbor 10.1.1.1 as 65001;
  passive; bfd; error wait time 1, 1; connect delay time 1;
  ipv4 { import none; export where proto = "anywhere"; next hop self; };
}
T
  echo 'ip route 0.0.0.0/0 198.51.100.1 200' >"$W/frr/staticd.conf"
  printf 'bfd\n peer 10.1.1.2 interface vpn0 local-address 10.1.1.1\n  profile fast\n profile fast\n' >"$W/frr/bfdd.conf"
  printf '  detect-multiplier 3\n  receive-interval 100\n  transmit-interval 100\n' >>"$W/frr/bfdd.conf"
  : >"$W/frr/zebra.conf"
  cat >"$W/frr/bgpd.conf" <<T
router bgp 65001
 bgp router-id 10.1.1.1
 no bgp ebgp-requires-policy
 neighbor 10.1.1.2 remote-as 65002
 neighbor 10.1.1.2 timers connect 1
 neighbor 10.1.1.2 bfd profile fast
T
  chown -R frr:frr "$W/frr"
  cat >"$W/keepalived.conf" <<T
bfd_instance hub {
  neighbor_ip 10.1.1.2
  source_ip 10.1.1.1
  min_rx 100
  min_tx 100
  multiplier 3
}
vrrp_instance by_hub {
  interface lan0
  version 3
  state MASTER
  virtual_router_id 17
  priority 254
  advert_int 0.1
  virtual_ipaddress { 192.168.10.254/24 }
  virtual_routes { 0.0.0.0/0 via 10.1.1.2 dev vpn0 metric 50 }
  track_bfd { hub }
}
T
}

# Our rule set with a probe so often, given to the agent that is started next.
publish_probe() { publish "$external | .probes[0] |= (.interval_ms = $1 | .timeout_ms = $2)"; }
steers_as_published() { start_agent && soon 15 revision_is "$revision" && soon 15 mode_is backhaul; }
settle_ours() { publish_probe 100 90 && steers_as_published; }
settle_slow() { publish_probe 1000 800 && steers_as_published; }
leave_slow() { leave_ours; }

# frr_daemon NAME [OPTIONS]
frr_daemon() {
  local name=$1
  shift
  start "frr-$name" edge "$frr/$name" -f "$W/frr/$name.conf" -i "$W/frr/$name.pid" -z "$W/frr/zserv" \
    --vty_socket "$W/frr" -A 127.0.0.1 -P 0 --log stdout "$@"
}
settle_frr() {
  ip -n edge route show default >"$W/defaults"
  ip -n edge route flush default
  frr_daemon zebra
  soon 5 test -S "$W/frr/zserv" || return
  frr_daemon staticd
  frr_daemon bfdd --bfdctl "$W/frr/bfdd.sock"
  soon 5 test -S "$W/frr/bfdd.sock" || return
  frr_daemon bgpd -l 10.1.1.1
  soon 30 default_is vpn0 && soon 30 is "up Up" bfd_of_frr
}
# BGP gives the route at once. BFD comes up later, and BGP hears of that later still: what it has not heard is up does not
# go down for it.
bfd_of_frr() {
  local bfd bgp
  bfd=$(vtysh --vty_socket "$W/frr" -d bfdd -c "show bfd peers json" | jq -r '.[0].status')
  bgp=$(vtysh --vty_socket "$W/frr" -d bgpd -c "show bgp neighbors 10.1.1.2 json" | jq -r '.[].peerBfdInfo.status')
  echo "$bfd $bgp"
}
leave_frr() {
  local name
  for name in bgpd bfdd staticd zebra; do stop "frr-$name"; done
  ip -n edge route flush default
  sed 's/^/route add /' "$W/defaults" | ip -n edge -batch -
}

settle_keepalived() {
  start keepalived edge keepalived --dont-fork --log-console --use-file "$W/keepalived.conf" --pid "$W/keepalived.pid" \
    --vrrp_pid "$W/keepalived.vrrp.pid" --checkers_pid "$W/keepalived.checkers.pid" --bfd_pid "$W/keepalived.bfd.pid"
  soon 30 default_is vpn0
}
leave_keepalived() { stop keepalived; soon 5 default_is wan0; }

# packets — that have gone over the tunnel so far, in both directions.
packets() { on hub1 cat /sys/class/net/t1/statistics/{rx,tx}_packets | jq -s add; }
# rate WHO SECONDS — packets a second over the tunnel while it watches and nobody sends.
rate() {
  local before
  # What ours does not ask is not counted as ours.
  if [ "$1" = ours ] || [ "$1" = slow ]; then stop hub-bird; else start_hub_bird; fi
  need "$1 sends by the hub" "settle_$1"
  sleep 5
  before=$(packets)
  sleep "$2"
  echo "$(($(packets) - before)) $2" | jq -Rr 'split(" ") | map(tonumber) | .[0] / .[1]' >"$W/$1.rate"
  "leave_$1"
  start_hub_bird
}
