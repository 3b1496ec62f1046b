# The router as OpenWrt sets it up: a root of its own with busybox, the package's files as its Makefile lays them out, /var
# in memory, init scripts run by stand-ins for rc.common and procd, and no C library except the package's own. Sourced.
# shellcheck shell=bash

# shellcheck source=../lab/agent.bash
. "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/agent.bash"

tarballs=${BACKHAUL_TARBALLS:-$tests/../.build/tarball}
stand_ins=$tests/lab/openwrt
router=$W/router

# Runs a command in the router's root and network. /proc is mounted only for that command, in ip's mount namespace.
# shellcheck disable=SC2016
router() { ip netns exec edge sh -c 'mount -t proc proc "$0/proc" && exec chroot "$0" "$@"' "$router" "$@"; }
# init SCRIPT ACTION — does what /etc/init.d/SCRIPT ACTION would.
init() { router /bin/busybox ash /etc/rc.common "/etc/init.d/$1" "$2"; }

prepare_router() {
  local applet
  mkdir -p "$router"/{bin,dev,proc,sys,tmp/run,lib/functions,etc/rc.d,etc/init.d}
  ln -s tmp "$router/var"
  cp "$(command -v busybox)" "$router/bin/busybox"
  for applet in $("$router/bin/busybox" --list); do [ -e "$router/bin/$applet" ] || ln -s busybox "$router/bin/$applet"; done
  cp "$stand_ins/rc.common" "$router/etc/rc.common"
  cp "$stand_ins/procd.sh" "$router/lib/functions/procd.sh"
  touch "$router/etc/rc.d/S20network"
  cp "$stand_ins"/{ubus,uci} "$router/bin/"
  mknod "$router/dev/null" c 1 3 && mknod "$router/dev/zero" c 1 5 && mknod "$router/dev/urandom" c 1 9
  start syslog edge chroot "$router" /bin/busybox syslogd -n -O /log
}

install_package() {
  make --silent -C "$tests/../packaging/openwrt/backhaul" -f Makefile install \
    TOPDIR="$stand_ins" STAGING="$W/staging" DL_DIR="$tarballs" ROOT="$router" ARCH="$(uname -m)"
}

# boot_router [FROM TO] — starts the enabled services in order, as at power-on, or only those with numbers FROM to TO. It
# also does what netifd would.
boot_router() {
  local link
  for link in "$router"/etc/rc.d/S*; do
    if [[ ${link##*/} < ${1:-S} || ${link##*/} > ${2:-T} ]]; then continue; fi
    case ${link##*/} in
      S20network) network_up ;;
      *) init "$(basename "$(readlink "$link")")" boot || return ;;
    esac
  done
}
network_up() {
  local device
  for device in lan0 wan0; do ip -n edge link set "$device" up; done
  ip -n edge route replace default via 198.51.100.1 dev wan0 metric 100
}

# What procd was told to do, and did.
told() { grep -F -- "$1" "$W/procd.log"; }
times_told() { grep -cF -- "$1" "$W/procd.log"; }
start_procd() { start procd edge "$stand_ins/procd" "$router" edge; soon 10 test -p "$router/tmp/procd/inbox" >/dev/null; }

# Like pulling the power cable: no process ends in order, and what only the kernel and the RAM disk knew is gone.
pull_the_plug() {
  local device
  stop procd KILL
  kill -KILL "$(agent_process)"
  router backhaul teardown >/dev/null
  rm -rf "$router"/tmp/*
  mkdir "$router/tmp/run"
  for device in lan0 wan0; do ip -n edge link set "$device" down; done
}

# The package's own configuration, plus what a technician adds.
configure_router() {
  sed -e 's/^# device = .*/device = "branch-017"/' -e 's/"br-lan"/"lan0"/' -e 's/interface = "wan"/interface = "wan0"/' \
    -e "s|^# source = .*|source = \"$source_url\"\nallow_insecure_http = true\ninterval_seconds = 3600\ntimeout_seconds = 3|" \
    "$router/etc/backhaul/agent.toml" >"$W/agent.toml" && cp "$W/agent.toml" "$router/etc/backhaul/agent.toml"
}

agent_process() { cat "$router/tmp/procd/running/backhaul.agent"; }
ask() { router backhaul "$1" --json; }
