/* The state directory: see app_state.h. */
#include "config.h"

#include "app_state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"

#define STATE_PATH_MAX 2048

#define STATE_NAME_MAX 64 /* of a file, with its suffix */
#define READ_TRIES     10
#define FILE_MODE      ((mode_t)0640)

struct app_state {
	int dir_fd, lock_fd; /* lock_fd -1: for reading alone; then dir_fd -1, too: there is none */
};

/* Holds on by a lock of the kernel's, which a killed daemon cannot leave behind. */
static enum err_code
lock(const char *dir, int *ret_fd, struct err *e)
{
	char path[STATE_PATH_MAX];
	int fd;

	if ((size_t)snprintf(path, sizeof(path), "%s/lock", dir) >= sizeof(path))
		return err_set(e, ERR_LIMIT, "state_dir %s: the path is too long", dir);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
	if (fd < 0)
		return err_sys(e, errno, "state_dir: cannot open %s", path);
	if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
		int errnum = errno;

		(void)close(fd);
		if (errnum == EWOULDBLOCK)
			return err_set(e, ERR_REFUSED,
			    "state_dir %s is in use by another rollcalld: stop that one, or give this one a state_dir "
			    "of its own",
			    dir);
		return err_sys(e, errnum, "state_dir: cannot lock %s", path);
	}
	*ret_fd = fd;
	return ERR_OK;
}

enum err_code
app_state_open(struct str dir, struct app_state **ret, struct err *e)
{
	char path[STATE_PATH_MAX];
	struct app_state *s;
	enum err_code code;

	if ((size_t)snprintf(path, sizeof(path), STR_FMT, STR_ARG(dir)) >= sizeof(path))
		return err_set(e, ERR_LIMIT, "state_dir: the path is too long");
	if (mkdir(path, 0750) != 0 && errno != EEXIST)
		return err_sys(e, errno, "state_dir: cannot make %s", path);
	s = calloc(1, sizeof(*s));
	if (s == NULL)
		return err_set(e, ERR_NOMEM, "state_dir");
	s->dir_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	code = s->dir_fd >= 0 ? lock(path, &s->lock_fd, e) : err_sys(e, errno, "state_dir: cannot open %s", path);
	if (code != ERR_OK) {
		if (s->dir_fd >= 0)
			(void)close(s->dir_fd);
		free(s);
		return code;
	}
	*ret = s;
	return ERR_OK;
}

enum err_code
app_state_look(struct str dir, struct app_state **ret, struct err *e)
{
	char path[STATE_PATH_MAX];
	struct app_state *s;

	if ((size_t)snprintf(path, sizeof(path), STR_FMT, STR_ARG(dir)) >= sizeof(path))
		return err_set(e, ERR_LIMIT, "state_dir: the path is too long");
	s = calloc(1, sizeof(*s));
	if (s == NULL)
		return err_set(e, ERR_NOMEM, "state_dir");
	s->lock_fd = -1;
	s->dir_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	*ret = s;
	return ERR_OK;
}

static enum err_code
check_writable(const struct app_state *s, struct err *e)
{
	return s->lock_fd >= 0 ? ERR_OK : err_set(e, ERR_REFUSED, "state_dir is only looked at");
}

/* ---- files ---- */

static enum err_code
read_open(int fd, const char *name, struct buf *out, struct stat *ret_info, struct err *e)
{
	enum err_code code;

	if (fstat(fd, ret_info) != 0 || !S_ISREG(ret_info->st_mode))
		return err_set(e, ERR_PARSE, "state_dir: %s is not a file", name);
	code = fd_read_all(fd, out, e);
	return code == ERR_OK ? code : err_wrap(e, code, "state_dir: %s", name);
}

/* A file that another daemon writes in turn may be written while it is read. */
static bool
has_changed(const struct app_state *s, const char *name, const struct stat *before)
{
	struct stat now;

	return fstatat(s->dir_fd, name, &now, AT_SYMLINK_NOFOLLOW) == 0 &&
	       (now.st_ino != before->st_ino || now.st_size != before->st_size ||
		   now.st_mtim.tv_sec != before->st_mtim.tv_sec || now.st_mtim.tv_nsec != before->st_mtim.tv_nsec);
}

enum err_code
app_state_read(const struct app_state *s, const char *name, struct buf *out, struct err *e)
{
	const size_t began = out->len;
	struct stat info;
	enum err_code code;

	if (s->dir_fd < 0)
		return ERR_OK;
	for (unsigned tries = READ_TRIES; tries > 0; tries--) {
		/* Not to wait for a writer, should it be a pipe. */
		int fd = openat(s->dir_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

		if (fd < 0 && errno == ENOENT)
			return ERR_OK;
		if (fd < 0)
			return err_sys(e, errno, "state_dir: cannot open %s", name);
		out->len = began;
		code = read_open(fd, name, out, &info, e);
		(void)close(fd);
		if (code != ERR_OK || !has_changed(s, name, &info))
			return code;
	}
	return ERR_OK; /* who reads it finds out whether it is whole */
}

static enum err_code
name_with(const char *name, const char *suffix, char ret[STATE_NAME_MAX], struct err *e)
{
	if ((size_t)snprintf(ret, STATE_NAME_MAX, "%s%s", name, suffix) >= STATE_NAME_MAX)
		return err_set(e, ERR_LIMIT, "state_dir: the name %s is too long", name);
	return ERR_OK;
}

/* The version before, if it is ours alone: not a link's, nor of other rights or another owner. */
static int
reopen(const struct app_state *s, const char *beside)
{
	int fd = openat(s->dir_fd, beside, O_WRONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	struct stat info;

	if (fd < 0)
		return -1;
	if (fstat(fd, &info) == 0 && S_ISREG(info.st_mode) && info.st_nlink == 1 && info.st_uid == geteuid() &&
	    (info.st_mode & 07777 & ~FILE_MODE) == 0)
		return fd;
	(void)close(fd);
	return -1;
}

static enum err_code
write_beside(const struct app_state *s, const char *beside, bool in_turn, struct str text, struct err *e)
{
	int fd = in_turn ? reopen(s, beside) : -1;
	const bool is_old = fd >= 0;
	enum err_code code;

	if (!is_old) {
		(void)unlinkat(s->dir_fd, beside, 0);
		fd = openat(s->dir_fd, beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, FILE_MODE);
	}
	if (fd < 0)
		return err_sys(e, errno, "state_dir: cannot open %s", beside);
	code = fd_write_all(fd, text, e);
	if (code != ERR_OK)
		err_prefix(e, "state_dir: %s", beside);
	else if (is_old && ftruncate(fd, (off_t)text.len) != 0)
		code = err_sys(e, errno, "state_dir: cannot cut %s", beside);
	if (close(fd) != 0 && code == ERR_OK)
		code = err_sys(e, errno, "state_dir: cannot write %s", beside);
	return code;
}

/* Not every file system can, and the first time there is nothing to exchange it with.  A
 * directory would be exchanged, too. */
static bool
exchange(const struct app_state *s, const char *beside, const char *name)
{
	struct stat info;

	return fstatat(s->dir_fd, name, &info, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(info.st_mode) &&
	       renameat2(s->dir_fd, beside, s->dir_fd, name, RENAME_EXCHANGE) == 0;
}

static enum err_code
put(const struct app_state *s, const char *name, bool in_turn, struct str text, struct err *e)
{
	char beside[STATE_NAME_MAX];
	enum err_code code = check_writable(s, e);

	if (code == ERR_OK)
		code = name_with(name, ".new", beside, e);
	if (code != ERR_OK)
		return code;
	code = write_beside(s, beside, in_turn, text, e);
	if (code == ERR_OK && !(in_turn && exchange(s, beside, name)) &&
	    renameat(s->dir_fd, beside, s->dir_fd, name) != 0)
		code = err_sys(e, errno, "state_dir: cannot rename %s", beside);
	if (code != ERR_OK)
		(void)unlinkat(s->dir_fd, beside, 0);
	return code;
}

enum err_code
app_state_write(const struct app_state *s, const char *name, struct str text, struct err *e)
{
	return put(s, name, false, text, e);
}

enum err_code
app_state_write_in_turn(const struct app_state *s, const char *name, struct str text, struct err *e)
{
	return put(s, name, true, text, e);
}

enum err_code
app_state_set_aside(const struct app_state *s, const char *name, struct err *e)
{
	char aside[STATE_NAME_MAX];
	enum err_code code = check_writable(s, e);

	if (code == ERR_OK)
		code = name_with(name, ".damaged", aside, e);
	if (code == ERR_OK && renameat(s->dir_fd, name, s->dir_fd, aside) != 0)
		code = err_sys(e, errno, "state_dir: cannot rename %s", name);
	return code;
}

void
app_state_close(struct app_state *s)
{
	if (s == NULL)
		return;
	if (s->lock_fd >= 0)
		(void)close(s->lock_fd);
	if (s->dir_fd >= 0)
		(void)close(s->dir_fd);
	free(s);
}
