/* Descriptors of files that are read and written whole.  No part of the pure core. */
#ifndef BASE_FD_H
#define BASE_FD_H

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/str.h"

void fd_close_at(const int *fd); /* for CLEANUP; one below 0 is none */

/* Appends to out, up to the file's end.  The caller says which file: "cannot be read: ..." (ERR_IO),
 * "is larger than N bytes" (ERR_LIMIT: out's), ERR_NOMEM.  Keeps no copy. */
NODISCARD enum err_code fd_read_all(int fd, struct buf *out, struct err *e);
/* Likewise: "cannot be written: ..." (ERR_IO). */
NODISCARD enum err_code fd_write_all(int fd, struct str text, struct err *e);

#endif
