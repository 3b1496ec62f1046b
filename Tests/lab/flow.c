// A steady stream of small packets with sequence numbers, and what became of it: the measure of every blackout.
//
//   flow server PORT [ADDRESS]            UDP and TCP: sends each message back with the address that it came from
//   flow client ADDRESS PORT [OPTIONS]    sends, listens, and writes a line of JSON at the end
//     --rate 1000     messages a second       --seconds 10   how long; SIGINT or SIGTERM ends it before
//     --tcp           over one TCP stream     --fresh N      a new socket (so a new flow) after every N messages
//     --bind DEVICE   bound to a device       --progress F   the newest state in a file, written anew every 100 ms
//
// All times are CLOCK_MONOTONIC. The blackout is the longest time between two answers (or from the last one to the end),
// less the interval. `ways` says which outer address the server saw, from which ms on, and how many answers it had.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { maximum_ways = 64, maximum_peers = 64 };

// As it crosses the network. `seen` is the server's to fill in.
struct message {
  uint64_t number;
  uint32_t seen;
  uint32_t run;
};

static volatile sig_atomic_t stopped;

static void stop(int number) {
  (void)number;
  stopped = 1;
}

static void fail(const char *what) {
  fprintf(stderr, "flow: %s: %s\n", what, strerror(errno));
  exit(1);
}

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec + time.tv_nsec / 1e9;
}

// Room for seconds of messages: on a busy machine what waits for its reader is not lost.
static void make_room(int fd) {
  int bytes = 16 << 20;
  if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes) < 0) fail("receive buffer");
}

// --- server -----------------------------------------------------------------------------------------------------------

static int listening(int type, const char *at, int port) {
  int one = 1, fd = socket(AF_INET, type | SOCK_NONBLOCK, 0);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
  if (fd < 0) fail("socket");
  if (at && inet_pton(AF_INET, at, &address.sin_addr) != 1) fail(at);
  make_room(fd);
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0) fail("bind");
  if (type == SOCK_STREAM && listen(fd, 16) < 0) fail("listen");
  return fd;
}

static void answer_datagram(int fd) {
  struct message message;
  struct sockaddr_in from;
  socklen_t length = sizeof from;
  if (recvfrom(fd, &message, sizeof message, 0, (struct sockaddr *)&from, &length) != sizeof message) return;
  message.seen = from.sin_addr.s_addr;
  sendto(fd, &message, sizeof message, 0, (struct sockaddr *)&from, length);
}

// Returns 0 when the peer is gone. Messages are shorter than any segment and sent one by one, but may be cut apart.
static int answer_stream(int fd) {
  struct message messages[64];
  struct sockaddr_in from;
  socklen_t length = sizeof from;
  ssize_t count = recv(fd, messages, sizeof messages, MSG_PEEK);
  if (count == 0 || (count < 0 && errno != EAGAIN)) return 0;
  size_t whole = count < 0 ? 0 : count / sizeof messages[0];
  if (whole == 0) return 1;
  if (recv(fd, messages, whole * sizeof messages[0], 0) < 0) return 0;
  if (getpeername(fd, (struct sockaddr *)&from, &length) < 0) return 0;
  for (size_t i = 0; i < whole; i++) messages[i].seen = from.sin_addr.s_addr;
  return send(fd, messages, whole * sizeof messages[0], MSG_NOSIGNAL) > 0;
}

static int serve(int port, const char *at) {
  struct pollfd watched[2 + maximum_peers] = {
      {.fd = listening(SOCK_DGRAM, at, port), .events = POLLIN}, {.fd = listening(SOCK_STREAM, at, port), .events = POLLIN}};
  int count = 2, one = 1;
  while (!stopped) {
    if (poll(watched, count, 1000) <= 0) continue;
    if (watched[0].revents) answer_datagram(watched[0].fd);
    for (int i = 2; i < count; i++) {
      if (!watched[i].revents || answer_stream(watched[i].fd)) continue;
      close(watched[i].fd);
      watched[i--] = watched[--count];
    }
    if (!watched[1].revents || count == 2 + maximum_peers) continue;
    int peer = accept4(watched[1].fd, NULL, NULL, SOCK_NONBLOCK);
    if (peer < 0) continue;
    setsockopt(peer, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    watched[count++] = (struct pollfd){.fd = peer, .events = POLLIN};
  }
  return 0;
}

// --- client -----------------------------------------------------------------------------------------------------------

struct options {
  struct sockaddr_in to;
  double rate, seconds;
  int tcp;
  long fresh;
  const char *device, *progress;
};

// One address that the server saw us come from, in the order of first sight.
struct way {
  uint32_t address;
  double since;
  uint64_t answers;
};

struct tally {
  double begun, last_answer, blackout, blackout_at;
  uint64_t sent, unsent, answered, highest, late;
  struct way ways[maximum_ways];
  int way_count;
};

static int connected(const struct options *options) {
  int one = 1, fd = socket(AF_INET, (options->tcp ? SOCK_STREAM : SOCK_DGRAM), 0);
  if (fd < 0) fail("socket");
  make_room(fd);
  if (options->device && setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, options->device, strlen(options->device)) < 0)
    fail(options->device);
  if (connect(fd, (const struct sockaddr *)&options->to, sizeof options->to) < 0) fail("connect");
  if (options->tcp) setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  return fd;
}

static void note_gap(struct tally *tally, double at, double interval) {
  double gap = at - tally->last_answer - interval;
  if (gap <= tally->blackout) return;
  tally->blackout = gap;
  tally->blackout_at = tally->last_answer - tally->begun;
}

static void note_way(struct tally *tally, uint32_t address, double at) {
  struct way *last = tally->way_count ? &tally->ways[tally->way_count - 1] : NULL;
  if (last && last->address == address) {
    last->answers++;
  } else if (tally->way_count < maximum_ways) {
    tally->ways[tally->way_count++] = (struct way){address, at - tally->begun, 1};
  }
}

static void note_answer(struct tally *tally, const struct message *message, double interval) {
  double at = now();
  note_gap(tally, at, interval);
  tally->last_answer = at;
  tally->answered++;
  if (message->number < tally->highest) tally->late++; else tally->highest = message->number;
  note_way(tally, message->seen, at);
}

static void receive(int fd, uint32_t run, struct tally *tally, double interval) {
  struct message messages[64];
  ssize_t count;
  // An ICMP error answers with an errno once; what is queued behind it still counts.
  while ((count = recv(fd, messages, sizeof messages, MSG_DONTWAIT)) > 0 || (count < 0 && errno != EAGAIN && errno != EINTR)) {
    if (count < 0) return;
    for (size_t i = 0; i < count / sizeof messages[0]; i++)
      if (messages[i].run == run) note_answer(tally, &messages[i], interval);
  }
}

static void write_report(FILE *file, const struct tally *tally, double end, double interval) {
  struct tally view = *tally;
  note_gap(&view, end, interval);
  fprintf(file, "{\"sent\":%lu,\"unsent\":%lu,\"answered\":%lu,\"lost\":%ld,\"reordered\":%lu,\"blackout_ms\":%.1f,"
    "\"blackout_at_ms\":%.1f,\"ways\":[", view.sent, view.unsent, view.answered, (long)(view.sent - view.answered),
    view.late, view.blackout * 1e3, view.blackout_at * 1e3);
  for (int i = 0; i < view.way_count; i++)
    fprintf(file, "%s{\"address\":\"%s\",\"since_ms\":%.1f,\"answers\":%lu}", i ? "," : "",
      inet_ntoa((struct in_addr){view.ways[i].address}), view.ways[i].since * 1e3, view.ways[i].answers);
  fprintf(file, "]}\n");
}

static void write_progress(const char *path, const struct tally *tally, double interval) {
  char next[4096];
  snprintf(next, sizeof next, "%s.next", path);
  FILE *file = fopen(next, "w");
  if (!file) return;
  write_report(file, tally, now(), interval);
  fclose(file);
  rename(next, path);
}

// Sleeps until `deadline`, taking in answers as they come.
static void listen_until(double deadline, int fd, uint32_t run, struct tally *tally, double interval) {
  for (double left; !stopped && (left = deadline - now()) > 0;) {
    struct timespec time = {.tv_sec = (time_t)left, .tv_nsec = (long)((left - (time_t)left) * 1e9)};
    struct pollfd watched = {.fd = fd, .events = POLLIN};
    if (ppoll(&watched, 1, &time, NULL) > 0) receive(fd, run, tally, interval);
  }
}

static void leave(int fd, uint32_t run, struct tally *tally, double interval) {
  if (fd < 0) return;
  receive(fd, run, tally, interval);
  close(fd);
}

// The last answers are on their way, and a reply that still comes is no loss: until all have come, or twenty looks in a row
// have found none. Looks are counted, not time: where the machine stood still nobody answered meanwhile.
static void await_the_last(int fd, int old, uint32_t run, struct tally *tally, double interval) {
  stopped = 0;
  for (int idle = 0; !stopped && idle < 20 && tally->answered < tally->sent; idle++) {
    uint64_t before = tally->answered;
    listen_until(now() + 0.05, fd, run, tally, interval);
    if (old >= 0) receive(old, run, tally, interval);
    if (tally->answered > before) idle = -1;
  }
}

static int run_client(const struct options *options) {
  struct tally tally = {0};
  double interval = 1 / options->rate;
  uint32_t run = (uint32_t)getpid() ^ (uint32_t)(now() * 1e6);
  int fd = connected(options), old = -1;
  tally.begun = tally.last_answer = now();
  double next = tally.begun, progress = tally.begun, end = tally.begun + options->seconds;
  for (uint64_t number = 0; !stopped && now() < end; number++) {
    if (options->fresh && number && number % options->fresh == 0) {
      // The last answer to the old socket is still on its way: it is read when the next one is old.
      leave(old, run, &tally, interval);
      old = fd;
      fd = connected(options);
    }
    struct message message = {.number = number, .run = run};
    if (send(fd, &message, sizeof message, MSG_NOSIGNAL | MSG_DONTWAIT) == sizeof message) tally.sent++; else tally.unsent++;
    next += interval;
    // A machine that was busy elsewhere does not send a burst to catch up.
    if (next < now() - 0.1) next = now();
    listen_until(next, fd, run, &tally, interval);
    if (options->progress && now() >= progress) {
      write_progress(options->progress, &tally, interval);
      progress = now() + 0.1;
    }
  }
  double ended = now();
  await_the_last(fd, old, run, &tally, interval);
  leave(old, run, &tally, interval);
  write_report(stdout, &tally, ended, interval);
  return 0;
}

static int usage(void) {
  fprintf(stderr, "usage: flow server PORT [ADDRESS] | flow client ADDRESS PORT [--rate N] [--seconds N] [--tcp] [--fresh N] [--bind DEVICE] [--progress FILE]\n");
  return 64;
}

int main(int count, char **words) {
  struct sigaction action = {.sa_handler = stop};
  sigaction(SIGINT, &action, NULL);
  sigaction(SIGTERM, &action, NULL);
  if ((count == 3 || count == 4) && !strcmp(words[1], "server")) return serve(atoi(words[2]), words[3]);
  if (count < 4 || strcmp(words[1], "client")) return usage();
  struct options options = {.rate = 1000, .seconds = 10};
  options.to = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(atoi(words[3]))};
  if (inet_pton(AF_INET, words[2], &options.to.sin_addr) != 1) return usage();
  for (int i = 4; i < count; i++) {
    const char *value = i + 1 < count ? words[i + 1] : NULL;
    if (!strcmp(words[i], "--tcp")) { options.tcp = 1; continue; }
    if (!value) return usage();
    if (!strcmp(words[i], "--rate")) options.rate = atof(value);
    else if (!strcmp(words[i], "--seconds")) options.seconds = atof(value);
    else if (!strcmp(words[i], "--fresh")) options.fresh = atol(value);
    else if (!strcmp(words[i], "--bind")) options.device = value;
    else if (!strcmp(words[i], "--progress")) options.progress = value;
    else return usage();
    i++;
  }
  return run_client(&options);
}
