// The static holders, as deploy/holder.sh built them, to be put where they are to run.
#pragma once
#include <stddef.h>

// This machine's. NULL where none was built.
const unsigned char *holder_binary(size_t *count);
// A processor's, named as `uname -m` does: "x86_64" or "aarch64". NULL where none was built, and for any other.
const unsigned char *holder_binary_of(const char *processor, size_t *count);
// What they were built from: a hash of their sources, the same for each.
const char *holder_stamp(void);
