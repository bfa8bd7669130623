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

#define STATE_PATH_MAX 2048

struct app_state {
	int lock_fd;
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
	code = lock(path, &s->lock_fd, e);
	if (code != ERR_OK) {
		free(s);
		return code;
	}
	*ret = s;
	return ERR_OK;
}

void
app_state_close(struct app_state *s)
{
	if (s == NULL)
		return;
	(void)close(s->lock_fd);
	free(s);
}
