/*
 * Where the control interface listens: see control_socket.h.
 *
 * Mode and group are set between bind and listen: until then every connect is
 * refused, so that there is no moment at which the wrong people get in, and no
 * need for the process-wide umask.
 */
#include "config.h"

#include "control/control_socket.h"

#include <errno.h>
#include <grp.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static enum err_code
make_address(struct str path, struct sockaddr_un *ret, struct err *e)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	if (path.len == 0 || path.len >= sizeof(address.sun_path))
		return err_set(
		    e, ERR_CONF, "control.socket: a path of 1 to %zu bytes is needed", sizeof(address.sun_path) - 1);
	memcpy(address.sun_path, path.ptr, path.len);
	*ret = address;
	return ERR_OK;
}

static enum err_code
make_directory(const char *path, struct err *e)
{
	char directory[sizeof(((struct sockaddr_un *)NULL)->sun_path)] = "";
	const char *slash = strrchr(path, '/');

	if (slash == NULL || slash == path)
		return ERR_OK;
	memcpy(directory, path, (size_t)(slash - path));
	if (mkdir(directory, 0755) == 0 || errno == EEXIST)
		return ERR_OK;
	return err_sys(e, errno, "cannot make the directory %s: make it, or set control.socket", directory);
}

static int
new_socket(void)
{
	return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

/* ERR_OK: nobody listens there. */
static enum err_code
knock(const struct sockaddr_un *address, struct err *e)
{
	int fd = new_socket();
	int status, problem;

	if (fd < 0)
		return err_sys(e, errno, "cannot make a socket");
	status = connect(fd, (const struct sockaddr *)address, sizeof(*address));
	problem = errno;
	(void)close(fd);
	/* EAGAIN: it is too busy to take us, but it is there. */
	if (status == 0 || problem == EAGAIN)
		return err_set(e, ERR_REFUSED, "another rollcalld is listening on %s", address->sun_path);
	if (problem == ECONNREFUSED || problem == ENOENT)
		return ERR_OK;
	return err_sys(e, problem, "cannot tell whether somebody listens on %s", address->sun_path);
}

static enum err_code
remove_stale(const struct sockaddr_un *address, struct err *e)
{
	enum err_code code;
	struct stat st;

	if (lstat(address->sun_path, &st) != 0) {
		if (errno == ENOENT)
			return ERR_OK;
		return err_sys(e, errno, "cannot look at %s", address->sun_path);
	}
	if (!S_ISSOCK(st.st_mode))
		return err_set(e, ERR_CONF, "%s is not a socket: remove it, or set control.socket", address->sun_path);
	code = knock(address, e);
	if (code != ERR_OK)
		return code;
	if (unlink(address->sun_path) != 0 && errno != ENOENT)
		return err_sys(e, errno, "cannot replace the stale socket %s", address->sun_path);
	return ERR_OK;
}

static enum err_code
find_group(struct str name, gid_t *ret, struct err *e)
{
	char cstr[256] = "";
	const struct group *group;

	if (name.len >= sizeof(cstr))
		return err_set(e, ERR_CONF, "control.group: no group has so long a name");
	memcpy(cstr, name.ptr, name.len);
	errno = 0;
	group = getgrnam(cstr);
	if (group == NULL)
		return err_set(e, ERR_CONF, "control.group: there is no group `%s`", cstr);
	*ret = group->gr_gid;
	return ERR_OK;
}

/* By path: of a bound socket, the file is what connect looks at. */
static enum err_code
set_access(const char *path, const struct conf_listen *where, struct err *e)
{
	gid_t group = (gid_t)-1;

	if (where->group.len > 0) {
		enum err_code code = find_group(where->group, &group, e);

		if (code != ERR_OK)
			return code;
		if (chown(path, (uid_t)-1, group) != 0)
			return err_sys(e, errno, "cannot give %s to the group " STR_FMT ": rollcalld must be in it",
			    path, STR_ARG(where->group));
	}
	if (chmod(path, (mode_t)where->mode & 0777) != 0)
		return err_sys(e, errno, "cannot set the mode of %s", path);
	return ERR_OK;
}

static enum err_code
remember_file(struct control_socket *s, struct err *e)
{
	struct stat st;

	if (lstat(s->address.sun_path, &st) != 0)
		return err_sys(e, errno, "cannot look at %s", s->address.sun_path);
	s->dev = st.st_dev;
	s->ino = st.st_ino;
	return ERR_OK;
}

static enum err_code
start_listening(struct control_socket *s, const struct conf_listen *where, struct err *e)
{
	enum err_code code;

	if (bind(s->fd, (const struct sockaddr *)&s->address, sizeof(s->address)) != 0)
		return err_sys(e, errno, "cannot listen on %s", s->address.sun_path);
	code = remember_file(s, e);
	if (code == ERR_OK)
		code = set_access(s->address.sun_path, where, e);
	if (code == ERR_OK && listen(s->fd, CONTROL_SOCKET_BACKLOG) != 0)
		code = err_sys(e, errno, "cannot listen on %s", s->address.sun_path);
	if (code != ERR_OK)
		control_socket_unlink(s);
	return code;
}

enum err_code
control_socket_open(const struct conf_listen *where, struct control_socket *ret, struct err *e)
{
	struct control_socket s = { .fd = -1 };
	enum err_code code = make_address(where->address, &s.address, e);

	if (code == ERR_OK)
		code = make_directory(s.address.sun_path, e);
	if (code == ERR_OK)
		code = remove_stale(&s.address, e);
	if (code != ERR_OK)
		return code;
	s.fd = new_socket();
	if (s.fd < 0)
		return err_sys(e, errno, "cannot make a socket");
	code = start_listening(&s, where, e);
	if (code != ERR_OK) {
		(void)close(s.fd);
		return code;
	}
	*ret = s;
	return ERR_OK;
}

void
control_socket_unlink(const struct control_socket *s)
{
	struct stat st;

	if (lstat(s->address.sun_path, &st) == 0 && st.st_dev == s->dev && st.st_ino == s->ino)
		(void)unlink(s->address.sun_path);
}
