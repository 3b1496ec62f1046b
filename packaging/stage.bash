# Lays out what every Backhaul package contains below a folder. The scripts that make packages source it, from the top of
# the checkout.
# shellcheck shell=bash

# stage PROGRAM ROOT VERSION [TELLS] — the program, its units, charon's settings, samples, manual pages and completions.
# TELLS is the program that writes manual pages and completions, if PROGRAM is for another architecture.
stage() {
  local program=$1 root=$2 version=$3 tells=${4:-$1} shell unit
  local doc=$root/usr/share/doc/backhaul man=$root/usr/share/man
  stage_file 755 "$program" "$root/usr/bin/backhaul"
  for unit in backhaul.service backhaul-guard.service backhaul-hooks.socket backhaul-hooks@.service system-backhaulhooks.slice; do
    stage_file 644 "packaging/systemd/$unit" "$root/lib/systemd/system/$unit"
  done
  stage_file 644 packaging/systemd/strongswan.service.d/backhaul.conf "$root/lib/systemd/system/strongswan.service.d/backhaul.conf"
  stage_file 644 packaging/strongswan/backhaul.conf "$root/etc/strongswan.d/backhaul.conf"
  install -d "$root/etc/backhaul" "$root/etc/backhaul/hooks.d"
  stage_file 644 packaging/grafana/backhaul.json "$root/usr/share/backhaul/grafana/backhaul.json"
  stage_file 644 packaging/prometheus/backhaul.rules.yml "$root/usr/share/backhaul/prometheus/backhaul.rules.yml"

  stage_file 644 etc/agent.toml "$doc/examples/agent.toml"
  stage_file 644 etc/rule-set.example.json "$doc/examples/rule-set.json"
  stage_file 644 etc/rule-set.ipsec.example.json "$doc/examples/rule-set.ipsec.json"
  stage_file 644 etc/rule-set.schema.json "$doc/rule-set.schema.json"
  stage_packed "$doc/README.md.gz" <README.md
  stage_file 644 packaging/deb/copyright "$doc/copyright"

  packaging/manual "$version" "$tells" | stage_packed "$man/man1/backhaul.1.gz"
  stage_guides
  for shell in bash/bash-completion/completions/backhaul zsh/zsh/vendor-completions/_backhaul fish/fish/vendor_completions.d/backhaul.fish; do
    # The shell reads these and does not run them, so they need no #! line.
    "$tells" --generate-completion-script "${shell%%/*}" | sed '1{/^#!/d}' | stage_text "$root/usr/share/${shell#*/}"
  done
}

stage_file() { install -D -m "$1" "$2" "$3"; }
stage_text() { mkdir -p "$(dirname "$1")" && cat >"$1"; }
stage_packed() { gzip -9n | stage_text "$1"; }
# Each page of etc as a manual page; the Markdown ones also unchanged.
stage_guides() {
  local name section file
  while read -r name section file; do
    packaging/manual-of-file "$name" "$section" "$version" "etc/$file" | stage_packed "$man/man$section/$name.$section.gz"
    case $file in *.md) stage_packed "$doc/$file.gz" <"etc/$file" ;; esac
  done <packaging/manual-pages
}

# The same commit makes the same package: all files get the commit's time.
set_package_time() {
  SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || date +%s)}
  export SOURCE_DATE_EPOCH
}
age_alike() { find "$1" -exec touch -hd "@$SOURCE_DATE_EPOCH" {} +; }

# Libraries that the program loads when it first uses them, so that its own list (DT_NEEDED) does not name them.
# shellcheck disable=SC2034 # used by the scripts that source this
loaded_on_demand=(libcurl.so.4 libcrypto.so.3)

# build_release BUILT — makes the stripped release at .build/lab/backhaul, or uses the existing one if BUILT is not empty.
build_release() {
  if [ -z "$1" ]; then
    command -v swift >/dev/null || { echo "${0##*/} needs Swift 6.3 or later, and there is no swift on the PATH" >&2; return 1; }
    need_packages libmnl-dev libnftnl-dev libcurl4-openssl-dev libssl-dev pkg-config gcc libc6-dev binutils
    swift build -c release --static-swift-stdlib --product backhaul >&2
    mkdir -p .build/lab
    strip -o .build/lab/backhaul .build/release/backhaul
  fi
  [ -x .build/lab/backhaul ] || { echo "${0##*/}: there is no .build/lab/backhaul yet" >&2; return 1; }
}

# need_tools COMMAND:PACKAGE... — installs the packages whose commands are missing.
need_tools() {
  local tool packages=()
  for tool; do command -v "${tool%%:*}" >/dev/null || packages+=("${tool#*:}"); done
  install_packages "${packages[@]}"
}

# need_packages PACKAGE... — installs those that are missing. On a system without Debian's packages it does nothing: get the
# same by that system's means.
need_packages() {
  local package packages=()
  command -v dpkg-query >/dev/null || return 0
  for package; do
    [ "$(dpkg-query -Wf '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || packages+=("$package")
  done
  install_packages "${packages[@]}"
}

install_packages() {
  local answer
  [ $# -gt 0 ] || return 0
  if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "${0##*/} needs $*, and installs them itself only as root from Debian's packages" >&2
    return 1
  fi
  echo "installing from Debian's packages: $*" >&2
  answer=$(export DEBIAN_FRONTEND=noninteractive
    apt-get -qq update 2>&1 && apt-get -qq install --yes --no-install-recommends "$@" 2>&1) ||
    { printf '%s\n' "$answer" >&2; return 1; }
}
