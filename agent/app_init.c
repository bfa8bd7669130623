/* `rollcalld --init`: see app_init.h. */
#include "config.h"

#include "app_init.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "app_managed.h"

#define APP_INIT_PATH_MAX 1300
#define DIRECTORY_MODE    0755
#define FILE_MODE         0644

static enum err_code
make_directory(const char *path, struct err *e)
{
	struct stat st;

	if (mkdir(path, DIRECTORY_MODE) == 0) {
		(void)printf("made %s\n", path);
		return chmod(path, DIRECTORY_MODE) == 0 ? ERR_OK : err_sys(e, errno, "cannot make %s", path);
	}
	if (errno != EEXIST)
		return err_sys(e, errno, "cannot make %s", path);
	if (stat(path, &st) != 0)
		return err_sys(e, errno, "cannot look at %s", path);
	return S_ISDIR(st.st_mode) ? ERR_OK : err_set(e, ERR_IO, "%s is no directory", path);
}

/* And whatever of its path is missing. */
static enum err_code
make_path(struct str dir, struct err *e)
{
	char path[APP_INIT_PATH_MAX];
	enum err_code code = ERR_OK;

	if (dir.len >= sizeof(path))
		return err_set(e, ERR_LIMIT, "haproxy.managed.dir: the path is too long");
	memcpy(path, dir.ptr, dir.len);
	path[dir.len] = '\0';
	for (size_t i = 1; code == ERR_OK && i <= dir.len; i++) {
		if (path[i] != '/' && path[i] != '\0')
			continue;
		path[i] = '\0';
		code = make_directory(path, e);
		if (i < dir.len)
			path[i] = '/';
	}
	return code;
}

/* O_EXCL: what is there, even a dangling link, is somebody's. */
static enum err_code
make_file(const char *path, struct str text, struct err *e)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, FILE_MODE);
	bool done;

	if (fd < 0)
		return errno == EEXIST ? ERR_OK : err_sys(e, errno, "cannot make %s", path);
	done = write(fd, text.ptr, text.len) == (ssize_t)text.len && fchmod(fd, FILE_MODE) == 0;
	if (!done)
		(void)err_sys(e, errno, "cannot write %s", path);
	if (close(fd) != 0 && done)
		done = (err_fill(e, ERR_IO, errno, "cannot write %s", path), false);
	if (!done) {
		(void)unlink(path);
		return ERR_IO;
	}
	(void)printf("made %s\n", path);
	return ERR_OK;
}

static enum err_code
make_in(struct str dir, struct str name, const char *text, struct err *e)
{
	char path[APP_INIT_PATH_MAX];
	bool is_path = name.len > 0 && name.ptr[0] == '/';
	int n = is_path ? snprintf(path, sizeof(path), STR_FMT, STR_ARG(name))
			: snprintf(path, sizeof(path), STR_FMT "/" STR_FMT, STR_ARG(dir), STR_ARG(name));

	if (n < 0 || (size_t)n >= sizeof(path))
		return err_set(e, ERR_LIMIT, STR_FMT ": the path is too long", STR_ARG(name));
	return make_file(path, str_from_cstr(text), e);
}

enum err_code
app_init(const struct conf *conf, struct err *e)
{
	const struct conf_haproxy *h = &conf->haproxy;
	enum err_code code = make_path(h->managed_dir, e);

	for (size_t i = 0; code == ERR_OK && i < h->entrypoints.n; i++)
		code = make_in(
		    h->managed_dir, h->entrypoints.items[i].value, "# Written by rollcall: edits are lost.\n", e);
	if (code == ERR_OK)
		code = make_in(h->managed_dir, STR(APP_MANAGED_FILE),
		    "# Written by rollcall: edits are lost.\n"
		    "# No backend is managed yet.\n",
		    e);
	return code;
}
