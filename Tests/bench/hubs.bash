# Very many IPsec tunnels: as many hubs, each with an address, a name and a secret of its own, all in the namespace and
# the charon of hub1. Sourced in place of bench.bash.
# shellcheck shell=bash

# shellcheck source=../lab/ipsec.bash
. "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/../lab/ipsec.bash"
# shellcheck source=../bench/bench.bash
. "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/bench.bash"

# One charon stands for many here, all of them called from one address.
# shellcheck disable=SC2034 # read by ipsec.bash
hub_settings='charon { dos_protection = no }'
ike_proposal=aes256gcm16-prfsha384-ecp384
esp_proposal=aes256gcm16-ecp384

# hubs COUNT — of a rule set: this many hubs with a tunnel each, and a path each. None is in a rule yet.
hubs() {
  cat <<J
.hubs += [range(1; $1 + 1) | {name: "h\(.)", address: "100.64.1.\(.)"}]
  | .ipsec_profiles = [range(1; $1 + 1) | {name: "h\(.)", auth: "psk", remote_id: "h\(.).example", psk_file: "h\(.).psk",
      ike_proposals: ["$ike_proposal"], esp_proposals: ["$esp_proposal"]}]
  | .tunnels += [range(1; $1 + 1) | {name: "h\(.)", kind: "ipsec", hub: "h\(.)", uplink: "wan0", profile: "h\(.)",
      inner: {local: "10.2.\(.).1/30", remote: "10.2.\(.).2"}}]
  | .paths += [range(1; $1 + 1) | {name: "h\(.)", tunnel: "h\(.)"}]
J
}

# put_up_hubs COUNT — their addresses, devices, secrets and connections, on both sides; no daemon runs yet.
put_up_hubs() {
  local number
  ip -n inet route add 100.64.1.0/24 via "$hub1"
  for ((number = 1; number <= $1; number++)); do
    printf 'addr add 100.64.1.%d/32 dev lo\nlink add x%d type xfrm dev wan0 if_id %d\n' "$number" "$number" "$number"
    printf 'addr add 10.2.%d.2/30 dev x%d\nlink set x%d up\n' "$number" "$number" "$number"
    echo "secret of hub $number" >"$secrets/h$number.psk"
  done >"$W/hubs.batch"
  ip -n hub1 -batch "$W/hubs.batch"
  chmod 600 "$secrets"/*.psk
  make_folders hub1
  for ((number = 1; number <= $1; number++)); do hub_end "$number"; done >"$W/hub1.swanctl/conf.d/hubs.conf"
}

hub_end() {
  cat <<C
connections { h$1 {
  version = 2
  local_addrs = 100.64.1.$1
  remote_addrs = $wan0
  proposals = $ike_proposal
  local {
    auth = psk
    id = h$1.example
  }
  remote {
    auth = psk
    id = $edge_id
  }
  children { h$1 {
    local_ts = 0.0.0.0/0
    remote_ts = 0.0.0.0/0
    esp_proposals = $esp_proposal
    if_id_in = $1
    if_id_out = $1
  } }
} }
secrets { ike-h$1 {
  id-1 = h$1.example
  id-2 = $edge_id
  secret = "secret of hub $1"
} }
C
}

# The local configuration, with room for that many.
configure_for_hubs() {
  configure "$@"
  sed -i 's/^level = .*/level = "info"/' "$W/agent.toml"
  printf '[kernel]\nfirst_table = 7900\nlast_table = 8199\n' >>"$W/agent.toml"
}
