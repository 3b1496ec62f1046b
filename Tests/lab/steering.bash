# Two hubs, three egresses and steering rules: sourced by scenarios about them. The office goes to the first hub.
# shellcheck shell=bash

# shellcheck source=../lab/two-hubs.bash
. "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/two-hubs.bash"

# shellcheck disable=SC2034 # read by the scenarios
steering_egresses='
  def egress(name; path; fallback): {name: name, paths: [path], fallback: fallback, failback: "move", hold_down_ms: 500,
    flap_half_life_seconds: 0};
  .backhaul_rules[0].paths = ["fra-a"] | .backhaul_rules[0].fallback = "local_wan"
  | .egresses = [egress("second"; "ams-a"; "local_wan"), egress("strict"; "ams-a"; "block"), egress("first"; "fra-a"; "local_wan")]'

# bring_up_steering JQ — with these steering rules, and what else the edit says.
bring_up_steering() { bring_up_two_hubs "$steering_egresses | $1"; }
# steer_anew JQ — the same with other rules, in force when it returns.
steer_anew() { publish_and_wait "$steering_egresses | $1"; }

# The packets that a steering rule has taken.
hits() { ask rules | jq -r --arg rule "$1" '.steering[] | select(.name == $rule) | .packets'; }
has_hits() { at_least "$(hits "$1")" "${2:-1}"; }

# Where the client's new flows come out: over UDP, over TCP.
udp_comes_out_as() { is "$1" client_seen_as "$server"; }
tcp_seen_as() { on client timeout 3 "$flow" client "$server" 7000 --tcp --rate 20 --seconds 0.3 | jq -r '.ways[0].address // "nobody"'; }
tcp_comes_out_as() { is "$1" tcp_seen_as; }
# Some of its packets get an answer, or none.
pings() { on client ping -c 2 -i 0.2 -W 1 "$@" $server; }

# --- names ----------------------------------------------------------------------------------------------------------

# What the client asks for: a subdomain of `video.example` leads to the server, `office.example` to the other address.
names=(--address=/video.example/203.0.113.77 "--address=/www.video.example/$server" "--address=/office.example/$direct_server")
# serve_names — the internet's nameserver, at the server: at port 5300, as another one tells those who ask who they are.
serve_names() {
  start names server dnsmasq --keep-in-foreground --conf-file=/dev/null --no-resolv --no-hosts --pid-file= --user=root \
    --port=5300 --bind-interfaces --listen-address=$server --local-ttl=300 "${names[@]}"
  soon 10 is $direct_server asks server $server office.example 5300
}
# start_resolver [OPTION...] — the router's dnsmasq, as Debian runs it: it becomes another user. Its configuration has the one
# line that the manual asks for.
start_resolver() {
  # It reads the file as root; its log it opens before it is another user.
  printf '%s\n' no-resolv no-hosts pid-file= "server=$server#5300" bind-interfaces listen-address=127.0.0.1,192.168.10.1 \
    log-queries log-facility=- "conf-file=$W/state/dnsmasq.conf" >"$W/resolver.conf"
  start resolver edge dnsmasq --keep-in-foreground --conf-file="$W/resolver.conf" "$@"
  soon 10 looks_up office.example $direct_server
}
restart_resolver() { stop resolver; start_resolver "$@"; }

# asks NAMESPACE NAMESERVER NAME [PORT] — the addresses of the name, or nothing.
asks() {
  on "$1" /usr/bin/python3 -IS -c '
import socket, struct, sys
server, name, port = sys.argv[1:]
labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
asked = struct.pack(">6H", 7, 0x100, 1, 0, 0, 0) + labels + b"\0\0\1\0\1"
talk = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
talk.settimeout(3)
try:
    talk.connect((server, int(port)))
    talk.send(asked)
    answer = talk.recv(4096)
except OSError as error:
    sys.exit(f"{server}: {error}")
# Each record is 16 bytes: a pointer to the name, A, IN, how long, 4, the address.
for at in range(len(asked), len(answer) - 15, 16):
    print(socket.inet_ntoa(answer[at + 12:at + 16]))' "$2" "$3" "${4:-53}"
}
name_has() { is "$4" asks "$1" "$2" "$3"; }
# looks_up NAME ADDRESS — the client asks the router for a name, as it does before it connects.
looks_up() { name_has client 192.168.10.1 "$1" "$2"; }

# What the set of a rule's domains holds, in a line.
learnt() {
  on edge nft -j list set inet backhaul "domains_$1" | jq -r '[.nftables[].set? // empty | .elem[]? | .elem.val? // .] | sort | join(" ")'
}
has_learnt() { is "$2" learnt "$1"; }
has_line() { grep -qxF "$1" "$W/state/dnsmasq.conf" || { cat "$W/state/dnsmasq.conf"; return 1; }; }
forget_flows() { on edge conntrack -F >/dev/null 2>&1; }
explains() { "$backhaul" explain "$client" "$1" udp/7000 --json --socket "$W/agent.sock"; }
taken_by() { explains "$1" | jq -r '"\(.taken_by) \(.rule)"'; }
