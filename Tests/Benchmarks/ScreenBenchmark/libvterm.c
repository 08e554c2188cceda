// libvterm on the streams of ScreenBenchmark; prints the same `name value` lines.

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <vterm.h>

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return t.tv_sec + t.tv_nsec / 1e9;
}

static char *load(const char *directory, const char *name, size_t *size) {
  char path[4096];
  snprintf(path, sizeof path, "%s/%s", directory, name);
  FILE *file = fopen(path, "rb");
  if (!file) { perror(path); exit(1); }
  fseek(file, 0, SEEK_END);
  *size = ftell(file);
  rewind(file);
  char *bytes = malloc(*size);
  if (fread(bytes, 1, *size, file) != *size) { perror(path); exit(1); }
  fclose(file);
  return bytes;
}

// The scrollback that libvterm leaves to its user: lines of cells, as its users keep them.
static VTermScreenCell *history[1000];
static int next;

static int push(int columns, const VTermScreenCell *cells, void *user) {
  (void)user;
  if (!history[next]) history[next] = malloc(sizeof(VTermScreenCell) * 80);
  memcpy(history[next], cells, sizeof(VTermScreenCell) * columns);
  next = (next + 1) % 1000;
  return 1;
}

static VTermScreenCallbacks callbacks = {.sb_pushline = push};

static VTerm *terminal(void) {
  VTerm *vt = vterm_new(24, 80);
  vterm_set_utf8(vt, 1);
  VTermScreen *screen = vterm_obtain_screen(vt);
  vterm_screen_set_callbacks(screen, &callbacks, NULL);
  vterm_screen_enable_altscreen(screen, 1);
  vterm_screen_reset(screen, 1);
  return vt;
}

static void feed(VTerm *vt, const char *bytes, size_t size) {
  for (size_t start = 0; start < size; start += 16384)
    vterm_input_write(vt, bytes + start, size - start < 16384 ? size - start : 16384);
}

static long resident(void) {
  long pages = 0;
  FILE *file = fopen("/proc/self/statm", "r");
  if (!file || fscanf(file, "%*d %ld", &pages) != 1) exit(1);
  fclose(file);
  return pages * sysconf(_SC_PAGESIZE);
}

int main(int argc, char **argv) {
  if (argc != 2) return 2;
  const char *names[] = {"plain", "colour", "cursor", "cjk"};
  for (int i = 0; i < 4; i++) {
    size_t size;
    char *bytes = load(argv[1], names[i], &size);
    double best = 1e9;
    for (int round = 0; round < 5; round++) {
      VTerm *vt = terminal();
      double start = now();
      feed(vt, bytes, size);
      double took = now() - start;
      if (took < best) best = took;
      vterm_free(vt);
    }
    printf("%s %f\n", names[i], size / best / 1e6);
    free(bytes);
  }
  // Bare: no scrollback is counted.
  callbacks.sb_pushline = NULL;
  long before = resident();
  for (int i = 0; i < 200; i++) feed(terminal(), "ready\r\n", 7);
  printf("idle %f\n", (resident() - before) / 200.0 / 1024);
}
