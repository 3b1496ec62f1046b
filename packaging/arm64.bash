# Tools for building and trying the program for 64-bit Arm on another machine: a compiler, and Debian's packages of any
# suite and architecture, without touching this machine's own. Everything is kept in .build/arm64. Sourced from the top of
# the checkout.
# shellcheck shell=bash

work=$PWD/.build/arm64

# --- Debian's packages -------------------------------------------------------------------------------------------------

# The mirror that this machine uses itself.
mirror() { apt-get indextargets --format '$(REPO_URI)' | grep -m1 '/debian/$'; }

# use_apt FOLDER ARCHITECTURES SUITE... — from now on `debian` is an apt of its own, whose lists and archives lie in FOLDER.
# The first of the ARCHITECTURES, which are separated by commas, is its own.
use_apt() {
  local uri suite architectures=$2
  apt=$1
  shift 2
  uri=$(mirror) || { echo "${0##*/}: apt knows no Debian mirror" >&2; return 1; }
  mkdir -p "$apt"/{lists,archives}/partial
  : >"$apt/status"
  for suite; do
    echo "deb [arch=$architectures signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $uri $suite main"
  done >"$apt/sources"
  cat >"$apt/conf" <<C
Dir::Etc::sourcelist "$apt/sources";
Dir::Etc::sourceparts "/dev/null";
Dir::State::lists "$apt/lists";
Dir::State::status "$apt/status";
Dir::Cache::archives "$apt/archives";
Dir::Cache::pkgcache "";
Dir::Cache::srcpkgcache "";
APT::Architecture "${architectures%%,*}";
APT::Architectures { "${architectures//,/\"; \"}"; };
APT::Install-Recommends "0";
APT::Sandbox::User "root";
C
  debian -qq update
}
debian() { APT_CONFIG=$apt/conf apt-get "$@"; }

# unpack ROOT [PATTERN] — unpacks the archives that were fetched, and deletes them.
unpack() {
  local root=$1 archive link
  for link in bin sbin lib lib64; do mkdir -p "$root/usr/$link" && ln -sfn "usr/$link" "$root/$link"; done
  for archive in "$apt"/archives/*.deb; do
    dpkg-deb --fsys-tarfile "$archive" | tar -x -C "$root" --keep-directory-symlink --wildcards \
      --exclude './usr/share/doc' --exclude './usr/share/man' --exclude './usr/share/locale' ${2:+"$2"}
    rm "$archive"
  done
}

# --- the compiler -------------------------------------------------------------------------------------------------------

# In the compiler's root, with this checkout at /src and the target's root at /target.
# shellcheck disable=SC2016
in_compiler() {
  mkdir -p "$work/compiler"/{proc,dev,tmp,root,src,target}
  unshare --mount sh -ec '
    mount -t proc proc "$0/proc"; mount --rbind /dev "$0/dev"; mount --bind "$1" "$0/src"; mount --bind "$2" "$0/target"
    root=$0; shift 2
    exec env -i PATH=/usr/libexec/swift/bin:/usr/bin:/usr/sbin HOME=/root LANG=C.UTF-8 chroot "$root" "$@"' \
    "$work/compiler" "$PWD" "$work/target" "$@"
}

# compile SOURCE PROGRAM — builds a tool in C that needs no C library on the target: it is linked statically.
compile() {
  in_compiler clang --target=aarch64-linux-gnu --sysroot=/target -B/usr/aarch64-linux-gnu/bin -O2 -Wall -Wextra -Werror -std=gnu17 \
    -static -o "/src/.build/arm64/$2" "/src/$1"
}
