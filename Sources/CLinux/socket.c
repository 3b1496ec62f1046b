#define _GNU_SOURCE
#include "CLinux.h"
#include <arpa/inet.h>
#include <linux/filter.h>
#include <linux/icmp.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#ifndef SOL_RAW
#define SOL_RAW 255
#endif

int linux_bind_to_path(int fd, const char *device, uint32_t mark, uint32_t source) {
  if (setsockopt(fd, SOL_SOCKET, SO_MARK, &mark, sizeof mark)) return LINUX_PATH_MARK;
  if (setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, device, (socklen_t)strlen(device) + 1)) return LINUX_PATH_DEVICE;
  if (source == 0) return LINUX_PATH_BOUND;
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = source};
  /* The port is chosen at connect, so that probes of many paths cannot exhaust the ports of one address. */
  int one = 1;
  setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
  if (bind(fd, (struct sockaddr *)&address, sizeof address)) return LINUX_PATH_SOURCE;
  return LINUX_PATH_BOUND;
}

int linux_icmp_prepare(int fd, uint16_t identifier) {
  /* A set bit drops that type. */
  struct icmp_filter types = {
      .data = ~(1u << ICMP_ECHOREPLY | 1u << ICMP_DEST_UNREACH | 1u << ICMP_TIME_EXCEEDED | 1u << ICMP_PARAMETERPROB)};
  /* Offsets are from the outer IP header; a load beyond the packet drops it. An error quotes our own packet from its IP
     header on, 8 bytes into the message. */
  struct sock_filter program[] = {
      BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 0),
      BPF_STMT(BPF_LD | BPF_B | BPF_IND, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ICMP_ECHOREPLY, 0, 2),
      BPF_STMT(BPF_LD | BPF_H | BPF_IND, 4),
      BPF_STMT(BPF_JMP | BPF_JA, 6),
      BPF_STMT(BPF_LD | BPF_B | BPF_IND, 8),
      BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0x0f),
      BPF_STMT(BPF_ALU | BPF_LSH | BPF_K, 2),
      BPF_STMT(BPF_ALU | BPF_ADD | BPF_X, 0),
      BPF_STMT(BPF_MISC | BPF_TAX, 0),
      BPF_STMT(BPF_LD | BPF_H | BPF_IND, 8 + 4),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, identifier, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, 0x40000),
      BPF_STMT(BPF_RET | BPF_K, 0),
  };
  struct sock_fprog filter = {.len = sizeof program / sizeof *program, .filter = program};
  int one = 1;
  if (setsockopt(fd, SOL_RAW, ICMP_FILTER, &types, sizeof types)) return -1;
  if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter)) return -1;
  return setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &one, sizeof one);
}

int linux_icmp_too_large(int fd) {
  struct icmp_filter types = {.data = ~(1u << ICMP_DEST_UNREACH)};
  struct sock_filter program[] = {
      BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 0),
      BPF_STMT(BPF_LD | BPF_B | BPF_IND, 1),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ICMP_FRAG_NEEDED, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, 0x40000),
      BPF_STMT(BPF_RET | BPF_K, 0),
  };
  struct sock_fprog filter = {.len = sizeof program / sizeof *program, .filter = program};
  if (setsockopt(fd, SOL_RAW, ICMP_FILTER, &types, sizeof types)) return -1;
  return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter);
}

#define TAKE BPF_STMT(BPF_RET | BPF_K, 0x40000)
#define LEAVE BPF_STMT(BPF_RET | BPF_K, 0)
#define IF(test, value, yes, no) BPF_JUMP(BPF_JMP | (test) | BPF_K, value, yes, no)
#define BYTE(place) BPF_STMT(BPF_LD | BPF_B | BPF_ABS, place)
#define PART(place, shift) BPF_STMT(BPF_LD | BPF_B | BPF_IND, place), BPF_STMT(BPF_ALU | BPF_LSH | BPF_K, shift)
#define WITH(memory) BPF_STMT(BPF_LDX | BPF_MEM, memory), BPF_STMT(BPF_ALU | BPF_OR | BPF_X, 0)

int linux_hear_routes(int fd, uint8_t origin, uint32_t first, uint32_t last, uint8_t shorter) {
  /* struct rtmsg stands behind a header of 16 bytes: family, length, …, at 5 the protocol, 12 bytes in all. Whatever is
     longer than a byte is in network byte order once it is loaded, and in the machine's in a message. */
  enum { FAMILY = 16, LENGTH = 17, PROTOCOL = 21, ATTRIBUTES = 28 };
  const int is_little = htons(1) != 1;
  struct sock_filter program[] = {
      BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 4),
      IF(BPF_JEQ, htons(RTM_NEWROUTE), 2, 0),
      IF(BPF_JEQ, htons(RTM_DELROUTE), 1, 0),
      TAKE,
      BYTE(FAMILY),
      IF(BPF_JEQ, AF_INET, 0, 4),
      BYTE(LENGTH), IF(BPF_JGT, 1, 1, 0), TAKE, BPF_STMT(BPF_JMP | BPF_JA, 3),
      BYTE(LENGTH), IF(BPF_JGT, 3, 1, 0), TAKE,
      BYTE(PROTOCOL), IF(BPF_JEQ, origin, 0, 1), TAKE,
      /* The table has more than the 8 bits of its field; fib_dump_info and rt6_fill_node always add the attribute. */
      BPF_STMT(BPF_LDX | BPF_W | BPF_IMM, RTA_TABLE),
      BPF_STMT(BPF_LD | BPF_W | BPF_IMM, ATTRIBUTES),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)(SKF_AD_OFF + SKF_AD_NLATTR)),
      IF(BPF_JEQ, 0, 0, 1), TAKE,
      BPF_STMT(BPF_MISC | BPF_TAX, 0),
      PART(is_little ? 7 : 4, 24), BPF_STMT(BPF_ST, 0),
      PART(is_little ? 6 : 5, 16), BPF_STMT(BPF_ST, 1),
      PART(is_little ? 5 : 6, 8), BPF_STMT(BPF_ST, 2),
      PART(is_little ? 4 : 7, 0), WITH(2), WITH(1), WITH(0),
      IF(BPF_JEQ, RT_TABLE_MAIN, 0, 4),
      BYTE(LENGTH), IF(BPF_JGE, shorter, 1, 0), TAKE, LEAVE,
      IF(BPF_JGE, first, 1, 0), LEAVE,
      IF(BPF_JGT, last, 0, 1), LEAVE,
      TAKE,
  };
  struct sock_fprog filter = {.len = sizeof program / sizeof *program, .filter = program};
  return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter);
}
#undef TAKE
#undef LEAVE
#undef IF
#undef BYTE
#undef PART
#undef WITH

ssize_t linux_receive_stamped(int fd, void *buffer, size_t size, int64_t *stamp) {
  union {
    char bytes[CMSG_SPACE(sizeof(struct timespec)) + 64];
    struct cmsghdr aligned;
  } control;
  struct iovec vector = {.iov_base = buffer, .iov_len = size};
  struct msghdr message = {
      .msg_iov = &vector, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
  *stamp = 0;
  ssize_t length = recvmsg(fd, &message, MSG_DONTWAIT);
  if (length < 0) return -1;
  for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c; c = CMSG_NXTHDR(&message, c)) {
    if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_TIMESTAMPNS) continue;
    struct timespec time;
    memcpy(&time, CMSG_DATA(c), sizeof time);
    *stamp = (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
  }
  return length;
}

int linux_accept(int fd) { return accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK); }

int linux_peer_credentials(int fd, int32_t *pid, uint32_t *uid, uint32_t *gid) {
  struct ucred peer;
  socklen_t length = sizeof peer;
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length)) return -1;
  *pid = peer.pid;
  *uid = peer.uid;
  *gid = peer.gid;
  return 0;
}
