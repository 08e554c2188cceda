// A WebSocket client (RFC 6455) on a socket that does not block, with growing buffers: only what a load generator needs. Masks are
// zero, which costs a server the same as any other.
#pragma once
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

_Noreturn static void fail(const char *what, const char *more) {
  fprintf(stderr, "typists: %s%s%s\n", what, *more ? ": " : "", more);
  exit(1);
}

/// Bytes that grow at their end and are taken from their beginning.
struct buffer {
  uint8_t *bytes;
  size_t begin, end, capacity;
};

static inline void append(struct buffer *to, const void *bytes, size_t count) {
  if (to->end + count > to->capacity && to->begin > 0) {
    memmove(to->bytes, to->bytes + to->begin, to->end - to->begin);
    to->end -= to->begin;
    to->begin = 0;
  }
  if (to->end + count > to->capacity) {
    to->capacity = 2 * (to->end + count);
    if (!(to->bytes = realloc(to->bytes, to->capacity))) fail("no memory", "");
  }
  memcpy(to->bytes + to->end, bytes, count);
  to->end += count;
}

static inline void take(struct buffer *from, size_t count) {
  from->begin += count;
  if (from->begin == from->end) from->begin = from->end = 0;
}

struct websocket {
  int fd;
  bool is_open, waits_to_write;
  struct buffer in, out;
};

enum { TEXT = 1, BINARY = 2, CLOSED = 8, PING = 9, PONG = 10 };

static inline void websocket_connect(struct websocket *socket_, uint16_t port, const char *path, const char *protocol) {
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  *socket_ = (struct websocket){.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), .in = socket_->in, .out = socket_->out};
  socket_->in.begin = socket_->in.end = socket_->out.begin = socket_->out.end = 0;
  // On loopback this is there or refused at once; what follows does not block.
  if (socket_->fd < 0 || connect(socket_->fd, (struct sockaddr *)&to, sizeof to)) fail("connect", strerror(errno));
  setsockopt(socket_->fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
  fcntl(socket_->fd, F_SETFL, O_NONBLOCK);
  char head[512];
  int size = snprintf(head, sizeof head,
                      "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                      "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n%s%s%s\r\n",
                      path, port, *protocol ? "Sec-WebSocket-Protocol: " : "", protocol, *protocol ? "\r\n" : "");
  append(&socket_->out, head, size);
}

/// Writes what waits. False where some of it has to wait on.
static inline bool websocket_flush(struct websocket *to) {
  while (to->out.begin < to->out.end) {
    ssize_t count = send(to->fd, to->out.bytes + to->out.begin, to->out.end - to->out.begin, MSG_NOSIGNAL);
    if (count < 0 && errno == EAGAIN) return false;
    if (count < 0) fail("send", strerror(errno));
    take(&to->out, count);
  }
  return true;
}

/// Puts a message into what waits to be written.
static inline void websocket_put(struct websocket *to, uint8_t opcode, const void *bytes, size_t count) {
  uint8_t head[8] = {0x80 | opcode, 0x80 | (count < 126 ? count : 126)};
  size_t size = 2;
  if (count >= 126) head[size++] = count >> 8, head[size++] = count;
  append(&to->out, head, size + 4);
  append(&to->out, bytes, count);
}

/// Takes the next whole message from what was read: its opcode, or -1. It lies in `in`, and is gone with the next read.
static inline int websocket_next(struct websocket *from, const uint8_t **bytes, size_t *count) {
  const uint8_t *at = from->in.bytes + from->in.begin;
  size_t there = from->in.end - from->in.begin, head = 2;
  if (there < 2) return -1;
  uint64_t size = at[1] & 127;
  size_t more = size == 126 ? 2 : size == 127 ? 8 : 0;
  if (there < head + more) return -1;
  if (more) size = 0;
  for (; head < 2 + more; head++) size = size << 8 | at[head];
  if (there < head + size) return -1;
  *bytes = at + head, *count = size;
  from->in.begin += head + size;
  return at[0] & 15;
}

/// True once the answer to the upgrade has come, of which what follows stays in `in`.
static inline bool websocket_is_upgraded(struct websocket *of) {
  append(&of->in, "", 1);
  of->in.end--;
  char *head = (char *)of->in.bytes + of->in.begin, *end = strstr(head, "\r\n\r\n");
  if (!end) return false;
  if (strncmp(head, "HTTP/1.1 101", 12)) fail("no WebSocket", head);
  take(&of->in, end + 4 - head);
  return of->is_open = true;
}
