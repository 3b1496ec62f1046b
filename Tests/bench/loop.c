/* What probing costs at least: loop COUNT MILLISECONDS pings 10.(N / 250 + 20).(N % 250).2 by device vN, N from 1 to COUNT,
   each so often, and reads the answers. Nothing is checked and nothing decided. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>

enum { MOST = 1000 };

static int64_t now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

static void fail(const char *what) {
  perror(what);
  exit(1);
}

int main(int count, char **words) {
  int paths = count == 3 ? atoi(words[1]) : 0, sockets[MOST];
  int64_t interval = count == 3 ? atoi(words[2]) * 1000000LL : 0;
  if (paths < 1 || paths > MOST || interval < 1) return 64;
  int poll = epoll_create1(0);
  struct sockaddr_in targets[MOST];
  for (int i = 0; i < paths; i++) {
    char device[16];
    snprintf(device, sizeof device, "v%d", i + 1);
    sockets[i] = socket(AF_INET, SOCK_RAW | SOCK_NONBLOCK, IPPROTO_ICMP);
    if (sockets[i] < 0) fail("socket");
    if (setsockopt(sockets[i], SOL_SOCKET, SO_BINDTODEVICE, device, strlen(device) + 1)) fail(device);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = sockets[i]};
    if (epoll_ctl(poll, EPOLL_CTL_ADD, sockets[i], &event)) fail("epoll_ctl");
    targets[i] = (struct sockaddr_in){.sin_family = AF_INET,
                                      .sin_addr.s_addr = htonl(10u << 24 | (unsigned)((i + 1) / 250 + 20) << 16 |
                                                               (unsigned)((i + 1) % 250) << 8 | 2)};
  }
  /* 64 bytes, as ours: type 8, a checksum that fits, identifier, number, and zeros. */
  unsigned char request[64] = {8, 0, 0xa7, 0xfe, 0x50, 0x00, 0x00, 0x01};
  int64_t due = now();
  for (int next = 0;; next = (next + 1) % paths) {
    while (now() < due) {
      struct epoll_event ready[64];
      struct timespec left = {.tv_nsec = due - now() > 0 ? due - now() : 0};
      int events = epoll_pwait2(poll, ready, 64, &left, NULL);
      for (int i = 0; i < events; i++) {
        char answer[1024];
        (void)!recv(ready[i].data.fd, answer, sizeof answer, 0);
      }
    }
    if (sendto(sockets[next], request, sizeof request, 0, (struct sockaddr *)&targets[next], sizeof *targets) < 0)
      fail("sendto");
    due += interval / paths;
  }
}
