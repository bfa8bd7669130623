/* Descriptors of files: see fd.h. */
#include "config.h"

#include "base/fd.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define READ_SIZE 4096

void
fd_close_at(const int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
}

enum err_code
fd_read_all(int fd, struct buf *out, struct err *e)
{
	char piece[READ_SIZE];
	ssize_t n;

	do {
		n = read(fd, piece, sizeof(piece));
		if (n > 0)
			buf_put(out, str_of(piece, (size_t)n));
	} while ((n > 0 && out->failed == ERR_OK) || (n < 0 && errno == EINTR));
	explicit_bzero(piece, sizeof(piece)); /* keys may have stood there */
	if (n < 0)
		return err_sys(e, errno, "cannot be read");
	if (out->failed == ERR_LIMIT)
		return err_set(e, ERR_LIMIT, "is larger than %zu bytes", out->limit);
	return buf_failed(out, e);
}

enum err_code
fd_write_all(int fd, struct str text, struct err *e)
{
	while (text.len > 0) {
		ssize_t n = write(fd, text.ptr, text.len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return err_sys(e, n < 0 ? errno : EIO, "cannot be written");
		text = str_skip(text, (size_t)n);
	}
	return ERR_OK;
}
