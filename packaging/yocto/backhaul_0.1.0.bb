# Installs what packaging/build-tarball has made; put backhaul_0.1.0_ARCH.tar.xz beside this recipe, in files/. The recipe
# compiles nothing, because no Yocto layer has a compiler for Swift 6.2. The program needs glibc 2.36 or later (Yocto 4.1);
# for arm64, as packaging/build-arm64 builds it, 2.38 or later (Yocto 4.3).
SUMMARY = "Agent that sends a branch's internet traffic to a hub"
DESCRIPTION = "Sends the internet traffic of the devices behind this router to a hub, watches the hub, and moves the \
traffic to the local WAN when the hub is gone."
SECTION = "net"
# The repository does not state a license yet.
LICENSE = "CLOSED"

COMPATIBLE_HOST = "(x86_64|aarch64).*-linux"
COMPATIBLE_HOST:libc-musl = "null"
BACKHAUL_ARCH:x86-64 = "amd64"
BACKHAUL_ARCH:aarch64 = "arm64"
SRC_URI = "file://backhaul_${PV}_${BACKHAUL_ARCH}.tar.xz;subdir=${BP}"

inherit bin_package systemd useradd

# The image's own libraries. BitBake finds by itself which of them the program needs, except libcurl and libcrypto, which
# are loaded only when they are first used.
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
    # The useradd class creates the users.
    rm -r ${D}${nonarch_libdir}/sysusers.d
    chown -R root:root ${D}
}

FILES:${PN} += "${systemd_system_unitdir} ${nonarch_libdir}/tmpfiles.d ${nonarch_libdir}/backhaul ${datadir}"
CONFFILES:${PN} = "${sysconfdir}/strongswan.d/backhaul.conf"
# The program comes stripped.
INSANE_SKIP:${PN} = "already-stripped ldflags"
