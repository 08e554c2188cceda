// The least that a terminal server does for a key: one loop, one read and one write for what came from either side, and no more. It
// speaks ttyd's protocol to typists.c alone (which always asks by the same key, sends no frame over 64 KiB, and waits for the
// prompt), keeps nothing, checks nothing, and forgets a terminal with its connection. What it costs is what the kernel costs:
// bare, the floor of one process; behind HAProxy twice, that of a chain of three, as a router, a node and a holder are.
//
//   floor PORT SCRIPT     serves `sh -c SCRIPT` on 127.0.0.1
#define _GNU_SOURCE
#include "websocket.h"
#include <pty.h>
#include <signal.h>
#include <sys/epoll.h>

enum { PIECE = 65536, EVENTS = 256 };

/// A connection and its terminal; `in` is what was read of an unfinished frame.
struct terminal {
  struct side {
    struct terminal *of;
    int fd;
  } socket, pty;
  bool is_upgraded;
  struct buffer in;
};

static int poller;
static const char *script;

static void watch(struct side *side, struct terminal *of, int fd) {
  *side = (struct side){of, fd};
  if (epoll_ctl(poller, EPOLL_CTL_ADD, fd, &(struct epoll_event){EPOLLIN, {.ptr = side}})) fail("epoll_ctl", strerror(errno));
}

/// A client that does not read holds everybody up: typists.c always reads.
static bool write_all(int fd, const uint8_t *bytes, size_t count) {
  while (count > 0) {
    ssize_t wrote = write(fd, bytes, count);
    if (wrote < 0 && errno == EAGAIN) continue;
    if (wrote <= 0) return false;
    bytes += wrote, count -= wrote;
  }
  return true;
}

static void start(struct terminal *it) {
  int fd;
  pid_t pid = forkpty(&fd, NULL, NULL, &(struct winsize){24, 80, 0, 0});
  if (pid < 0) fail("forkpty", strerror(errno));
  if (pid == 0) {
    execl("/bin/sh", "sh", "-c", script, NULL);
    _exit(127);
  }
  fcntl(fd, F_SETFD, FD_CLOEXEC);
  watch(&it->pty, it, fd);
}

static void end(struct terminal *it) {
  close(it->socket.fd);
  if (it->pty.fd > 0) close(it->pty.fd);
  it->socket.fd = it->pty.fd = -1; // Freed never: an event of the same turn may still name it.
}

static bool upgrade(struct terminal *it) {
  append(&it->in, "", 1);
  it->in.end--;
  char *head = (char *)it->in.bytes + it->in.begin, *last = strstr(head, "\r\n\r\n");
  if (!last) return true;
  static const char answer[] = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                               "Sec-WebSocket-Accept: ICX+Yqv66kxgM0FcWaLWlFLwTAI=\r\nSec-WebSocket-Protocol: tty\r\n\r\n";
  take(&it->in, last + 4 - head);
  it->is_upgraded = true;
  return write_all(it->socket.fd, (const uint8_t *)answer, sizeof answer - 1);
}

/// Takes the frames that are whole: `0` and what is typed, or `{`, upon which the terminal is started.
static bool take_messages(struct terminal *it) {
  for (;;) {
    uint8_t *at = it->in.bytes + it->in.begin;
    size_t there = it->in.end - it->in.begin;
    if (there < 6) return true;
    size_t size = at[1] & 127, head = 6;
    if (size == 126) size = at[2] << 8 | at[3], head = 8;
    if (size == 127 || (at[0] & 15) == CLOSED) return false;
    if (there < head + size) return true;
    const uint8_t *mask = at + head - 4;
    uint8_t *bytes = at + head;
    for (size_t i = 0; i < size; i++) bytes[i] ^= mask[i & 3];
    if (size > 0 && bytes[0] == '{' && it->pty.fd == 0) start(it);
    if (size > 1 && bytes[0] == '0' && !write_all(it->pty.fd, bytes + 1, size - 1)) return false;
    take(&it->in, head + size);
  }
}

static bool read_socket(struct terminal *it) {
  uint8_t piece[PIECE];
  ssize_t count = read(it->socket.fd, piece, sizeof piece);
  if (count < 0 && errno == EAGAIN) return true;
  if (count <= 0) return false;
  append(&it->in, piece, count);
  return (it->is_upgraded || upgrade(it)) && (!it->is_upgraded || take_messages(it));
}

static bool read_pty(struct terminal *it) {
  uint8_t frame[5 + PIECE - 1];
  ssize_t count = read(it->pty.fd, frame + 5, sizeof frame - 5);
  if (count <= 0) return false;
  size_t size = count + 1, skipped = size < 126 ? 2 : 0;
  frame[skipped] = 0x80 | BINARY;
  if (skipped) frame[3] = size;
  else frame[1] = 126, frame[2] = size >> 8, frame[3] = size;
  frame[4] = '0';
  return write_all(it->socket.fd, frame + skipped, 5 + count - skipped);
}

static int listening(uint16_t port) {
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
  if (bind(listener, (struct sockaddr *)&at, sizeof at) || listen(listener, 1024)) fail("listen", strerror(errno));
  return listener;
}

static void accept_one(int listener) {
  int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (fd < 0) return;
  struct terminal *it = calloc(1, sizeof *it);
  if (!it) fail("no memory", "");
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
  watch(&it->socket, it, fd);
}

int main(int count, char **arguments) {
  if (count != 3) fail("floor PORT SCRIPT", "");
  script = arguments[2];
  signal(SIGPIPE, SIG_IGN);
  signal(SIGCHLD, SIG_IGN);
  poller = epoll_create1(EPOLL_CLOEXEC);
  struct side door;
  watch(&door, NULL, listening(atoi(arguments[1])));
  for (;;) {
    struct epoll_event events[EVENTS];
    int ready = epoll_wait(poller, events, EVENTS, -1);
    for (int i = 0; i < ready; i++) {
      struct side *side = events[i].data.ptr;
      if (side == &door) {
        accept_one(door.fd);
      } else if (side->fd >= 0 && !(side == &side->of->pty ? read_pty(side->of) : read_socket(side->of))) {
        end(side->of);
      }
    }
  }
}
