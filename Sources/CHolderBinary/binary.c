// The compiler reads the file (`#embed`, C23), as with the page's files. It is of this machine's processor: a node
// gives containers of its own machine's engine a copy of it.

#include "CHolderBinary.h"

#pragma clang diagnostic ignored "-Wc23-extensions"

#if defined(__x86_64__)
#define FILE_NAME "built/fairlead-holder-x86_64"
#elif defined(__aarch64__)
#define FILE_NAME "built/fairlead-holder-aarch64"
#else
#define FILE_NAME "built/none"
#endif

#if __has_embed("built/stamp") == __STDC_EMBED_FOUND__ && __has_embed(FILE_NAME) == __STDC_EMBED_FOUND__
static const unsigned char binary[] = {
#embed FILE_NAME
};
static const char stamp[] = {
#embed "built/stamp" suffix(, 0)
};
static const size_t count = sizeof binary;
#else
static const unsigned char binary[] = {0};
static const char stamp[] = "";
static const size_t count = 0;
#endif

const unsigned char *holder_binary(size_t *out) {
  *out = count;
  return count ? binary : NULL;
}

const char *holder_stamp(void) { return stamp; }
