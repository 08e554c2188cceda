// The static holder, as deploy/holder.sh built it, to be put where it is to run.
#pragma once
#include <stddef.h>

// NULL where none was built.
const unsigned char *holder_binary(size_t *count);
// What it was built from: a hash of its sources.
const char *holder_stamp(void);
