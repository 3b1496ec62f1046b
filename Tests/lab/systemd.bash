# The router with systemd as its first process: in namespaces of processes, mounts and control groups of its own, and in
# the edge's network. Packages are installed and units changed on the guest's root, which is thrown away. Sourced.
# shellcheck shell=bash

# shellcheck source=../lab/agent.bash
. "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/agent.bash"

deb=${BACKHAUL_DEB:-$(ls "$tests"/../.build/deb/backhaul_*.deb)}

# Nothing of what this machine itself would start at boot.
prepare_systemd() {
  must "this is a guest of the lab" test -e /run/lab/command
  local unit
  # Another scenario may have been here in the same guest.
  dpkg --purge backhaul >/dev/null 2>&1
  rm -rf /var/lib/backhaul /etc/backhaul
  rm -rf /etc/systemd/system/*.wants /etc/rc?.d/* /usr/sbin/policy-rc.d
  : >/etc/fstab
  for unit in /usr/lib/systemd/system/*.target.wants/*; do ln -sfn /dev/null "/etc/systemd/system/${unit##*/}"; done
  for unit in console-getty container-getty@ systemd-journald; do ln -sfn /dev/null "/etc/systemd/system/$unit.service"; done
  # There is no journal: what the units say goes to logs of the scenario's.
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

# power_on — its first process runs when this returns, and little else.
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

# On the router, as its root.
router() { nsenter -t "$init" -a "$@"; }

# As a cable that is pulled from the wall: no process ends in order, and what only the kernel knew is gone.
pull_the_plug() {
  kill -KILL "$init"
  wait "${processes[systemd]}" 2>/dev/null
  unset "processes[systemd]"
  on edge "$backhaul" teardown --config /etc/backhaul/agent.toml >/dev/null
  local device
  for device in lan0 wan0 wan1; do ip -n edge link set "$device" down; done
}

install_package() { router env DEBIAN_FRONTEND=noninteractive dpkg -i "$deb"; }

# The local configuration as the package's samples have it: sockets and state where the units expect them.
configure_service() {
  configure "$@"
  sed '/^\[files\]/,/^state_directory/d' "$W/agent.toml" >/etc/backhaul/agent.toml
}

ask() { router backhaul "$1" --json; }
unit_says() { router systemctl show -P "$2" "$1.service"; }
agent_restarts() { unit_says backhaul NRestarts; }
