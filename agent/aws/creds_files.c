/* The small local files that say where keys are: see creds_files.h. */
#include "config.h"

#include "aws/creds_files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"

#define PATH_BYTES 4096

static const struct {
	const char *variable, *usual;
} places[AWS_PROFILES_N_FILES] = {
	[AWS_PROFILES_CONFIG] = { "AWS_CONFIG_FILE", "~/.aws/config" },
	[AWS_PROFILES_CREDENTIALS] = { "AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials" },
};

/* Empty: there is no such path (no HOME), or it is too long. */
static void
expand(const struct env *env, struct str path, char ret[PATH_BYTES])
{
	struct str home = STR("");
	int n;

	if (str_has_prefix(path, STR("~/"))) {
		home = env_str(env, "HOME");
		path = home.len > 0 ? str_skip(path, 1) : STR("");
	}
	n = snprintf(ret, PATH_BYTES, STR_FMT STR_FMT, STR_ARG(home), STR_ARG(path));
	if (n < 0 || n >= PATH_BYTES)
		ret[0] = '\0';
}

static enum err_code
read_path(const char *path, struct buf *out, struct err *e)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;
	enum err_code code;

	if (fd < 0)
		return err_sys(e, errno, "cannot open %s", path);
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
		code = err_set(e, ERR_CONF, "%s is no file", path);
	else if ((code = fd_read_all(fd, out, e)) != ERR_OK)
		err_prefix(e, "%s", path);
	(void)close(fd);
	return code;
}

enum err_code
creds_files_read(const struct env *env, struct str path, struct buf *out, struct err *e)
{
	char expanded[PATH_BYTES];

	expand(env, path, expanded);
	if (expanded[0] == '\0')
		return err_set(e, ERR_CONF, "no usable path to a file");
	return read_path(expanded, out, e);
}

/* True: a file that we were told of, and not just one that might be there. */
static bool
place_of(const struct env *env, int file, char ret[PATH_BYTES])
{
	struct str given = env_str(env, places[file].variable);

	expand(env, given.len > 0 ? given : str_from_cstr(places[file].usual), ret);
	return given.len > 0;
}

static bool
is_absence(int errnum, bool was_named)
{
	return errnum == ENOENT || errnum == ENOTDIR || (errnum == EACCES && !was_named);
}

static enum err_code
add_profiles(const struct env *env, int file, struct aws_profiles *to, struct err *e)
{
	struct buf text = buf_make(AWS_PROFILES_TEXT_MAX);
	char path[PATH_BYTES];
	bool was_named = place_of(env, file, path);
	struct err why = ERR_INIT;
	enum err_code code;

	if (path[0] == '\0')
		return ERR_OK;
	code = read_path(path, &text, &why);
	if (code == ERR_IO && is_absence(why.sys, was_named)) {
		buf_wipe(&text);
		return ERR_OK;
	}
	if (code == ERR_OK) {
		code = aws_profiles_add(to, (enum aws_profiles_file)file, buf_str(&text), &why);
		if (code != ERR_OK)
			err_prefix(&why, "%s", path);
	}
	buf_wipe(&text);
	if (code != ERR_OK && e != NULL)
		*e = why;
	return code;
}

enum err_code
creds_files_profiles(const struct env *env, struct aws_profiles *to, struct err *e)
{
	enum err_code code = ERR_OK;

	for (int i = 0; i < AWS_PROFILES_N_FILES && code == ERR_OK; i++)
		code = add_profiles(env, i, to, e);
	return code;
}

struct creds_files_stamp
creds_files_stamp(const struct env *env)
{
	struct creds_files_stamp stamp;

	memset(&stamp, 0, sizeof(stamp));
	for (int i = 0; i < AWS_PROFILES_N_FILES; i++) {
		char path[PATH_BYTES];
		struct stat st;

		(void)place_of(env, i, path);
		if (path[0] == '\0' || stat(path, &st) != 0)
			continue;
		stamp.files[i].device = (uint64_t)st.st_dev;
		stamp.files[i].inode = (uint64_t)st.st_ino;
		stamp.files[i].size = (uint64_t)st.st_size;
		stamp.files[i].mtime_s = (uint64_t)st.st_mtim.tv_sec;
		stamp.files[i].mtime_ns = (uint64_t)st.st_mtim.tv_nsec;
	}
	return stamp;
}

bool
creds_files_is_same(const struct creds_files_stamp *a, const struct creds_files_stamp *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}
