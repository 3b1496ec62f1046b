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
