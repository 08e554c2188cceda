// Swift's dictionaries want it for their hashing; musl has none.
#include <stddef.h>

void holder_random(void *bytes, size_t count);

void arc4random_buf(void *bytes, size_t count) { holder_random(bytes, count); }
