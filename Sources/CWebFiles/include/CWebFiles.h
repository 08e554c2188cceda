// The files of the web page, as they lie in Sources/Web, inside the binary.

#ifndef CWEBFILES_H
#define CWEBFILES_H

#include <stddef.h>

typedef struct {
  /// Below /assets/, or "index.html".
  const char *path;
  const unsigned char *bytes;
  /// 0: the file was not there when this was built.
  size_t length;
  /// The same by gzip; length 0 if there is none.
  const unsigned char *gzip;
  size_t gzip_length;
} web_file;

/// All of them; `*count` is set to how many.
const web_file *web_files(size_t *count);

#endif
