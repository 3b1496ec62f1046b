# Installs what packaging/build-tarball has made; put backhaul_0.1.0_ARCH.tar.xz beside this recipe, in files/. Swift is not
# built by it: no layer of Yocto's has a compiler of Swift 6.2. The program needs glibc 2.36 or later (Yocto 4.1), built
# for arm64 by packaging/build-arm64 2.38 (Yocto 4.3).
SUMMARY = "Agent that takes a branch's internet traffic to a hub"
DESCRIPTION = "Sends the internet traffic of the devices behind this router to a hub, watches the hub, and moves the \
traffic to the local WAN when the hub is gone."
SECTION = "net"
# None is stated by the repository yet.
LICENSE = "CLOSED"

COMPATIBLE_HOST = "(x86_64|aarch64).*-linux"
COMPATIBLE_HOST:libc-musl = "null"
BACKHAUL_ARCH:x86-64 = "amd64"
BACKHAUL_ARCH:aarch64 = "arm64"
SRC_URI = "file://backhaul_${PV}_${BACKHAUL_ARCH}.tar.xz;subdir=${BP}"

inherit bin_package systemd useradd

# The image's own libraries; which of them the program needs is found by their names, except libcurl and libcrypto, which it
# loads when it first uses them.
DEPENDS = "libmnl libnftnl curl openssl"
RDEPENDS:${PN} += "ca-certificates libcurl libcrypto"
RRECOMMENDS:${PN} += "kernel-module-nf-tables kernel-module-nft-masq kernel-module-nft-ct kernel-module-ip-gre \
    kernel-module-ipip kernel-module-xfrm-interface kernel-module-esp4"

USERADD_PACKAGES = "${PN}"
USERADD_PARAM:${PN} = "--system --user-group --home-dir /var/lib/backhaul --no-create-home --shell /sbin/nologin backhaul; \
    --system --user-group --home-dir /var/lib/backhaul-hooks --no-create-home --shell /sbin/nologin backhaul-hooks"
SYSTEMD_SERVICE:${PN} = "backhaul-guard.service backhaul-hooks.socket backhaul.service"

do_install:append() {
    if [ "${systemd_system_unitdir}" != /lib/systemd/system ] && [ -d ${D}/lib/systemd ]; then
        install -d ${D}${systemd_system_unitdir}
        cp -r ${D}/lib/systemd/system/. ${D}${systemd_system_unitdir}/
        rm -r ${D}/lib
    fi
    # The users are made by useradd.
    rm -r ${D}${nonarch_libdir}/sysusers.d
    chown -R root:root ${D}
}

FILES:${PN} += "${systemd_system_unitdir} ${nonarch_libdir}/tmpfiles.d ${nonarch_libdir}/backhaul ${datadir}"
CONFFILES:${PN} = "${sysconfdir}/strongswan.d/backhaul.conf"
# It is stripped when it comes.
INSANE_SKIP:${PN} = "already-stripped ldflags"
