/*
 * Where we listen: see listener.h.
 *
 * Mode and group of a path are set between bind and listen: until then every connect
 * is refused, so that there is no moment at which the wrong people get in, and no
 * need for the process-wide umask.
 */
#include "config.h"

#include "io/listener.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ABSTRACT "abns@"

/* ---- addresses ---- */

static enum err_code
take_path(const struct listener_at *at, struct listener_address *ret, struct err *e)
{
	ret->un.sun_family = AF_UNIX;
	ret->len = sizeof(ret->un);
	if (at->address.len >= sizeof(ret->un.sun_path))
		return err_set(
		    e, ERR_CONF, "%s: a path of 1 to %zu bytes is needed", at->key, sizeof(ret->un.sun_path) - 1);
	memcpy(ret->un.sun_path, at->address.ptr, at->address.len);
	return ERR_OK;
}

static enum err_code
take_abstract(const struct listener_at *at, struct listener_address *ret, struct err *e)
{
	struct str name = str_skip(at->address, sizeof(ABSTRACT) - 1);

	ret->un.sun_family = AF_UNIX;
	ret->len = sizeof(ret->un);
	if (name.len == 0 || name.len >= sizeof(ret->un.sun_path))
		return err_set(e, ERR_CONF, "%s: abns@ and a name of 1 to %zu bytes is needed", at->key,
		    sizeof(ret->un.sun_path) - 1);
	memcpy(ret->un.sun_path + 1, name.ptr, name.len);
	return ERR_OK;
}

/* "[::1]:80" or "127.0.0.1:80"; host gets what stands before the port, unbracketed. */
static bool
split_port(struct str address, char host[INET6_ADDRSTRLEN], uint16_t *ret_port)
{
	struct str port = str_after_last(address, ':'), name;
	uint64_t number;

	if (port.len == address.len || !str_to_u64(port, UINT16_MAX, &number))
		return false;
	name = str_first(address, address.len - port.len - 1);
	if (name.len > 2 && name.ptr[0] == '[' && name.ptr[name.len - 1] == ']')
		name = str_of(name.ptr + 1, name.len - 2);
	if (name.len == 0 || name.len >= INET6_ADDRSTRLEN)
		return false;
	memcpy(host, name.ptr, name.len);
	host[name.len] = '\0';
	*ret_port = (uint16_t)number;
	return true;
}

static enum err_code
take_port(const struct listener_at *at, struct listener_address *ret, struct err *e)
{
	struct sockaddr_in four = { .sin_family = AF_INET };
	struct sockaddr_in6 six = { .sin6_family = AF_INET6 };
	char host[INET6_ADDRSTRLEN];
	uint16_t port;

	if (split_port(at->address, host, &port)) {
		four.sin_port = six.sin6_port = htons(port);
		if (inet_pton(AF_INET, host, &four.sin_addr) == 1) {
			memcpy(&ret->room, &four, sizeof(four));
			ret->len = sizeof(four);
			return ERR_OK;
		}
		if (inet_pton(AF_INET6, host, &six.sin6_addr) == 1) {
			memcpy(&ret->room, &six, sizeof(six));
			ret->len = sizeof(six);
			return ERR_OK;
		}
	}
	return err_set(
	    e, ERR_CONF, "%s: `" STR_FMT "` is no path, abns@NAME or ADDRESS:PORT", at->key, STR_ARG(at->address));
}

enum err_code
listener_parse(const struct listener_at *at, struct listener_address *ret, struct err *e)
{
	struct listener_address made;

	memset(&made, 0, sizeof(made));
	*ret = made;
	if (str_has_prefix(at->address, STR("/")))
		return take_path(at, ret, e);
	if (str_has_prefix(at->address, STR(ABSTRACT)))
		return take_abstract(at, ret, e);
	return take_port(at, ret, e);
}

static bool
is_path(const struct listener_address *a)
{
	return a->any.sa_family == AF_UNIX && a->un.sun_path[0] != '\0';
}

/* ---- a path ---- */

static enum err_code
make_directory(const struct listener_at *at, const char *path, struct err *e)
{
	char directory[sizeof(((struct sockaddr_un *)NULL)->sun_path)] = "";
	const char *slash = strrchr(path, '/');

	if (slash == NULL || slash == path)
		return ERR_OK;
	memcpy(directory, path, (size_t)(slash - path));
	if (mkdir(directory, 0755) == 0 || errno == EEXIST)
		return ERR_OK;
	return err_sys(e, errno, "cannot make the directory %s: make it, or set %s", directory, at->key);
}

static int
new_socket(const struct listener_address *address)
{
	return socket(address->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

/* ERR_OK: nobody listens there. */
static enum err_code
knock(const struct listener_address *address, struct err *e)
{
	int fd = new_socket(address);
	int status, problem;

	if (fd < 0)
		return err_sys(e, errno, "cannot make a socket");
	status = connect(fd, &address->any, address->len);
	problem = errno;
	(void)close(fd);
	/* EAGAIN: it is too busy to take us, but it is there. */
	if (status == 0 || problem == EAGAIN)
		return err_set(e, ERR_REFUSED, "another rollcalld is listening on %s", address->un.sun_path);
	if (problem == ECONNREFUSED || problem == ENOENT)
		return ERR_OK;
	return err_sys(e, problem, "cannot tell whether somebody listens on %s", address->un.sun_path);
}

static enum err_code
remove_stale(const struct listener_at *at, const struct listener_address *address, struct err *e)
{
	const char *path = address->un.sun_path;
	enum err_code code;
	struct stat st;

	if (lstat(path, &st) != 0) {
		if (errno == ENOENT)
			return ERR_OK;
		return err_sys(e, errno, "cannot look at %s", path);
	}
	if (!S_ISSOCK(st.st_mode))
		return err_set(e, ERR_CONF, "%s is not a socket: remove it, or set %s", path, at->key);
	code = knock(address, e);
	if (code != ERR_OK)
		return code;
	if (unlink(path) != 0 && errno != ENOENT)
		return err_sys(e, errno, "cannot replace the stale socket %s", path);
	return ERR_OK;
}

static enum err_code
find_group(struct str name, gid_t *ret, struct err *e)
{
	char cstr[256] = "";
	const struct group *group;
	uint64_t number;

	if (str_to_u64(name, INT32_MAX, &number)) {
		*ret = (gid_t)number;
		return ERR_OK;
	}
	if (name.len >= sizeof(cstr))
		return err_set(e, ERR_CONF, "no group has so long a name");
	memcpy(cstr, name.ptr, name.len);
	errno = 0;
	group = getgrnam(cstr);
	if (group == NULL)
		return err_set(e, ERR_CONF, "there is no group `%s`", cstr);
	*ret = group->gr_gid;
	return ERR_OK;
}

/* EINVAL is for a number that our user namespace has no group for (user_namespaces(7)): to be in it is no help then. */
static const char *
what_a_group_needs(int problem)
{
	return problem == EINVAL
		   ? "there is no such group in this user namespace (PrivateUsers= of the unit, or a container's)"
		   : "rollcalld must be in it";
}

static enum err_code
set_group(const struct listener_at *at, int file, const char *path, struct err *e)
{
	gid_t group = (gid_t)-1;
	enum err_code code = find_group(at->group, &group, e);

	if (code != ERR_OK)
		return err_wrap(e, code, "%s, its group", at->key);
	if (fchownat(file, "", (uid_t)-1, group, AT_EMPTY_PATH) != 0)
		return err_sys(e, errno, "cannot give %s to the group " STR_FMT ": %s", path, STR_ARG(at->group),
		    what_a_group_needs(errno));
	return ERR_OK;
}

/* Linux before 6.6 changes no mode by a handle of O_PATH, but by the name that /proc has for it. */
static enum err_code
set_mode(const struct listener_at *at, int file, const char *path, struct err *e)
{
	const mode_t mode = (mode_t)at->mode & 0777;
	char name[40];
	int status;

	(void)snprintf(name, sizeof(name), "/proc/self/fd/%d", file);
	status = chmod(name, mode);
	if (status != 0 && errno == ENOENT) /* a root without /proc */
		status = chmod(path, mode);
	return status == 0 ? ERR_OK : err_sys(e, errno, "cannot set the mode of %s", path);
}

/* Of the file that bind made, which is what connect looks at, and not of what may stand in its place. */
static enum err_code
set_access(const struct listener_at *at, int file, const char *path, struct err *e)
{
	enum err_code code = at->group.len > 0 ? set_group(at, file, path, e) : ERR_OK;

	return code == ERR_OK ? set_mode(at, file, path, e) : code;
}

static enum err_code
remember_file(struct listener *l, int file, struct err *e)
{
	struct stat st;

	if (fstat(file, &st) != 0)
		return err_sys(e, errno, "cannot look at %s", l->address.un.sun_path);
	if (!S_ISSOCK(st.st_mode))
		return err_set(
		    e, ERR_REFUSED, "somebody has put something else in the place of %s", l->address.un.sun_path);
	l->dev = st.st_dev;
	l->ino = st.st_ino;
	return ERR_OK;
}

static enum err_code
prepare_path(const struct listener_at *at, const struct listener_address *address, struct err *e)
{
	enum err_code code = make_directory(at, address->un.sun_path, e);

	return code == ERR_OK ? remove_stale(at, address, e) : code;
}

static enum err_code
own_path(const struct listener_at *at, struct listener *l, struct err *e)
{
	const char *path = l->address.un.sun_path;
	int file = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	enum err_code code;

	if (file < 0)
		return err_sys(e, errno, "cannot look at %s", path);
	code = remember_file(l, file, e);
	if (code == ERR_OK)
		code = set_access(at, file, path, e);
	(void)close(file);
	return code;
}

/* ---- all kinds ---- */

static enum err_code
start_listening(const struct listener_at *at, struct listener *l, struct err *e)
{
	const int on = 1;
	enum err_code code = ERR_OK;

	if (l->address.any.sa_family != AF_UNIX)
		(void)setsockopt(l->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(l->fd, &l->address.any, l->address.len) != 0)
		return err_sys(e, errno, "cannot listen on " STR_FMT, STR_ARG(at->address));
	if (is_path(&l->address))
		code = own_path(at, l, e);
	if (code == ERR_OK && listen(l->fd, LISTENER_BACKLOG) != 0)
		code = err_sys(e, errno, "cannot listen on " STR_FMT, STR_ARG(at->address));
	if (code != ERR_OK)
		listener_unlink(l);
	return code;
}

enum err_code
listener_open(const struct listener_at *at, struct listener *ret, struct err *e)
{
	struct listener l = { .fd = -1 };
	enum err_code code = listener_parse(at, &l.address, e);

	if (code == ERR_OK && is_path(&l.address))
		code = prepare_path(at, &l.address, e);
	if (code != ERR_OK)
		return code;
	l.fd = new_socket(&l.address);
	if (l.fd < 0)
		return err_sys(e, errno, "cannot make a socket");
	code = start_listening(at, &l, e);
	if (code != ERR_OK) {
		(void)close(l.fd);
		return code;
	}
	*ret = l;
	return ERR_OK;
}

void
listener_unlink(const struct listener *l)
{
	struct stat st;

	if (is_path(&l->address) && lstat(l->address.un.sun_path, &st) == 0 && st.st_dev == l->dev &&
	    st.st_ino == l->ino)
		(void)unlink(l->address.un.sun_path);
}
