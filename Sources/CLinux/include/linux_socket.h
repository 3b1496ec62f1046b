#pragma once
/* Sockets: control messages, filters and credentials. */
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Binds a socket to a path: mark, then device, then source address (network byte order; 0: none), so that neither rules
   nor routes of another path can take its packets. Here because Transfer and System need the same and may not import one
   another. The step that failed, with errno; 0 where none did. */
enum {
  LINUX_PATH_BOUND = 0,
  LINUX_PATH_MARK = 1,
  LINUX_PATH_DEVICE = 2,
  LINUX_PATH_SOURCE = 3,
};
int linux_bind_to_path(int fd, const char *device, uint32_t mark, uint32_t source);

/* ICMP_FILTER and classic BPF are in no module of Glibc's. Lets echo replies and errors with this identifier through and
   nothing else: neither another program's ping nor a flood wakes us. Asks for SO_TIMESTAMPNS too. 0, or -1 and errno. */
int linux_icmp_prepare(int fd, uint16_t identifier);

/* Lets ICMP "fragmentation needed" (type 3, code 4) through and nothing else. 0, or -1 and errno. */
int linux_icmp_too_large(int fd);

/* Of what a netlink socket hears of routes these come through: those of 0 and 1 bits, of IPv6 up to 3, as a default route
   is written; those of `origin` (an RTPROT_…) and of the tables first...last; and main's that are shorter than `shorter`
   bits, with 255 all. Another's table of a million routes wakes nobody then, and pushes nothing else out of the queue. What
   is no route comes through. Replaces the filter that was there. 0, or -1 and errno. */
int linux_hear_routes(int fd, uint8_t origin, uint32_t first, uint32_t last, uint8_t shorter);

/* CMSG_* are macros with pointer arithmetic. Receives one packet without waiting. *stamp is the kernel's receive time in
   ns of CLOCK_REALTIME, or 0 where it gave none. The packet's length (cut to `size`), or -1 and errno. */
ssize_t linux_receive_stamped(int fd, void *buffer, size_t size, int64_t *stamp);

/* accept4 needs _GNU_SOURCE. The new descriptor is CLOEXEC and NONBLOCK. */
int linux_accept(int fd);

/* struct ucred needs _GNU_SOURCE. Who connected, as the kernel saw it then. 0, or -1 and errno. */
int linux_peer_credentials(int fd, int32_t *pid, uint32_t *uid, uint32_t *gid);
