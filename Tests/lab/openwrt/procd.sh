# Stands in for OpenWrt's /lib/functions/procd.sh: each message to procd is written whole, in one go, to a FIFO that
# Tests/lab/openwrt/procd reads; words are separated by tabs, and lines end where a message does.
# shellcheck shell=dash

tab=$(printf '\t')
procd_tell() { printf '%s\n' "$1" >/tmp/procd/inbox; }

procd_open_service() { procd_message="set$tab$1"; }
procd_open_instance() { procd_message="$procd_message${tab}instance$tab$1"; }
# The number of words stands before them.
procd_set_param() {
	local word
	procd_message="$procd_message${tab}param$tab$#"
	for word; do procd_message="$procd_message$tab$word"; done
}
procd_close_instance() { return 0; }
procd_close_service() { procd_tell "$procd_message"; }
procd_kill() { procd_tell "delete$tab$1"; }
procd_send_signal() { procd_tell "signal$tab$1$tab$2$tab$(kill -l "$3")"; }
procd_running() { [ -e "/tmp/procd/running/$1.$2" ]; }
