// The compiler reads the files (`#embed`, C23), as with the page's. A node keeps its machine's terminals by the one of its
// own processor, and gives containers a copy of the one of their engine's.

#include "CHolderBinary.h"

#include <string.h>

#pragma clang diagnostic ignored "-Wc23-extensions"

#if __has_embed("built/stamp") == __STDC_EMBED_FOUND__
static const char stamp[] = {
#embed "built/stamp" suffix(, 0)
};
#define IS_BUILT(file) (__has_embed(file) == __STDC_EMBED_FOUND__)
#else
static const char stamp[] = "";
#define IS_BUILT(file) 0
#endif

#if IS_BUILT("built/fairlead-holder-x86_64")
static const unsigned char x86_64[] = {
#embed "built/fairlead-holder-x86_64"
};
#endif

#if IS_BUILT("built/fairlead-holder-aarch64")
static const unsigned char aarch64[] = {
#embed "built/fairlead-holder-aarch64"
};
#endif

static const struct {
  const char *processor;
  const unsigned char *bytes;
  size_t count;
} carried[] = {
#if IS_BUILT("built/fairlead-holder-x86_64")
    {"x86_64", x86_64, sizeof x86_64},
#endif
#if IS_BUILT("built/fairlead-holder-aarch64")
    {"aarch64", aarch64, sizeof aarch64},
#endif
    {NULL, NULL, 0},
};

#if defined(__x86_64__)
#define PROCESSOR "x86_64"
#elif defined(__aarch64__)
#define PROCESSOR "aarch64"
#else
#define PROCESSOR ""
#endif

const unsigned char *holder_binary_of(const char *processor, size_t *out) {
  size_t at = 0;
  while (carried[at].processor && strcmp(carried[at].processor, processor) != 0) at++;
  *out = carried[at].count;
  return carried[at].bytes;
}

const unsigned char *holder_binary(size_t *out) { return holder_binary_of(PROCESSOR, out); }

const char *holder_stamp(void) { return stamp; }
