# What the flowtable has, as conntrack(8) and nft(8) tell: sourced by scenarios about it, after agent.bash.
# shellcheck shell=bash
# shellcheck disable=SC2154 # of topology.bash

export BACKHAUL_LAB_FLOWTABLE=${BACKHAUL_LAB_FLOWTABLE:-true}

# offloaded [CONNTRACK-OPTION...] — the client's offloaded connections.
offloaded() { on edge conntrack -L -o id "$@" -s "$client" -d "$server" 2>/dev/null | grep -F '[OFFLOAD]' || { on edge conntrack -L "$@" -s "$client" 2>/dev/null; return 1; }; }
not_offloaded() { ! offloaded "$@" || return 1; }
id_of_offloaded() { offloaded "$@" | grep -o 'id=[0-9]*'; }
has_flowtable() { on edge nft list table inet backhaul_fast; }
has_no_flowtable() { ! has_flowtable; }
flowtable_devices() { on edge nft -j list flowtables | jq -r '[.nftables[].flowtable? // empty | select(.table == "backhaul_fast") | .dev] | flatten | sort | join(" ")'; }
# counted CHAIN — the packets that a chain of the main table has counted.
counted() { on edge nft -j list chain inet backhaul "$1" | jq '[.nftables[].rule?.expr[]?.counter?.packets // empty] | add'; }
sent_by() { ip -n edge -s -j link show "$1" | jq '.[0].stats64.tx.packets'; }
received_by() { ip -n edge -s -j link show "$1" | jq '.[0].stats64.rx.packets'; }
