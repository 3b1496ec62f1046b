# Many paths at once: a cable for each, whose other end is a hub that answers. Sourced.
# shellcheck shell=bash

# shellcheck source=../bench/bench.bash
. "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/bench.bash"
count=${BACKHAUL_BENCH_PATHS:-1000}
interval=200

up_paths() { ask status | jq '[.paths[] | select(.state == "up")] | length'; }

# cables FIRST LAST — of paths with these numbers: 10.(NUMBER / 250 + 20).(NUMBER % 250).1 here, and .2 at the hub. Nobody
# asks for hardware addresses, as in a tunnel: the kernel has room for 1,024 neighbours, those of both ends together.
cables() {
  local number edge='' hub='' net address=02:00:00:00:01:01
  for ((number = $1; number <= $2; number++)); do
    net=10.$((number / 250 + 20)).$((number % 250))
    edge+="link add v$number address $address type veth peer name w$number address $address netns hub1
neigh add $net.2 lladdr $address dev v$number nud permanent
addr add $net.1/30 dev v$number
link set v$number up
"
    hub+="neigh add $net.1 lladdr $address dev w$number nud permanent
addr add $net.2/30 dev w$number
link set w$number up
"
  done
  ip -n edge -batch - <<<"$edge" && ip -n hub1 -batch - <<<"$hub" || return
  # shellcheck disable=SC2016
  [ "$(nproc)" = 1 ] || on hub1 bash -c 'for file in /sys/class/net/[tw]*/queues/rx-0/rps_cpus; do echo 1 >"$file"; done'
}

# paths COUNT — of a rule set: the first path and so many less one beside it, all with a probe of that interval.
paths() {
  cat <<J
$external
  | .tunnels += [range(1; $1) | {name: "p\(.)", kind: "external", hub: "fra", device: "v\(.)"}]
  | .paths += [range(1; $1) | {name: "p\(.)", tunnel: "p\(.)"}]
  | .probes += [range(1; $1) | "10.\((. / 250 | floor) + 20).\(. % 250)" as \$net
      | {name: "p\(.)", path: "p\(.)", kind: "icmp", source: "\(\$net).1", target: "\(\$net).2"}]
  | .probes[] |= (.interval_ms = $interval | .timeout_ms = ($interval * 3 / 4 | floor) | .fall = 3 | .rise = 3)
J
}

# watched COUNT — starts the agent anew with so many paths, and waits until all are up and have a whole window of results.
watched() {
  publish "$(paths "$1")"
  rm -rf "$W/state"
  start_agent
  [ "$(nproc)" = 1 ] || taskset -acp 1 "${processes[agent]}" >/dev/null
  need "all $1 paths are up" soon 60 is "$1" up_paths
  sleep $((100 * interval / 1000 + 5))
}

# put_up_cables — the network, the cables, and a configuration that has room for their paths.
put_up_cables() {
  put_up_bench
  for namespace in edge hub1; do on "$namespace" sysctl -qw net.ipv6.conf.default.disable_ipv6=1; done
  need "the cables lie" cables 1 $((count - 1))
  # As often as by default; nothing changes.
  interval_seconds=60
  configure
  sed -i 's/^level = .*/level = "info"/' "$W/agent.toml"
  printf '[kernel]\nmark_mask = 0x0fff0000\nfirst_table = 10000\nlast_table = 13999\n' >>"$W/agent.toml"
}
