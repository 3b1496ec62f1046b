# The agent under test, its local configuration and its rule sets. Every scenario sources this.
# shellcheck shell=bash

# shellcheck source=../lab/topology.bash
. "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/topology.bash"

revision=0
last_edit=.
source_url=http://198.18.0.9:8080/rule-set.json

# configure [UPLINK[:private]...] — writes the local configuration; wan0 is the only uplink unless others are named, in
# order of tier. With ipsec.bash it also says where charon and the secrets are. BACKHAUL_LAB_FLOWTABLE=true: any scenario with
# the flowtable on.
configure() {
  local uplink tier=0
  [ $# -gt 0 ] || set -- wan0
  {
    cat <<T
device = "branch-017"
lans = ["lan0"]
[rule_set]
source = "$source_url"
allow_insecure_http = true
interval_seconds = ${interval_seconds:-5}
timeout_seconds = ${timeout_seconds:-3}
[files]
socket = "$W/agent.sock"
state_directory = "$W/state"
[log]
level = "debug"
T
    [ -z "${BACKHAUL_LAB_FLOWTABLE:-}" ] || printf '[kernel]\nflowtable = %s\n' "$BACKHAUL_LAB_FLOWTABLE"
    if [ -n "${secrets:-}" ]; then
      printf '[ipsec]\nvici_socket = "%s"\nsecrets_directory = "%s"\nstrongswan_conf = "%s"\n' \
        "$W/edge.vici" "$secrets" "$W/edge.strongswan.conf"
    fi
    for uplink; do
      printf '[[uplinks]]\ninterface = "%s"\ntier = %d\n' "${uplink%:private}" $((++tier))
      [[ $uplink != *:private ]] || echo "private = true"
    done
  } >"$W/agent.toml"
}

# What the tunnels of that rule set look like on the wire, as tcpdump and nftables match it.
# shellcheck disable=SC2034 # read by two-hubs.bash and scenarios
tunnel_packets='ip proto 47' tunnel_match='ip protocol gre'

# The rule set that most scenarios begin with: one GRE tunnel, watched by pings that are fast enough to wait for.
# Damping is off, because most scenarios break a path more often than traffic would follow.
basic_rule_set='{
  schema: 1, device: "branch-017", revision: 0,
  hubs: [{name: "fra", address: "203.0.113.2"}],
  tunnels: [{name: "fra-a", kind: "gre", hub: "fra", uplink: "wan0", inner: {local: "10.1.1.1/30", remote: "10.1.1.2"}}],
  paths: [{name: "fra-a", tunnel: "fra-a"}],
  probes: [{name: "fra-a-ping", path: "fra-a", kind: "icmp", target: "10.1.1.2", interval_ms: 100, timeout_ms: 90, fall: 3, rise: 3}],
  backhaul_rules: [{name: "office", enabled: true, sources: {interfaces: ["lan0"], prefixes: ["192.168.10.0/24"]},
    paths: ["fra-a"], fallback: "local_wan", failback: "move", hold_down_ms: 500, flap_half_life_seconds: 0,
    ipv6: "local"}],
  direct_destinations: []
}'

# publish [JQ-EDIT] — puts the basic rule set with this edit, as the next revision, where the rule set server finds it.
publish() {
  revision=$((revision + 1))
  mkdir -p "$W/www"
  jq -n "$basic_rule_set | .revision = $revision | ${1:-.} | $last_edit" >"$W/www/rule-set.json.next" || return
  mv "$W/www/rule-set.json.next" "$W/www/rule-set.json"
}

# Starts the rule set server, out on the internet, so that pulls are the router's own traffic.
serve_rule_sets() {
  local lives
  misbehave ok
  touch "$W/orchestrator.log"
  lives=$(grep -c listening "$W/orchestrator.log")
  start orchestrator server /usr/bin/python3 -IS "$tests/servers/bad_server.py" --bind 0.0.0.0 --port 8080 \
    --document "$W/www/rule-set.json" --mode-file "$W/www/mode"
  soon 10 eval '[ "$(grep -c listening "$W/orchestrator.log")" -gt '"$lives ]" >/dev/null
}
misbehave() { printf '%s\n' "$1" >"$W/www/mode.next" && mv "$W/www/mode.next" "$W/www/mode"; }

# Makes the agent pull the rule set now, not at the next interval.
poll() { kill -HUP "${processes[agent]}"; }
start_agent() { start agent edge "$backhaul" agent --config "$W/agent.toml"; }
# The socket is a file, which every namespace sees.
ask() { "$backhaul" "$1" --json --socket "$W/agent.sock"; }
teardown() { on edge "$backhaul" teardown --config "$W/agent.toml" >>"$W/teardown.log" 2>&1; }

mode() { ask status | jq -r --arg rule "${1:-office}" '.rules[] | select(.name == $rule) | .mode'; }
way() { ask status | jq -r --arg rule "${1:-office}" '.rules[] | select(.name == $rule) | .choice'; }
path_state() { ask status | jq -r --arg path "$1" '.paths[] | select(.name == $path) | .state'; }
applied_revision() { ask status | jq -r .revision; }
count_events() { ask events | jq -r --arg kind "$1" '[.events[] | select(.kind == $kind)] | length'; }

# seconds_between KIND LATER — the time from the last KIND event before the last LATER event to that one, by the agent's own
# clock, because asking may be slow.
seconds_between() {
  ask events | jq -r --arg kind "$1" --arg later "$2" 'def at: .time |
      (sub("\\.[0-9]+"; "") | fromdate) + (capture("\\.(?<part>[0-9]+)").part | "0.\(.)" | tonumber);
    [.events[] | select(.kind == $later)][-1] as $last
    | ([.events[] | select(.kind == $kind and .number < $last.number)][-1] // halt_error) as $first | ($last | at) - ($first | at)'
}

# The marks of the client's connections: of the path's tunnel, and of the rule's egress, which a connection has from its second
# packet on if nothing translates it.
path_mark() { ask paths | jq -r --arg path "$1" '.paths[] | select(.name == $path) | .mark'; }
connections_of_client() { on edge conntrack -L -s $client -d $server 2>/dev/null; }
rule_mark() { ask status | jq -r --arg rule "${1:-office}" '.rules[] | select(.name == $rule) | .mark'; }
none_on_tunnel() { not_one connections_of_client "mark=$(path_mark fra-a) " && not_one connections_of_client "mark=$(rule_mark) "; }
all_on_tunnel() { not_one settled_connections '' "mark=$(path_mark fra-a) "; }
settled_connections() { connections_of_client | sed "s/mark=$(rule_mark) /mark=$(path_mark fra-a) /"; }
# not_one COMMAND WITH [WITHOUT] — COMMAND prints lines, but none with WITH and without WITHOUT.
not_one() {
  local lines found
  lines=$($1)
  [ -n "$lines" ] || { echo "nothing at all"; return 1; }
  found=$(grep -F -- "$2" <<<"$lines")
  if [ -n "${3:-}" ]; then found=$(grep -vF -- "$3" <<<"$found"); fi
  [ -z "$found" ] || { echo "$found"; return 1; }
}

mode_is() { is "$1" mode "${2:-office}"; }
way_is() { is "$1" way "${2:-office}"; }
path_is() { is "$2" path_state "$1"; }
revision_is() { is "$1" applied_revision; }
# The running rule set is no longer on trial, so nothing about it will be written any more.
confirmed() { is null eval 'ask status | jq -r ".trial"'; }
had_event() { [ "$(count_events "$1")" -gt "${2:-0}" ] || { echo "no (new) event $1"; ask events | jq -c '.events[-5:][]'; return 1; }; }

# bring_up [JQ-EDIT] — sets up what most scenarios start from: network, hub, rule set, agent, and steered traffic.
bring_up() {
  put_up
  hub_tunnel hub1 1 "${hub_kind:-gre}" $wan0
  publish "${1:-.}"
  serve_rule_sets
  [ -e "$W/agent.toml" ] || configure
  start_agent
  must "the agent steers the client's traffic into the tunnel" soon 15 mode_is backhaul
}

# A picture of everything in the edge that is not ours to change: if it is the same before and after, nothing was touched.
picture_of_edge() {
  on edge nft list ruleset
  ip -n edge rule show
  ip -n edge -6 rule show
  ip -n edge route show table all | grep -v ' table local \|^broadcast\|^local' | sort
  ip -n edge -br link | awk '{print $1}' | sort
  on edge bash -c 'cd /proc/sys/net && grep -H . ipv4/conf/*/{rp_filter,forwarding} ipv6/conf/*/disable_ipv6' | sort
}

# watch_kernel NAME — from now on, records changes of the edge's links, addresses, routes, rules and nft tables.
watch_kernel() {
  : >"$W/$1.changes"
  ip netns exec edge ip -o monitor link address route rule >>"$W/$1.changes" 2>&1 &
  processes[ip-monitor]=$!
  ip netns exec edge nft monitor >>"$W/$1.changes" 2>&1 &
  processes[nft-monitor]=$!
  soon 10 listens ip-monitor && soon 10 listens nft-monitor
}
# listens NAME — one of its sockets has joined a netlink group, so it gets that group's messages from now on.
listens() {
  local folder=/proc/${processes[$1]} inodes
  inodes=$(find "$folder/fd" -lname 'socket:*' -printf '%l ' | tr -c '0-9\n' ' ')
  awk -v inodes=" $inodes " 'index(inodes, " " $10 " ") && $4 !~ /^0+$/ { found = 1 } END { exit !found }' "$folder/net/netlink"
}
# no_change NAME — nothing has changed; ends the watch.
no_change() {
  sleep 0.3
  stop ip-monitor
  stop nft-monitor
  [ ! -s "$W/$1.changes" ] || { head -20 "$W/$1.changes"; return 1; }
}
# check_watch_kernel — proves that such a watch notices changes.
check_watch_kernel() {
  watch_kernel witness
  ip -n edge route add 10.66.0.0/16 via 198.51.100.1
  on edge nft add table inet witness
  check "the watch sees a route and a table come" soon 10 eval '[ "$(grep -cE "10.66|witness" "$W/witness.changes")" -ge 2 ]'
  no_change witness >/dev/null
  ip -n edge route del 10.66.0.0/16
  on edge nft delete table inet witness
}

# --- what several scenarios claim about a tunnel ------------------------------------------------------------------------

device_mtu() { ip -n edge -j link show "$1" | jq '.[0].mtu'; }

# fits BYTES — an unfragmentable packet of this size from the client reaches the internet and comes back. One of three is
# enough: pauses in a busy lab can be long enough for a failover.
fits() { on client ping -q -c 3 -i 0.3 -W 2 -M 'do' -s $(($1 - 28)) "$server"; }
# too_big BYTES MTU — a packet of this size does not, and the sender is told the right size.
too_big() {
  local answer
  answer=$(on client ping -c 3 -i 0.3 -W 2 -M 'do' -s $(($1 - 28)) "$server" 2>&1)
  grep -E "mtu ?= ?$2" <<<"$answer" || { echo "$answer"; return 1; }
}

# check_sizes DEVICE MTU MSS — on the device and on the wire, in both directions.
check_sizes() {
  check "the tunnel's MTU is $2" is "$2" device_mtu "$1"
  on client ip route flush cache
  check "a packet of $2 bytes fits" fits "$2"
  check "one of $(($2 + 1)) bytes does not, and the sender is told" too_big $(($2 + 1)) "$2"
  on client ip route flush cache
  capture "syn-$1" server eth0 'tcp port 7000 and tcp[tcpflags] & tcp-syn != 0'
  capture "back-$1" client eth0 'tcp port 7000 and tcp[tcpflags] & tcp-syn != 0'
  on client "$flow" client "$server" 7000 --tcp --rate 20 --seconds 0.3 >/dev/null
  check "the server is offered segments of $3 bytes" syn_says "syn-$1" "Flags \[S\].*[[ ]mss $3[],]"
  check "and so is the client" syn_says "back-$1" "Flags \[S\.\].*[[ ]mss $3[],]"
}
syn_says() { captured "$1" | tr -d '\n' | grep -oE "$2" || { captured "$1"; return 1; }; }

# The router sends answers to what came by the tunnel back through it, for itself and for hosts behind it (promise 11).
check_replies() {
  forget_counters
  check "a host behind the router answers the hub through the tunnel" \
    on "$1" ping -q -c 2 -i 0.2 -W 2 -I "${hub_inside[$1]}" "$client"
  check "and so does the router itself" on "$1" ping -q -c 2 -i 0.2 -W 2 -I "${hub_inside[$1]}" 192.168.10.1
}

# shellcheck source=../lab/stand-in.bash
if grep -q '^# Runs on the kernel at hand\.$' "$0"; then . "$tests/lab/stand-in.bash"; fi
