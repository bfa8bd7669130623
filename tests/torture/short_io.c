/*
 * Sockets and files as a busy machine may have them, and a test seldom meets: linked into a
 * test, whose libuv then calls these.  Of a stream every other write would block, and those
 * between take but half.  Of a file reads and writes are cut in half.  Whatever else has a
 * descriptor (pipes, events, datagrams) is as it was, and so are the reads of streams: to
 * libuv one that gives less than there is room for is the last (peers that write byte by
 * byte are in the tests themselves).
 *
 * With SPARES_ACCEPTED the streams of the accepting end are spared: a test's fake peer, which
 * is to write what the test says.  Not for libmicrohttpd, whose edge-triggered epoll would
 * wait for a socket that never was full.
 *
 * The bytes are all the same: who passes without it passes with it.  Streams are those
 * that a library writes, as all of rollcall's are; what a test itself sends and reads at its
 * end it does in its own way.
 */
#include "config.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define FDS_MAX 1024
#define CALLER  __builtin_return_address(0)

#ifdef SPARES_ACCEPTED
static const bool spares_accepted = true;
#else
static const bool spares_accepted;
#endif

enum place { ELSEWHERE, STREAM, REGULAR };

static unsigned n_writes[FDS_MAX];
static bool is_accepted[FDS_MAX];

static bool
is_library(const void *caller)
{
	Dl_info of, ours;

	return dladdr(caller, &of) != 0 && dladdr(n_writes, &ours) != 0 && of.dli_fbase != ours.dli_fbase;
}

static enum place
place_of(int fd, const void *caller)
{
	struct stat st;
	int type = 0;
	socklen_t len = sizeof(type);

	if (fd < 0 || fd >= FDS_MAX || fstat(fd, &st) != 0)
		return ELSEWHERE;
	if (S_ISREG(st.st_mode))
		return REGULAR;
	if (!S_ISSOCK(st.st_mode) || getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) != 0)
		return ELSEWHERE;
	if (type != SOCK_STREAM || (spares_accepted && is_accepted[fd]))
		return ELSEWHERE;
	return is_library(caller) ? STREAM : ELSEWHERE;
}

static size_t
half(size_t n)
{
	return n > 1 ? n / 2 : n;
}

static size_t
cut_read(int fd, size_t n, const void *caller)
{
	return place_of(fd, caller) == REGULAR ? half(n) : n;
}

/* A peer of a test may have a stream that blocks, and means to write it whole. */
static bool
may_block(int fd)
{
	return (fcntl(fd, F_GETFL) & O_NONBLOCK) == 0;
}

/* False: it would block. */
static bool
cut_write(int fd, size_t *n, const void *caller)
{
	switch (place_of(fd, caller)) {
	case STREAM:
		if (may_block(fd))
			return true;
		if (n_writes[fd]++ % 2 == 0)
			return false;
		*n = half(*n);
		break;
	case REGULAR:
		*n = half(*n);
		break;
	case ELSEWHERE:
		break;
	}
	return true;
}

static ssize_t
would_block(void)
{
	errno = EAGAIN;
	return -1;
}

/* A descriptor may have been another's before. */
int
socket(int domain, int type, int protocol)
{
	int fd = (int)syscall(SYS_socket, domain, type, protocol);

	if (fd >= 0 && fd < FDS_MAX)
		is_accepted[fd] = false;
	return fd;
}

int
accept4(int listener, __SOCKADDR_ARG addr, socklen_t *restrict len, int flags)
{
	int fd = (int)syscall(SYS_accept4, listener, addr.__sockaddr__, len, flags);

	if (fd >= 0 && fd < FDS_MAX)
		is_accepted[fd] = true;
	return fd;
}

ssize_t
read(int fd, void *buf, size_t n)
{
	return syscall(SYS_read, fd, buf, cut_read(fd, n, CALLER));
}

ssize_t
write(int fd, const void *buf, size_t n)
{
	return cut_write(fd, &n, CALLER) ? syscall(SYS_write, fd, buf, n) : would_block();
}

ssize_t
send(int fd, const void *buf, size_t n, int flags)
{
	return cut_write(fd, &n, CALLER) ? syscall(SYS_sendto, fd, buf, n, flags, NULL, 0) : would_block();
}

/* Half of the first piece; one that is empty is passed on as it is. */
ssize_t
writev(int fd, const struct iovec *iov, int n_iov)
{
	size_t n = n_iov > 0 ? iov[0].iov_len : 0;

	if (place_of(fd, CALLER) == ELSEWHERE || n == 0)
		return syscall(SYS_writev, fd, iov, n_iov);
	return cut_write(fd, &n, CALLER) ? syscall(SYS_write, fd, iov[0].iov_base, n) : would_block();
}
