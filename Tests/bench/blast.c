// blast ADDRESS PORT COUNT established|new — what one packet costs, in nanoseconds.
//
// It sends COUNT small UDP packets, 64 to a call, and prints the nanoseconds that each took. Between network namespaces a
// cable has no queue: the kernel carries a packet through all of them before the call ends. So what is timed is one core
// that sends, forwards and drops. Before that, one packet has to be answered, so that the flow is an established one.
// With `new` each packet is the first of a flow of its own.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

// The question is longer than the rest, so that whoever drops the rest can tell them apart.
enum { batch = 64, length = 18, asked = 32 };

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

static int opened(const struct sockaddr_in *to) {
  int channel = socket(AF_INET, SOCK_DGRAM, 0);
  struct timeval patience = {.tv_sec = 2};
  if (channel < 0 || connect(channel, (const struct sockaddr *)to, sizeof *to) != 0 ||
      setsockopt(channel, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) != 0) {
    perror("blast");
    exit(1);
  }
  return channel;
}

static void send_all(int channel, long count) {
  char text[length] = {0};
  struct iovec piece = {text, length};
  struct mmsghdr messages[batch];
  memset(messages, 0, sizeof messages);
  for (int i = 0; i < batch; i++) {
    messages[i].msg_hdr.msg_iov = &piece;
    messages[i].msg_hdr.msg_iovlen = 1;
  }
  for (long sent = 0; sent < count;) {
    long rest = count - sent;
    int done = sendmmsg(channel, messages, rest < batch ? (unsigned)rest : batch, 0);
    if (done < 0) {
      perror("blast: sendmmsg");
      exit(1);
    }
    sent += done;
  }
}

int main(int argc, char **argv) {
  if (argc != 5) {
    fputs("usage: blast ADDRESS PORT COUNT established|new\n", stderr);
    return 64;
  }
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((unsigned short)atoi(argv[2]))};
  long count = atol(argv[3]);
  if (inet_pton(AF_INET, argv[1], &to.sin_addr) != 1 || count < 1) return 64;
  if (strcmp(argv[4], "new") == 0) {
    // Sockets are made before, so that only packets are timed.
    static int channels[4096];
    if (count > 4096) count = 4096;
    for (long i = 0; i < count; i++) channels[i] = opened(&to);
    double begin = now();
    for (long i = 0; i < count; i++) send_all(channels[i], 1);
    printf("%.0f\n", (now() - begin) / (double)count);
    return 0;
  }
  int channel = opened(&to);
  char text[asked] = {0};
  for (int tries = 0;; tries++) {
    if (tries == 5) {
      fputs("blast: nobody answers\n", stderr);
      return 1;
    }
    if (send(channel, text, asked, 0) == asked && recv(channel, text, asked, 0) > 0) break;
  }
  send_all(channel, count / 20);
  double begin = now();
  send_all(channel, count);
  printf("%.0f\n", (now() - begin) / (double)count);
  return 0;
}
