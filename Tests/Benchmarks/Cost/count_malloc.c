// Counts a process's heap allocations: LD_PRELOAD this, with COUNT_MALLOC naming a file that holds
// two 64-bit numbers, calls and bytes, which grow while the process runs.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static _Atomic unsigned long long fallback[2], *counts = fallback;

extern void *__libc_malloc(size_t), *__libc_calloc(size_t, size_t), *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);

__attribute__((constructor)) static void start(void) {
  const char *path = getenv("COUNT_MALLOC");
  int file = path ? open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600) : -1;
  if (file < 0 || ftruncate(file, 16)) return;
  void *shared = mmap(NULL, 16, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  if (shared != MAP_FAILED) counts = shared;
  close(file);
}

static void count(size_t bytes) {
  atomic_fetch_add_explicit(&counts[0], 1, memory_order_relaxed);
  atomic_fetch_add_explicit(&counts[1], bytes, memory_order_relaxed);
}

void *malloc(size_t bytes) { return count(bytes), __libc_malloc(bytes); }
void *calloc(size_t n, size_t bytes) { return count(n * bytes), __libc_calloc(n, bytes); }
void *realloc(void *old, size_t bytes) { return count(bytes), __libc_realloc(old, bytes); }
void *aligned_alloc(size_t align, size_t bytes) { return count(bytes), __libc_memalign(align, bytes); }
int posix_memalign(void **out, size_t align, size_t bytes) {
  count(bytes);
  return (*out = __libc_memalign(align, bytes)) ? 0 : 12;
}
