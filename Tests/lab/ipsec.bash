# IPsec in the lab: a charon in each namespace that needs one, hubs set up by hand, keys, certificates, a NAT, and watches
# for anything that leaves unencrypted. Sourced instead of agent.bash.
# shellcheck shell=bash

# shellcheck source=../lab/agent.bash
. "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/agent.bash"

# --- the daemons ----------------------------------------------------------------------------------------------------

# What a router gets with the product.
charon_snippet=$tests/../packaging/strongswan/backhaul.conf
# The plugins are listed, so that both ends are the same on every machine, whatever other parts of strongSwan it has. All of
# them are in Debian's libstrongswan, libstrongswan-standard-plugins (gcm, openssl) and strongswan-libcharon.
charon_plugins="random nonce aes sha1 sha2 hmac kdf gcm openssl pem pkcs1 pkcs8 x509 pubkey revocation constraints \
kernel-netlink socket-default vici updown counters"
tool_plugins="random sha1 sha2 openssl pem pkcs1 pkcs8 x509 pubkey"
# Debian 13's strongSwan has those in openssl, and complains at each call about plugins that it cannot find.
[ -e /usr/lib/ipsec/plugins/libstrongswan-sha2.so ] || charon_plugins=${charon_plugins/ sha1 sha2/} tool_plugins=${tool_plugins/ sha1 sha2/}

# What the hubs' daemons load as well.
hub_settings=''

charon_settings() {
  cat <<S
charon {
  load = $charon_plugins
  plugins { vici { socket = unix://$W/$1.vici } }
  filelog { lab {
      path = $W/charon-$1.log
      time_format = %T
      time_add_ms = yes
      ike_name = yes
      flush_line = yes
      default = 1
  } }
}
swanctl { load = $tool_plugins }
S
  if [ "$1" = edge ]; then
    echo "include $charon_snippet"
  else
    # A hub also routes by its devices, and gives up just as early.
    cat <<S
charon {
  install_routes = no
  install_virtual_ip = no
  retransmit_tries = 4
  retransmit_timeout = 1.5
  retransmit_base = 1.4
}
$hub_settings
S
  fi
}

# start_charon NAMESPACE — starts charon with its own settings, VICI socket and log; returns when it answers and, at a hub,
# knows its connections. It makes no pid file, so any number may run.
start_charon() {
  charon_settings "$1" >"$W/$1.strongswan.conf"
  make_folders "$1"
  start "charon-$1" "$1" env STRONGSWAN_CONF="$W/$1.strongswan.conf" charon-systemd
  must "charon runs in $1" soon 20 swanctl_on "$1" --stats
  [ "$1" = edge ] || load_hub "$1" || exit 1
}

# Where swanctl looks. It complains about each folder that is missing.
make_folders() {
  mkdir -p "$W/$1.swanctl"/{conf.d,x509,x509ca,x509ocsp,x509aa,x509ac,x509crl,pubkey,private,rsa,ecdsa,bliss,pkcs8,pkcs12}
  echo "include conf.d/*.conf" >"$W/$1.swanctl/swanctl.conf"
}

# stop_charon NAMESPACE [SIGNAL] — TERM takes its SAs down in order; KILL leaves them in the kernel.
stop_charon() { stop "charon-$1" "${2:-TERM}"; }
restart_charon() { stop_charon "$@"; start_charon "$1"; }

# swanctl_on NAMESPACE COMMAND... — runs swanctl against that namespace's charon.
swanctl_on() {
  local namespace=$1
  shift
  SWANCTL_DIR=$W/$namespace.swanctl STRONGSWAN_CONF=$W/$namespace.strongswan.conf \
    ip netns exec "$namespace" swanctl "$@" --uri "unix://$W/$namespace.vici"
}
load_hub() { swanctl_on "$1" --load-all --clear --noprompt >"$W/load-$1" 2>&1 || { cat "$W/load-$1"; return 1; }; }

# How many IKE SAs, or child SAs, with this name (or any) NAMESPACE's charon has.
count_ike() { swanctl_on "$1" --list-sas | grep -cE "^${2:-[^ ]+}: #.* ESTABLISHED,"; }
count_children() { swanctl_on "$1" --list-sas | grep -cE "^  ${2:-[^ ]+}: #.* INSTALLED,"; }
has_sa() { swanctl_on "$1" --list-sas | grep -E "^  ${2:-[^ ]+}: #.* INSTALLED,"; }

# --- the hubs' ends -------------------------------------------------------------------------------------------------

edge_id=branch-017
secret="correct horse battery staple"

# hub_ipsec HUB NUMBER EDGE-ADDRESS [OPTION=VALUE...] — sets up the hub's end of a tunnel by hand: the device tNUMBER with
# 10.1.NUMBER.2/30 and the routes to the edge's LAN, and the connection eNUMBER in its charon, if one is running. Replaces
# what is there already. EDGE-ADDRESS is %any for an edge behind a NAT. Options, with their defaults:
#   auth=psk          certificate: `issue` has made the hub's and `make_authority` what it trusts
#   secret=…          the pre-shared key      id=HUB.example   its own name      edge_id=branch-017   the edge's
#   mode=tunnel       gre or ipip: a transport for the device that hub_tunnel made, which is left alone
#   ike=… esp=…       proposals               ike_rekey=14400 child_rekey=3600 reauth=0   seconds
#   encap=no          yes: UDP even without a NAT   dpd=30s      unique=no       never: whatever an edge says of first contact
hub_ipsec() {
  local hub=$1 number=$2 edge=$3 word
  local -A option=(
    [auth]=psk [secret]=$secret [id]=$1.example [edge_id]=$edge_id [mode]=tunnel
    [ike]=aes256gcm16-prfsha384-ecp384 [esp]=aes256gcm16-ecp384 [ike_rekey]=14400 [child_rekey]=3600 [reauth]=0
    [encap]=no [dpd]=30s [unique]=no)
  shift 3
  for word; do
    [[ -v option[${word%%=*}] ]] || { echo "hub_ipsec: no such option: $word"; exit 1; }
    option[${word%%=*}]=${word#*=}
  done
  make_folders "$hub"
  hub_connection >"$W/$hub.swanctl/conf.d/e$number.conf"
  if [ "${option[mode]}" = tunnel ]; then
    ip -n "$hub" link del "t$number" 2>/dev/null
    ip -n "$hub" link add "t$number" type xfrm dev wan0 if_id "$number"
    join_tunnel "$hub" "$number"
  fi
  if running "charon-$hub"; then load_hub "$hub" || exit 1; fi
}

# hub_connection — prints the connection for hub_ipsec's options.
hub_connection() {
  local auth=psk certificate='' selector=0.0.0.0/0 identifiers='' rekey=${option[child_rekey]}
  if [ "${option[auth]}" = certificate ]; then auth=pubkey certificate="certs = $hub.pem"; fi
  if [ "${option[mode]}" = tunnel ]; then identifiers="if_id_in = $number
        if_id_out = $number"
  else selector="dynamic[${option[mode]/ipip/4}]"
  fi
  cat <<S
connections {
  e$number {
    version = 2
    local_addrs = ${hub_address[$hub]}
    remote_addrs = $edge
    proposals = ${option[ike]}
    rekey_time = ${option[ike_rekey]}
    reauth_time = ${option[reauth]}
    over_time = 60
    rand_time = 0
    dpd_delay = ${option[dpd]}
    encap = ${option[encap]}
    unique = ${option[unique]}
    local {
      auth = $auth
      id = ${option[id]}
      $certificate
    }
    remote {
      auth = $auth
      id = ${option[edge_id]}
    }
    children {
      e$number {
        mode = $([ "${option[mode]}" = tunnel ] && echo tunnel || echo transport)
        local_ts = $selector
        remote_ts = $selector
        esp_proposals = ${option[esp]}
        rekey_time = $rekey
        # The default is a tenth more, so an SA that lives a few seconds would expire before it is rekeyed.
        life_time = $((rekey + 60))
        rand_time = 0
        $identifiers
      }
    }
  }
}
secrets {
  ike-e$number {
    id-1 = ${option[id]}
    id-2 = ${option[edge_id]}
    secret = "${option[secret]}"
  }
}
S
}

# --- keys and certificates ------------------------------------------------------------------------------------------

# The files that the edge's rule sets name: `secrets_directory` of its local configuration.
secrets=$W/secrets
install -d -m 700 "$secrets"

# keep_secret FILE — writes standard input to a file that only root can read.
keep_secret() { (umask 077; cat >"$secrets/$1.next") && mv "$secrets/$1.next" "$secrets/$1"; }
write_psk() { printf '%s\n' "${2:-$secret}" | keep_secret "$1"; }

pki_quietly() {
  [ -e "$W/pki.conf" ] || echo "pki { load = $tool_plugins }" >"$W/pki.conf"
  STRONGSWAN_CONF=$W/pki.conf pki "$@" 2>>"$W/pki.log"
}

# make_authority [NAME] — makes a certification authority. Edge and hubs trust the one called `authority` from now on.
make_authority() {
  local name=${1:-authority} hub
  pki_quietly --gen --type ecdsa --size 384 --outform pem >"$W/$name.key" || return
  pki_quietly --self --ca --in "$W/$name.key" --type ecdsa --dn "CN=lab $name" --outform pem >"$W/$name.pem" || return
  [ "$name" = authority ] || return 0
  keep_secret authority.pem <"$W/authority.pem"
  for hub in hub1 hub2; do
    make_folders "$hub"
    cp "$W/authority.pem" "$W/$hub.swanctl/x509ca/"
  done
}

# issue NAME TYPE [AUTHORITY] — makes a key (rsa, ecdsa or ed25519) and a certificate for it. A hub's certificate is for
# HUB.example and goes to its charon; any other is for NAME itself, with NAME.pem and NAME.key among the edge's secrets.
issue() {
  local name=$1 type=$2 authority=${3:-authority} identity=$1 size=()
  [[ $name != hub* ]] || identity=$name.example
  case $type in rsa) size=(--size 2048) ;; ecdsa) size=(--size 384) ;; esac
  pki_quietly --gen --type "$type" "${size[@]}" --outform pem >"$W/$name.key" || return
  pki_quietly --pub --in "$W/$name.key" --type priv --outform pem >"$W/$name.pub" || return
  pki_quietly --issue --in "$W/$name.pub" --type pub --cacert "$W/$authority.pem" --cakey "$W/$authority.key" \
    --dn "CN=$identity" --san "$identity" --outform pem >"$W/$name.pem" || return
  if [[ $name = hub* ]]; then
    make_folders "$name"
    cp "$W/$name.pem" "$W/$name.swanctl/x509/"
    cp "$W/$name.key" "$W/$name.swanctl/private/"
  else
    keep_secret "$name.pem" <"$W/$name.pem"
    keep_secret "$name.key" <"$W/$name.key"
  fi
}

# --- a NAT, and lines that lose --------------------------------------------------------------------------------------

# nat_between — what the edge sends to hubs by wan0 comes from inet's own address and from random ports; ESP without UDP does
# not pass, and unsolicited packets are dropped.
nat_between() {
  on inet nft -f - <<'N'
table inet nat {
  chain leave {
    type nat hook postrouting priority srcnat
    iifname "e0" oifname { "h1", "h2" } meta l4proto udp masquerade to :20000-29999
    iifname "e0" oifname { "h1", "h2" } masquerade
  }
  chain pass {
    type filter hook forward priority filter
    iifname { "e0", "h1", "h2" } ip protocol 50 drop
  }
  chain unasked {
    type filter hook input priority filter
    iifname { "h1", "h2" } udp dport 20000-29999 drop
  }
}
N
}

# nat_forgets — the NAT forgets every mapping, so what the edge sends next comes from other ports.
nat_forgets() { on inet conntrack -D -p udp --orig-src "$wan0" >/dev/null 2>&1; }
# The ports that the hubs currently see the edge at.
nat_ports() { on inet conntrack -L -p udp --orig-src "$wan0" 2>/dev/null | grep -o 'dport=2[0-9]*' | sort -u; }

# cut_esp [MATCH] — silently drops encrypted packets (that match), and lets IKE pass. cut_ike — drops IKE too.
cut_esp() {
  on inet nft -f - <<N
table inet lose_esp {
  chain lose {
    type filter hook prerouting priority raw
    ${1:-} ip protocol 50 drop
    ${1:-} udp dport 4500 @th,64,32 != 0 drop
    ${1:-} udp sport 4500 @th,64,32 != 0 drop
  }
}
N
}
cut_ike() {
  on inet nft -f - <<'N'
table inet lose_ike {
  chain lose {
    type filter hook prerouting priority raw
    ip protocol 50 drop
    udp dport { 500, 4500 } drop
    udp sport { 500, 4500 } drop
  }
}
N
}
mend_esp() { on inet nft delete table inet lose_esp; }
mend_ike() { on inet nft delete table inet lose_ike; }

# ESP that crossed the internet, in UDP or bare.
esp_crossed() { echo $(($(crossed bare_esp) + $(crossed natt))); }

# --- watches --------------------------------------------------------------------------------------------------------

# All that an edge may send while nothing may leave in the clear: ESP and IKE to a hub, its kernel's "port unreachable" for
# IKE, the agent's own pings, and what a link needs (ARP, neighbour discovery).
to_hub="(dst host $hub1 or dst host $hub2)"
ike="(udp and (src port 500 or src port 4500) and (dst port 500 or dst port 4500))"
nobody_listens="(icmp[0] = 3 and icmp[17] = 17 and (icmp[30:2] = 500 or icmp[30:2] = 4500))"
in_the_clear="(ip and not $own_pings and not ($to_hub and (ip proto 50 or $ike or $nobody_listens)))
  or (ip6 and not dst net ff02::/16 and not (icmp6 and (ip6[40] = 135 or ip6[40] = 136)))"

# watch_clear NAME — from now on, whatever else leaves the edge by an uplink is captured, and counted where it arrives: a
# capture may miss a packet, the counter does not.
watch_clear() {
  on inet nft -f - <<N
table inet clear-$1 {
  counter heard {}
  chain hear {
    type filter hook prerouting priority -310
    iifname != { "e0", "e1" } return
    ip daddr { $hub1, $hub2 } ip protocol 50 return
    ip daddr { $hub1, $hub2 } udp sport { 500, 4500 } udp dport { 500, 4500 } return
    ip daddr { $hub1, $hub2 } icmp type destination-unreachable @th,136,8 17 @th,240,16 { 500, 4500 } return
    ip saddr { 198.51.100.0/24, 192.0.2.0/24 } ip daddr { $hub1, $hub2, 198.51.100.1, 192.0.2.1 } icmp type echo-request return
    ip6 daddr ff02::/16 return
    icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } return
    counter name heard
  }
}
N
  capture "clear-$1-wan0" edge wan0 -Q out "$in_the_clear" &&
    capture "clear-$1-wan1" edge wan1 -Q out "$in_the_clear"
}
heard_clear() { on inet nft -j list counter inet "clear-$1" heard | jq '.nftables[] | .counter? // empty | .packets'; }

# check_clear NAME — nothing has left in the clear; ends the watch.
check_clear() {
  check "$1: nothing left by wan0 in the clear" saw_none "clear-$1-wan0"
  check "$1: nor by wan1" saw_none "clear-$1-wan1"
  check "$1: nor did the internet hear any" is 0 heard_clear "$1"
  on inet nft delete table inet "clear-$1"
}

# check_watch — proves that such a watch notices: the router itself sends a packet in the clear.
check_watch() {
  watch_clear witness
  on edge ping -q -c 1 -W 1 "$server" >/dev/null
  check "a watch sees a packet that leaves in the clear" saw clear-witness-wan0
  check "and so does the internet" at_least "$(heard_clear witness)" 1
  on inet nft delete table inet clear-witness
}

# --- the agent ------------------------------------------------------------------------------------------------------

# From here on the basic rule set's tunnel is an IPsec one.
basic_rule_set="$basic_rule_set"'
  | .ipsec_profiles = [{name: "to-fra", auth: "psk", remote_id: "hub1.example", psk_file: "fra.psk"}]
  | .tunnels[0] += {kind: "ipsec", profile: "to-fra"}'

# bring_up_ipsec [JQ-EDIT] — like bring_up, with a charon at each end. `hub_options` are for the hub's.
hub_options=()
bring_up_ipsec() {
  put_up_ipsec "$wan0"
  steer "${1:-.}"
}

# put_up_ipsec EDGE-ADDRESS — sets up the network, both daemons, and the hub's end of the tunnel.
put_up_ipsec() {
  put_up
  write_psk fra.psk
  hub_ipsec hub1 1 "$1" "${hub_options[@]}"
  start_charon hub1
  start_charon edge
}

# steer [JQ-EDIT] — publishes, starts the agent and waits until it steers.
steer() {
  publish "${1:-.}"
  [[ $source_url = file://* ]] || serve_rule_sets
  [ -e "$W/agent.toml" ] || configure
  start_agent
  must "the agent steers the client's traffic into the tunnel" soon 30 mode_is backhaul
}

# tunnel_says NAME JQ — a value of this tunnel from `backhaul tunnels`.
tunnel_says() { ask tunnels | jq -r --arg name "$1" ".tunnels[] | select(.name == \$name) | $2"; }
tunnel_is() { is "$3" tunnel_says "$1" "$2"; }
ike_is() { tunnel_is "$1" .ike.state "$2"; }
trouble_names() { tunnel_says "$1" .ike.trouble | grep -iE -- "$2" || { tunnel_says "$1" .ike; return 1; }; }
rule_says() { ask status | jq -r --arg rule "${2:-office}" ".rules[] | select(.name == \$rule) | $1"; }
path_cause() { ask status | jq -r --arg path "$1" '.paths[] | select(.name == $path) | .cause'; }
# What the newest event of this kind says.
event_says() { ask events | jq -c --arg kind "$1" '[.events[] | select(.kind == $kind)][-1] // "no such event"'; }
event_names() { event_says "$1" | grep -iE -- "$2" || { event_says "$1"; return 1; }; }

# What identifies an edge's child SA; every rekeying changes it.
spi_of() { swanctl_on edge --list-sas | grep -A 8 "^  $1: #.* INSTALLED," | sed -n 's/^ *in  \([0-9a-f]*\).*/\1/p' | tail -1; }

# forget_sas NAMESPACE — removes all IPsec state from the kernel, as a reboot does.
forget_sas() { ip -n "$1" xfrm state flush; ip -n "$1" xfrm policy flush; }
