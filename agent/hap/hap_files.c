/* Files that HAProxy reads at its start: see hap_files.h. */
#include "config.h"

#include "hap/hap_files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <uv.h>

#include "base/fd.h"
#include "io/loop.h"

#define HAP_FILES_PATH_MAX 1200
#define FILE_MODE          0644 /* HAProxy reads them as root, people too */

struct job {
	uv_work_t work;
	struct hap_files *files;    /* null: nobody waits any more */
	struct hap_files *follower; /* whose first job waits for this one; null: nobody's */
	struct job *next;           /* that job, once there is one */
	char dir[HAP_FILES_PATH_MAX];
	struct hap_files_change changes[HAP_FILES_MAX];
	char *texts[HAP_FILES_MAX];
	size_t n;
	hap_files_done_fn *done;
	void *arg;
	struct err err;
};

struct hap_files {
	struct loop *loop;
	char dir[HAP_FILES_PATH_MAX];
	struct job *job;   /* or null */
	struct job *ahead; /* of whom we follow, not done yet; null: none */
};

/* ---- plain files ---- */

static enum err_code
write_all(int fd, struct str text, const char *path, struct err *e)
{
	enum err_code code = fd_write_all(fd, text, e);

	if (code != ERR_OK)
		return err_wrap(e, code, "%s", path);
	if (fchmod(fd, FILE_MODE) != 0 || fsync(fd) != 0)
		return err_sys(e, errno, "cannot write %s", path);
	return ERR_OK;
}

/* The name, too, has to reach the disk before a power failure is harmless. */
static void
sync_directory_of(const char *path)
{
	char dir[HAP_FILES_PATH_MAX];
	const char *slash = strrchr(path, '/');
	int fd;

	if (slash == NULL || (size_t)snprintf(dir, sizeof(dir), "%.*s/", (int)(slash - path), path) >= sizeof(dir))
		return;
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return;
	(void)fsync(fd);
	(void)close(fd);
}

/* HAProxy must never see half of it: it reads whenever somebody reloads it.  A reload of our own
 * configuration may find an earlier write under way: each has a file of its own. */
enum err_code
hap_files_put(const char *path, struct str text, struct err *e)
{
	char fresh[HAP_FILES_PATH_MAX];
	enum err_code code;
	int fd;

	if ((size_t)snprintf(fresh, sizeof(fresh), "%s.new.XXXXXX", path) >= sizeof(fresh))
		return err_set(e, ERR_LIMIT, "%s: the path is too long", path);
	fd = mkostemp(fresh, O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, errno, "cannot write %s", fresh);
	code = write_all(fd, text, fresh, e);
	(void)close(fd);
	if (code == ERR_OK && rename(fresh, path) != 0)
		code = err_sys(e, errno, "cannot write %s", path);
	if (code != ERR_OK)
		(void)unlink(fresh);
	else
		sync_directory_of(path);
	return code;
}

static enum err_code
read_open(int fd, const char *path, struct buf *out, struct err *e)
{
	enum err_code code;
	struct stat st;

	if (fstat(fd, &st) != 0)
		return err_sys(e, errno, "cannot read %s", path);
	if (!S_ISREG(st.st_mode))
		return err_set(e, ERR_IO, "cannot read %s: it is no plain file", path);
	code = fd_read_all(fd, out, e);
	return code == ERR_OK ? code : err_wrap(e, code, "%s", path);
}

enum err_code
hap_files_get(const char *path, struct buf *out, bool *ret_is_there, struct err *e)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	enum err_code code;

	*ret_is_there = fd >= 0;
	if (fd < 0)
		return errno == ENOENT ? ERR_OK : err_sys(e, errno, "cannot read %s", path);
	code = read_open(fd, path, out, e);
	(void)close(fd);
	return code;
}

/* ---- in a thread ---- */

static void
job_free(struct job *j)
{
	for (size_t i = 0; i < j->n; i++)
		free(j->texts[i]);
	free(j);
}

static enum err_code
carry_out(const struct job *j, const struct hap_files_change *c, struct err *e)
{
	char path[HAP_FILES_PATH_MAX];

	if ((size_t)snprintf(path, sizeof(path), "%s/%s", j->dir, c->name) >= sizeof(path))
		return err_set(e, ERR_LIMIT, "%s: the path is too long", j->dir);
	if (!c->is_removed)
		return hap_files_put(path, c->text, e);
	if (unlink(path) != 0 && errno != ENOENT)
		return err_sys(e, errno, "cannot remove %s", path);
	return ERR_OK;
}

static void
on_work(uv_work_t *work)
{
	struct job *j = work->data;

	for (size_t i = 0; i < j->n; i++)
		if (carry_out(j, &j->changes[i], &j->err) != ERR_OK)
			return;
}

static void on_worked(uv_work_t *work, int status);

static int
begin(struct job *j, uv_loop_t *loop)
{
	return uv_queue_work(loop, &j->work, on_work, on_worked);
}

/* Those that waited for it go on, one after the other. */
static void
finish(struct job *j, uv_loop_t *loop)
{
	while (j != NULL) {
		struct job *next = j->next;

		if (j->follower != NULL)
			j->follower->ahead = NULL;
		if (j->files != NULL) {
			j->files->job = NULL;
			j->done(j->arg, &j->err);
		}
		job_free(j);
		j = next;
		if (j == NULL || begin(j, loop) == 0)
			return;
		err_fill(&j->err, ERR_IO, 0, "writing to %s: no thread for it", j->dir);
	}
}

static void
on_worked(uv_work_t *work, int status)
{
	struct job *j = work->data;

	if (status != 0)
		err_fill(&j->err, ERR_CANCELLED, 0, "writing to %s: %s", j->dir, uv_strerror(status));
	finish(j, work->loop);
}

static enum err_code
fill(struct job *j, const struct hap_files_change *changes, size_t n, struct err *e)
{
	for (size_t i = 0; i < n; i++) {
		j->changes[i] = changes[i];
		j->texts[i] = malloc(changes[i].text.len + 1);
		j->n++;
		if (j->texts[i] == NULL)
			return err_set(e, ERR_NOMEM, "writing to %s", j->dir);
		if (changes[i].text.len > 0)
			memcpy(j->texts[i], changes[i].text.ptr, changes[i].text.len);
		j->changes[i].text = str_of(j->texts[i], changes[i].text.len);
	}
	return ERR_OK;
}

enum err_code
hap_files_write(struct hap_files *f, const struct hap_files_change *changes, size_t n, hap_files_done_fn *done,
    void *arg, struct err *e)
{
	struct job *j;
	enum err_code code;
	int status;

	if (f->job != NULL || n > HAP_FILES_MAX)
		return err_set(e, ERR_LIMIT, "files are being written to %s already", f->dir);
	j = calloc(1, sizeof(*j));
	if (j == NULL)
		return err_set(e, ERR_NOMEM, "writing to %s", f->dir);
	(void)snprintf(j->dir, sizeof(j->dir), "%s", f->dir);
	j->work.data = j;
	j->files = f;
	j->done = done;
	j->arg = arg;
	code = fill(j, changes, n, e);
	if (code == ERR_OK && f->ahead != NULL)
		f->ahead->next = j;
	else if (code == ERR_OK && (status = begin(j, loop_uv(f->loop))) != 0)
		code = err_set(e, ERR_IO, "writing to %s: %s", f->dir, uv_strerror(status));
	if (code != ERR_OK) {
		job_free(j);
		return code;
	}
	f->job = j;
	return ERR_OK;
}

enum err_code
hap_files_new(struct loop *l, struct str dir, struct hap_files **ret, struct err *e)
{
	struct hap_files *f = calloc(1, sizeof(*f));

	if (f == NULL)
		return err_set(e, ERR_NOMEM, "haproxy.managed.dir");
	f->loop = l;
	if ((size_t)snprintf(f->dir, sizeof(f->dir), STR_FMT, STR_ARG(dir)) >= sizeof(f->dir)) {
		free(f);
		return err_set(e, ERR_LIMIT, "haproxy.managed.dir: the path is too long");
	}
	*ret = f;
	return ERR_OK;
}

/* A job that waits for the one ahead is the last of them. */
bool
hap_files_follow(struct hap_files *f, struct hap_files *before)
{
	struct job *last = before->job != NULL ? before->job : before->ahead;

	if (last == NULL)
		return false;
	if (last->follower != NULL)
		last->follower->ahead = NULL;
	last->follower = f;
	f->ahead = last;
	return true;
}

void
hap_files_close(struct hap_files *f)
{
	if (f == NULL)
		return;
	if (f->job != NULL)
		f->job->files = NULL;
	if (f->ahead != NULL)
		f->ahead->follower = NULL;
	free(f);
}
