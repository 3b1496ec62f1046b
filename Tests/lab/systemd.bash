# The router with systemd as its first process, in its own process, mount and control group namespaces and in the edge's
# network. Packages are installed and units changed on the guest's root, which is thrown away. Sourced.
# shellcheck shell=bash

# Unless the scenario has already sourced ipsec.bash, which includes this.
# shellcheck source=../lab/agent.bash
declare -F configure >/dev/null || . "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/agent.bash"

deb=${BACKHAUL_DEB:-$(ls "$tests"/../.build/deb/backhaul_*.deb)}

# Nothing that this machine itself would start at boot.
prepare_systemd() {
  must "this is a guest of the lab" test -e /run/lab
  local unit
  # Another scenario may have run before in the same guest.
  dpkg --purge backhaul >/dev/null 2>&1
  rm -rf /var/lib/backhaul /etc/backhaul /etc/systemd/system/{backhaul,backhaul-guard,strongswan}.service.d
  rm -rf /etc/systemd/system/lab-*.service /etc/systemd/system/*.wants /etc/rc?.d/* /usr/sbin/policy-rc.d
  : >/etc/fstab
  # Rebuilding the index of all manual pages would take most of the time of each installation.
  rm -f /var/lib/man-db/auto-update
  for unit in /usr/lib/systemd/system/*.target.wants/*; do ln -sfn /dev/null "/etc/systemd/system/${unit##*/}"; done
  for unit in console-getty container-getty@ systemd-journald; do ln -sfn /dev/null "/etc/systemd/system/$unit.service"; done
  # There is no journal: the units' output goes to the scenario's logs.
  for unit in backhaul backhaul-guard; do
    drop_in "$unit" log "[Service]
StandardOutput=append:$W/$unit.log
StandardError=append:$W/$unit.log"
  done
}

# drop_in UNIT NAME TEXT
drop_in() {
  mkdir -p "/etc/systemd/system/$1.service.d"
  printf '%s\n' "$3" >"/etc/systemd/system/$1.service.d/$2.conf"
}

# network_unit [COMMAND...] — does what a router's network configuration does, as early as it may: brings the devices up, and
# runs the commands.
network_unit() {
  cat >/etc/systemd/system/lab-network.service <<T
[Unit]
DefaultDependencies=no
After=network-pre.target
Before=network.target backhaul.service
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=$W/network-up
T
  mkdir -p /etc/systemd/system/sysinit.target.wants
  ln -sfn ../lab-network.service /etc/systemd/system/sysinit.target.wants/lab-network.service
  printf '%s\n' '#!/bin/sh' 'for device in lan0 wan0; do ip link set "$device" up; done' "$@" >"$W/network-up"
  chmod +x "$W/network-up"
}
# shellcheck disable=SC2034 # for those
default_route='ip route add default via 198.51.100.1 dev wan0 metric 100'

# power_on — when this returns the first process is running, and little else.
power_on() {
  env -i container=lab PATH="$PATH" ip netns exec edge unshare --pid --mount --cgroup --fork --kill-child bash -c '
    mount -t proc proc /proc && mount -t tmpfs -o mode=755 run /run && mount -t cgroup2 cgroup2 /sys/fs/cgroup &&
    exec /lib/systemd/systemd --system --unit=multi-user.target --log-target=console --show-status=no' \
    >>"$W/systemd.log" 2>&1 &
  processes[systemd]=$!
  soon 20 eval 'pgrep -P "${processes[systemd]}"' >"$W/init" || return
  init=$(cat "$W/init")
}
boot_router() { power_on && soon 60 router_has_booted; }
router_has_booted() {
  router systemctl is-system-running 2>/dev/null | grep -E 'running|degraded'
}

# Runs a command on the router, as root.
router() { nsenter -t "$init" -a "$@"; }

# Like pulling the power cable: no process ends in order, and what only the kernel knew is gone.
pull_the_plug() {
  kill -KILL "$init"
  wait "${processes[systemd]}" 2>/dev/null
  unset "processes[systemd]"
  on edge "$backhaul" teardown --config /etc/backhaul/agent.toml >/dev/null
  local device
  for device in lan0 wan0 wan1; do ip -n edge link set "$device" down; done
}

install_package() { router env DEBIAN_FRONTEND=noninteractive dpkg --install --force-unsafe-io "$deb"; }

# The local configuration as in the package's samples: sockets, state and secrets where the units expect them.
configure_service() {
  configure "$@"
  sed -e '/^\[files\]/,/^state_directory/d' -e '/^\[ipsec\]/,/^strongswan_conf/d' "$W/agent.toml" >/etc/backhaul/agent.toml
}

# start_service — boots, installs, configures and starts the agent, and waits until it steers: how most scenarios begin.
start_service() {
  must "systemd boots on the router" boot_router
  must "the package installs" install_package
  configure_service
  must "the agent starts and says that it is ready" router systemctl start backhaul.service
  must "it steers the client's traffic into the tunnel" soon 20 mode_is backhaul
}

# restart_service [UNIT-CHANGE] — restarts it with this drop-in from now on, or with none.
restart_service() {
  drop_in backhaul change "[Service]
${1:-}"
  router systemctl daemon-reload
  router systemctl restart backhaul.service
}

# as USER COMMAND... — runs it on the router as that user.
as() {
  local user=$1
  shift
  router setpriv --reuid "$user" --regid "$user" --init-groups -- "$@"
}

# leaves_bare NAME — the client's packets leave by the WAN as the main table says, untranslated.
leaves_bare() {
  capture "$1" inet e0 "icmp and src host $client"
  on client ping -c 1 -W 0.3 "$server" >/dev/null
  saw "$1"
}

ask() { router backhaul "$1" --json; }
unit_says() { router systemctl show -P "$2" "$1.service"; }
agent_restarts() { unit_says backhaul NRestarts; }
agent_process() { unit_says backhaul MainPID; }
# A value of the unit's control group, such as memory.peak.
group_says() { router cat "/sys/fs/cgroup/system.slice/backhaul.service/$1"; }

# --- clients of the local socket ------------------------------------------------------------------------------------------

# add_people — `tech` and `night` are in the agent's group, `stranger` is not.
add_people() {
  local person
  for person in tech night stranger; do
    router id --user "$person" >/dev/null 2>&1 || router useradd --no-create-home --user-group "$person"
  done
  for person in tech night; do router usermod --append --groups backhaul "$person"; done
}
# clients USER MODE [COUNT] — until they end.
clients() { as "$1" python3 -IS - "$2" /run/backhaul/agent.sock "${@:3}" <"$tests/lab/clients"; }
# begin_clients USER MODE [COUNT] — runs them in the background until end_clients USER; returns once they have started.
begin_clients() {
  clients "$@" >"$W/$1.clients" 2>"$W/$1.clients.log" &
  processes[clients-$1]=$!
  soon 20 grep -qx begun "$W/$1.clients" "$W/$1.clients.log"
}
end_clients() {
  router pkill -TERM -u "$1" python3
  wait "${processes[clients-$1]}" 2>/dev/null
  unset "processes[clients-$1]"
}
clients_say() { jq -r "$2" "$W/$1.clients" || cat "$W/$1.clients.log"; }
