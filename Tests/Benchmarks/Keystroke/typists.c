// Many typists at web terminals: each types random keys at a rate of its own, whether or not the last one has come back, and
// notes how long each took from when it was due until its echo was read. One thread, one epoll; what it costs itself is told.
// Three protocols: fairlead.v1 (docs/protocol.md), that of terminado, that of ttyd.
//
//   typists MODE PROTOCOL PORT [--typists N] [--rate KEYS] [--bytes N] [--streams K] [--seed N]
//
//   type     keys a second of each typist, as long as asked
//   bulk     so many bytes of output at each session, acknowledged as they come
//   attach   resumes all sessions over new connections, as fast as can be (fairlead only)
//
// It opens all sessions, prints a line of JSON, and then waits for lines on standard input: each is a round of so many
// seconds, which ends with a line of JSON. At the end of input it goes; its sessions are left to their server.
//
// Output is acknowledged as the page does it (Sources/Web/Library/fairlead/terminal.js): 32 KiB at once, less with the next key
// or after 200 ms, and what is due at one time leaves each connection in one message.
#define _GNU_SOURCE
#include <getopt.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <time.h>

#include "websocket.h"

enum { ACK_BYTES = 32 * 1024, ACK_DELAY = 200 * 1000 * 1000, UNDERWAY = 64, OPENING = 32 };
enum protocol { FAIRLEAD, TERMINADO, TTYD };
enum mode { TYPE, BULK, ATTACH };

static const char *const echo_script = "stty raw -echo; printf ready; exec cat";
static const char *const bulk_script =
    "stty raw -echo; printf ready; while read -r size; do head -c $size /dev/zero | tr '\\\\0' x; done";

struct key {
  int64_t due;
  uint8_t byte;
};

struct session {
  struct connection *connection;
  uint32_t stream;
  bool is_opened, is_ready;
  char life[20];
  uint64_t typed, shown, consumed, acknowledged;
  int64_t next_key, ack_due; // 0: none is due
  struct session *ack_before, *ack_after;
  uint64_t rest;             // of bulk
  int64_t waited;            // for all echoes of the round
  int echoes;
  uint32_t first, count;     // of `keys`
  struct key keys[UNDERWAY];
};

struct connection {
  struct websocket socket;
  struct session *sessions;
  int count;
  bool is_dirty;
  struct buffer frames, message;
};

static enum protocol protocol;
static enum mode mode;
static uint16_t port;
static int typists = 20, streams = 1, lines, connections_count, poll_;
static double rate = 10;
static uint64_t bulk_bytes = 1000000, random_state;
static struct session *sessions;
static struct connection *connections;
static int ready, opened;
static bool is_resuming;

// The round: since when keys count, and what came of them.
static int64_t round_began;
static uint64_t keys, wrong, held_back, skipped, bulk_done;
static uint32_t *times; // in units of 10 ns
static size_t times_count, times_capacity;

static int64_t now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1000000000ll + time.tv_nsec;
}

static uint64_t draw(void) { // xorshift64*
  random_state ^= random_state >> 12, random_state ^= random_state << 25, random_state ^= random_state >> 27;
  return random_state * 2685821657736338717ull;
}

static double draw_share(void) { return (draw() >> 11) * 0x1p-53; }

// MARK: What is due: keys in a heap; acknowledgements in a list, since all wait equally long

static struct session **heap, *acks_first, *acks_last;
static int heap_count;

static void sift(int at) {
  struct session *it = heap[at];
  for (int child; (child = 2 * at + 1) < heap_count; at = child) {
    if (child + 1 < heap_count && heap[child + 1]->next_key < heap[child]->next_key) child++;
    if (it->next_key <= heap[child]->next_key) break;
    heap[at] = heap[child];
  }
  heap[at] = it;
}

static void queue_ack(struct session *it, int64_t due) {
  it->ack_due = due;
  it->ack_before = acks_last, it->ack_after = NULL;
  *(acks_last ? &acks_last->ack_after : &acks_first) = it;
  acks_last = it;
}

static void unqueue_ack(struct session *it) {
  if (!it->ack_due) return;
  it->ack_due = 0;
  *(it->ack_before ? &it->ack_before->ack_after : &acks_first) = it->ack_after;
  *(it->ack_after ? &it->ack_after->ack_before : &acks_last) = it->ack_before;
}

// MARK: Frames out

static size_t put_varint(uint8_t *at, uint64_t number) {
  int power = number < 1 << 6 ? 0 : number < 1 << 14 ? 1 : number < 1 << 30 ? 2 : 3;
  size_t size = 1 << power;
  for (size_t i = 0; i < size; i++) at[i] = number >> 8 * (size - 1 - i);
  at[0] |= power << 6;
  return size;
}

static struct connection **dirty;
static int dirty_count;

static void mark_dirty(struct connection *it) {
  if (!it->is_dirty) dirty[dirty_count++] = it;
  it->is_dirty = true;
}

/// Adds a frame of fairlead.v1 to the connection's message of this turn.
static void put_frame(struct connection *to, uint8_t type, uint64_t stream, const void *body, size_t count) {
  uint8_t head[20] = {type}, length[8];
  size_t head_size = 1 + put_varint(head + 1, stream);
  append(&to->message, length, put_varint(length, head_size + count));
  append(&to->message, head, head_size);
  append(&to->message, body, count);
  mark_dirty(to);
}

static void watch(struct connection *it, int operation, bool writes) {
  it->socket.waits_to_write = writes;
  struct epoll_event event = {.events = EPOLLIN | (writes ? EPOLLOUT : 0), .data.ptr = it};
  if (epoll_ctl(poll_, operation, it->socket.fd, &event)) fail("epoll_ctl", strerror(errno));
}

static void write_dirty(void) {
  for (int i = 0; i < dirty_count; i++) {
    struct connection *it = dirty[i];
    it->is_dirty = false;
    size_t count = it->message.end - it->message.begin;
    if (count && it->socket.is_open) {
      websocket_put(&it->socket, BINARY, it->message.bytes + it->message.begin, count);
      take(&it->message, count);
    }
    bool all = websocket_flush(&it->socket);
    if (all == it->socket.waits_to_write) watch(it, EPOLL_CTL_MOD, !all);
  }
  dirty_count = 0;
}

static void acknowledge(struct session *it) {
  unqueue_ack(it);
  if (it->consumed == it->acknowledged) return;
  it->acknowledged = it->consumed;
  uint8_t body[16];
  size_t size = put_varint(body, it->shown);
  put_frame(it->connection, 0x22, it->stream, body, size + put_varint(body + size, it->consumed));
}

static void send_input(struct session *it, const char *bytes, size_t count) {
  uint8_t body[64];
  if (protocol == FAIRLEAD) {
    acknowledge(it);
    size_t size = put_varint(body, it->typed);
    memcpy(body + size, bytes, count);
    put_frame(it->connection, 0x23, it->stream, body, size + count);
  } else if (protocol == TERMINADO) {
    const char *end = bytes[count - 1] == '\n' ? "\\n" : "";
    int size = snprintf((char *)body, sizeof body, "[\"stdin\", \"%.*s%s\"]", (int)(count - (*end ? 1 : 0)), bytes, end);
    websocket_put(&it->connection->socket, TEXT, body, size);
  } else {
    body[0] = '0';
    memcpy(body + 1, bytes, count);
    websocket_put(&it->connection->socket, BINARY, body, count + 1);
  }
  mark_dirty(it->connection);
  it->typed += count;
}

static void type_key(struct session *it, int64_t due) {
  static const char printable[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";
  if (it->count == UNDERWAY) { // It would have typed on; a key that cannot be noted counts as lost.
    held_back++;
    return;
  }
  char byte = printable[draw() % 64];
  it->keys[(it->first + it->count++) % UNDERWAY] = (struct key){due, byte};
  send_input(it, &byte, 1);
  keys++;
}

// MARK: Output in

static void note(struct session *of, int64_t time) {
  of->waited += time, of->echoes++;
  if (times_count == times_capacity) {
    times_capacity = times_capacity ? 2 * times_capacity : 1 << 16;
    if (!(times = realloc(times, times_capacity * sizeof *times))) fail("no memory", "");
  }
  int64_t units = time / 10;
  times[times_count++] = units > UINT32_MAX ? UINT32_MAX : units < 0 ? 0 : units;
}

static void show(struct session *it, const uint8_t *bytes, size_t count, int64_t at) {
  it->shown += count;
  if (!it->is_ready && it->shown >= 5) {
    it->is_ready = true;
    ready++;
    return;
  }
  if (mode == BULK) {
    uint64_t some = count < it->rest ? count : it->rest;
    it->rest -= some;
    if (some && !it->rest) bulk_done++;
    return;
  }
  for (size_t i = 0; i < count && it->is_ready; i++) {
    if (!it->count) {
      wrong++;
      continue;
    }
    struct key key = it->keys[it->first];
    it->first = (it->first + 1) % UNDERWAY;
    it->count--;
    if (key.byte != bytes[i]) wrong++;
    if (key.due >= round_began) note(it, at - key.due);
  }
}

/// A snapshot has taken the place of output up to `offset`: what was to be seen of it counts as skipped, keys as lost.
static void skip(struct session *it, uint64_t offset, int64_t at) {
  uint64_t count = offset > it->shown ? offset - it->shown : 0;
  skipped += count;
  for (uint64_t i = 0; i < count && it->count; i++) it->first = (it->first + 1) % UNDERWAY, it->count--;
  if (mode == BULK || !it->is_ready) show(it, NULL, count, at);
  it->shown = offset;
}

static void consume(struct session *it, size_t count, int64_t at) {
  it->consumed += count;
  if (it->consumed - it->acknowledged >= ACK_BYTES) {
    acknowledge(it);
  } else if (!it->ack_due) {
    queue_ack(it, at + ACK_DELAY);
  }
}

static bool get_varint(const uint8_t **at, const uint8_t *end, uint64_t *number) {
  if (*at >= end || end - *at < 1 << (**at >> 6)) return false;
  int size = 1 << (**at >> 6);
  *number = *(*at)++ & 0x3f;
  while (--size) *number = *number << 8 | *(*at)++;
  return true;
}

static void take_frame(struct connection *from, const uint8_t *at, const uint8_t *end, int64_t time) {
  uint8_t type = *at++;
  uint64_t stream, offset, id, size;
  char text[256];
  if (!get_varint(&at, end, &stream)) fail("a frame ends too early", "");
  snprintf(text, sizeof text, "%.*s", (int)(end - at), (const char *)at);
  if (stream > (uint64_t)from->count) fail("a frame of no stream of this connection", text);
  struct session *it = stream ? &from->sessions[stream - 1] : NULL;
  switch (type) {
  case 0x04: put_frame(from, 0x05, 0, at, end - at); return;
  case 0x11: {
    const char *life = strstr(text, "\"life\":\"");
    if (life) snprintf(it->life, sizeof it->life, "%.*s", (int)strcspn(life + 8, "\""), life + 8);
    if (!it->is_opened) opened++;
    it->is_opened = true;
    return;
  }
  case 0x20:
    if (!get_varint(&at, end, &offset)) fail("an OUTPUT ends too early", "");
    if (offset != it->shown) fail("the output has a gap", "");
    show(it, at, end - at, time);
    consume(it, end - at, time);
    return;
  case 0x21: {
    bool is_last = get_varint(&at, end, &id) && at < end && *at++ & 2;
    if (!get_varint(&at, end, &offset) || !get_varint(&at, end, &size) || !get_varint(&at, end, &size))
      fail("a SNAPSHOT ends too early", "");
    if (is_last) skip(it, offset, time);
    consume(it, end - at, time);
    return;
  }
  case 0x03: case 0x12: case 0x13: case 0x15:
    fail("the server ends a stream", text);
  }
}

static void take_frames(struct connection *from, int64_t time) {
  while (from->frames.begin < from->frames.end) {
    const uint8_t *at = from->frames.bytes + from->frames.begin, *begin = at, *end = from->frames.bytes + from->frames.end;
    uint64_t length;
    if (!get_varint(&at, end, &length) || (uint64_t)(end - at) < length) return;
    take_frame(from, at, at + length, time);
    take(&from->frames, at + length - begin);
  }
}

static void take_message(struct connection *from, const uint8_t *bytes, size_t count, int64_t time) {
  struct session *it = from->sessions;
  if (protocol == FAIRLEAD) {
    append(&from->frames, bytes, count);
    take_frames(from, time);
  } else if (protocol == TERMINADO) { // Nothing that is echoed here needs an escape.
    static const char head[] = "[\"stdout\", \"";
    size_t size = sizeof head - 1;
    if (count > size + 2 && !memcmp(bytes, head, size)) show(it, bytes + size, count - size - 2, time);
  } else if (count > 1 && bytes[0] == '0') {
    show(it, bytes + 1, count - 1, time);
  }
}

// MARK: Connections

static void greet(struct connection *it) {
  char text[1024];
  if (protocol == TTYD) {
    static const char hello[] = "{\"AuthToken\":\"\",\"columns\":80,\"rows\":24}";
    websocket_put(&it->socket, BINARY, hello, sizeof hello - 1);
    mark_dirty(it);
  }
  if (protocol != FAIRLEAD) return;
  int size = snprintf(text, sizeof text, "{\"versions\":[1],\"client\":\"typist-%d-%ld\"}", getpid(), it - connections);
  put_frame(it, 0x01, 0, text, size);
  for (struct session *session = it->sessions; session < it->sessions + it->count; session++) {
    if (is_resuming) {
      size = snprintf(text, sizeof text, "{\"session\":\"t-%d-%ld\",\"resume\":{\"life\":\"%s\",\"next\":%lu,\"input\":%lu}}",
                      getpid(), session - sessions, session->life, session->shown, session->typed);
    } else {
      // As a page does, it leaves the name to the server, unless it comes back to it.
      char name[64] = "";
      if (mode == ATTACH) snprintf(name, sizeof name, "\"session\":\"t-%d-%ld\",", getpid(), session - sessions);
      char history[32] = "";
      if (lines) snprintf(history, sizeof history, "seq %d; ", lines);
      size = snprintf(text, sizeof text, "{%s\"create\":{\"command\":[\"sh\",\"-c\",\"%s%s\"]}}", name, history,
                      mode == BULK ? bulk_script : echo_script);
    }
    put_frame(it, 0x10, session->stream, text, size);
  }
}

static void open_connection(struct connection *it) {
  const char *path = protocol == FAIRLEAD ? "/v1/connect" : protocol == TTYD ? "/ws" : mode == BULK ? "/bulk" : "/echo";
  websocket_connect(&it->socket, port, path, protocol == FAIRLEAD ? "fairlead.v1" : protocol == TTYD ? "tty" : "");
  watch(it, EPOLL_CTL_ADD, false);
  mark_dirty(it);
}

static void read_connection(struct connection *it) {
  static uint8_t bytes[256 * 1024];
  ssize_t count = recv(it->socket.fd, bytes, sizeof bytes, 0);
  if (count < 0 && errno == EAGAIN) return;
  if (count <= 0) fail("the server closed a connection", count < 0 ? strerror(errno) : "");
  int64_t time = now();
  append(&it->socket.in, bytes, count);
  if (!it->socket.is_open) {
    if (!websocket_is_upgraded(&it->socket)) return;
    greet(it);
  }
  const uint8_t *message;
  size_t size;
  for (int opcode; (opcode = websocket_next(&it->socket, &message, &size)) >= 0;) {
    if (opcode == PING) {
      websocket_put(&it->socket, PONG, message, size);
      mark_dirty(it);
    } else if (opcode == CLOSED) {
      char reason[128];
      snprintf(reason, sizeof reason, "%.*s", size > 2 ? (int)size - 2 : 0, (const char *)message + 2);
      fail("the server closed a connection", reason);
    } else if (opcode < CLOSED) {
      take_message(it, message, size, time);
    }
  }
  take(&it->socket.in, 0);
}

// MARK: The loop

/// One turn: what is due is sent, then what has come is taken, waiting for it until `deadline` at most. True where standard
/// input can be read.
static bool turn(int64_t deadline) {
  int64_t time = now();
  while (acks_first && acks_first->ack_due <= time) acknowledge(acks_first);
  while (heap_count && heap[0]->next_key <= time) {
    struct session *it = heap[0];
    type_key(it, it->next_key);
    it->next_key += (0.5 + draw_share()) / rate * 1e9;
    sift(0);
  }
  write_dirty();
  if (heap_count && heap[0]->next_key < deadline) deadline = heap[0]->next_key;
  if (acks_first && acks_first->ack_due < deadline) deadline = acks_first->ack_due;
  int64_t wait = deadline - now();
  if (wait < 0) wait = 0;
  struct epoll_event events[32];
  int count = epoll_pwait2(poll_, events, 32, &(struct timespec){wait / 1000000000, wait % 1000000000}, NULL);
  if (count < 0 && errno != EINTR) fail("epoll_pwait2", strerror(errno));
  bool is_told = false;
  for (int i = 0; i < count; i++) {
    if (!events[i].data.ptr) is_told = true;
    else if (events[i].events & ~EPOLLOUT) read_connection(events[i].data.ptr);
    else mark_dirty(events[i].data.ptr);
  }
  write_dirty();
  return is_told;
}

/// Opens connections, not too many at a time, until `done` counts all sessions.
static void open_all(const int *done, double patience) {
  int64_t end = now() + patience * 1e9;
  for (int next = 0; *done < typists; turn(end)) {
    while (next < connections_count && (is_resuming || next * streams - *done < OPENING)) open_connection(&connections[next++]);
    if (now() > end) fail("not all sessions were opened in time", "");
  }
}

static void close_all(void) {
  for (struct connection *it = connections; it < connections + connections_count; it++) {
    close(it->socket.fd);
    it->frames.begin = it->frames.end = it->message.begin = it->message.end = 0;
  }
  for (struct session *it = sessions; it < sessions + typists; it++) {
    unqueue_ack(it);
    it->is_opened = false;
    it->consumed = it->acknowledged = 0;
  }
  opened = 0;
}

static double processor_time(void) {
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_utime.tv_sec + usage.ru_stime.tv_sec + (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

// MARK: Rounds

static int ascending(const void *a, const void *b) {
  return (*(const uint32_t *)a > *(const uint32_t *)b) - (*(const uint32_t *)a < *(const uint32_t *)b);
}

static double percentile(double share) {
  return times_count ? times[(size_t)(share * (times_count - 1) + 0.5)] / 1e5 : 0;
}

/// How long the typist who waits longest waits for an echo, on average, by what the one in the middle does.
static double slowest_share(void) {
  uint32_t means[typists];
  size_t count = 0;
  for (struct session *it = sessions; it < sessions + typists; it++) {
    if (it->echoes) means[count++] = it->waited / it->echoes / 10;
  }
  qsort(means, count, sizeof *means, ascending);
  return count ? means[count - 1] / (double)(means[count / 2] + 1) : 0;
}

static void type_round(double seconds) {
  double cpu = processor_time();
  keys = wrong = held_back = times_count = 0;
  round_began = now();
  int64_t end = round_began + seconds * 1e9;
  for (heap_count = 0; heap_count < typists; heap_count++) heap[heap_count] = &sessions[heap_count];
  for (int i = 0; i < typists; i++) {
    sessions[i].next_key = round_began + draw_share() / rate * 1e9;
    sessions[i].waited = sessions[i].echoes = 0;
  }
  for (int i = typists / 2; i >= 0; i--) sift(i);
  while (now() < end) turn(end);
  heap_count = 0;
  double took = (now() - round_began) / 1e9;
  for (int64_t last = now() + 2000000000; times_count < keys && now() < last;) turn(last);
  cpu = processor_time() - cpu;
  qsort(times, times_count, sizeof *times, ascending);
  printf("{\"keys\": %lu, \"lost\": %lu, \"wrong\": %lu, \"seconds\": %.3f, \"p50\": %.3f, \"p90\": %.3f, \"p99\": %.3f, "
         "\"p99.9\": %.3f, \"max\": %.3f, \"slowest\": %.2f, \"cpu\": %.3f, \"cpu_us_per_key\": %.2f}\n",
         keys, keys - times_count + held_back, wrong, took, percentile(0.5), percentile(0.9), percentile(0.99),
         percentile(0.999), percentile(1), slowest_share(), cpu / took, keys ? cpu * 1e6 / keys : 0);
}

static void bulk_round(double patience) {
  char line[32];
  int size = snprintf(line, sizeof line, "%lu\n", bulk_bytes);
  double cpu = processor_time();
  int64_t began = now(), end = began + patience * 1e9;
  bulk_done = skipped = 0;
  for (int i = 0; i < typists; i++) {
    sessions[i].rest = bulk_bytes;
    send_input(&sessions[i], line, size);
  }
  while (bulk_done < (uint64_t)typists && now() < end) turn(end);
  if (bulk_done < (uint64_t)typists) fail("the output did not come in time", "");
  double took = (now() - began) / 1e9, megabytes = (bulk_bytes * typists - skipped) / 1e6;
  printf("{\"megabytes\": %.1f, \"skipped\": %.1f, \"seconds\": %.3f, \"MB_per_s\": %.1f, \"cpu\": %.3f}\n", megabytes,
         skipped / 1e6, took, megabytes / took, (processor_time() - cpu) / took);
}

static void attach_round(double patience) {
  close_all();
  is_resuming = true;
  int64_t pause = now() + 500000000; // in which the server takes note of it
  while (now() < pause) turn(pause);
  double cpu = processor_time();
  int64_t began = now();
  open_all(&opened, patience);
  double took = (now() - began) / 1e9;
  printf("{\"attaches\": %d, \"seconds\": %.4f, \"attaches_per_s\": %.0f, \"cpu\": %.3f}\n", typists, took, typists / took,
         (processor_time() - cpu) / took);
}

// MARK: Arguments

static int word(const char *given, const char *const *words, const char *what) {
  int at = 0;
  while (words[at] && strcmp(given, words[at])) at++;
  if (!words[at]) fail(what, given);
  return at;
}

static void read_arguments(int count, char **arguments) {
  static const struct option options[] = {{"typists", 1, 0, 't'}, {"rate", 1, 0, 'r'}, {"bytes", 1, 0, 'b'},
                                          {"streams", 1, 0, 's'}, {"seed", 1, 0, 'e'}, {"lines", 1, 0, 'l'}, {}};
  if (getrandom(&random_state, sizeof random_state, 0) < 0) fail("getrandom", strerror(errno));
  for (int option; (option = getopt_long(count, arguments, "", options, NULL)) >= 0;) {
    switch (option) {
    case 't': typists = atoi(optarg); break;
    case 'r': rate = atof(optarg); break;
    case 'b': bulk_bytes = strtoull(optarg, NULL, 10); break;
    case 's': streams = atoi(optarg); break;
    case 'e': random_state = strtoull(optarg, NULL, 10); break;
    case 'l': lines = atoi(optarg); break;
    default: exit(64);
    }
  }
  if (count - optind != 3) fail("call it as", "typists MODE PROTOCOL PORT [--typists N] …");
  mode = word(arguments[optind], (const char *const[]){"type", "bulk", "attach", NULL}, "no such mode");
  protocol = word(arguments[optind + 1], (const char *const[]){"fairlead", "terminado", "ttyd", NULL}, "no such protocol");
  port = atoi(arguments[optind + 2]);
  if (typists < 1 || typists > 100000 || rate <= 0 || streams < 1 || streams > 64) fail("a number is out of range", "");
  if (protocol != FAIRLEAD && (streams > 1 || mode == ATTACH)) fail("only fairlead has that", "");
  random_state |= 1;
}

static void *zeroed(size_t count, size_t size) {
  void *all = calloc(count, size);
  if (!all) fail("no memory", "");
  return all;
}

int main(int count, char **arguments) {
  read_arguments(count, arguments);
  uint64_t seed = random_state;
  connections_count = (typists + streams - 1) / streams;
  sessions = zeroed(typists, sizeof *sessions), connections = zeroed(connections_count, sizeof *connections);
  heap = zeroed(typists, sizeof *heap), dirty = zeroed(connections_count, sizeof *dirty);
  for (int i = 0; i < typists; i++) {
    struct connection *its = &connections[i / streams];
    if (!its->count++) its->sessions = &sessions[i];
    sessions[i].connection = its, sessions[i].stream = its->count;
  }
  poll_ = epoll_create1(EPOLL_CLOEXEC);
  setvbuf(stdout, NULL, _IOLBF, 0);
  int64_t began = now();
  open_all(&ready, 300);
  struct epoll_event told = {.events = EPOLLIN};
  epoll_ctl(poll_, EPOLL_CTL_ADD, STDIN_FILENO, &told);
  printf("{\"ready\": %d, \"seconds\": %.2f, \"seed\": %lu}\n", ready, (now() - began) / 1e9, seed);
  for (;;) {
    if (!turn(now() + 1000000000)) continue;
    char line[64];
    ssize_t size = read(STDIN_FILENO, line, sizeof line - 1);
    if (size <= 0) break;
    line[size] = 0;
    double seconds = atof(line);
    (mode == TYPE ? type_round : mode == BULK ? bulk_round : attach_round)(seconds);
  }
}
