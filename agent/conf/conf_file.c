/* Where the text of the configuration comes from: see conf_file.h. */
#include "config.h"

#include "conf/conf_file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/fd.h"

#define DEFAULT_PATH "/etc/rollcall/rollcall.yaml"
#define TEXT_VAR     "ROLLCALL_CONFIG"

static enum err_code
check_kind(int fd, struct err *e)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return err_sys(e, errno, "cannot be read");
	if (S_ISDIR(st.st_mode))
		return err_set(e, ERR_CONF, "is a directory, not a file");
	if (!S_ISREG(st.st_mode) && !S_ISFIFO(st.st_mode))
		return err_set(e, ERR_CONF, "is neither a file nor a pipe");
	return ERR_OK;
}

static enum err_code
read_file(const char *path, struct buf *text, struct err *e)
{
	CLEANUP(fd_close_at) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	enum err_code code;

	if (fd < 0)
		return err_sys(e, errno, "cannot be opened");
	code = check_kind(fd, e);
	return code == ERR_OK ? fd_read_all(fd, text, e) : code;
}

static enum err_code
parse_file(struct arena *a, const char *path, const struct env *env, const struct conf **ret,
    struct conf_notes *reterr_faults, struct err *e)
{
	CLEANUP(buf_wipe) struct buf text = buf_make(CONF_TEXT_MAX);
	enum err_code code = read_file(path, &text, e);

	if (code != ERR_OK)
		return code;
	return conf_parse(a, buf_str(&text), env, ret, reterr_faults, e);
}

enum err_code
conf_file_load(struct arena *a, const char *path, const struct env *env, const struct conf **ret, const char **ret_name,
    struct conf_notes *reterr_faults, struct err *e)
{
	struct str text = str_from_cstr(env_get(env, TEXT_VAR));
	enum err_code code;

	*reterr_faults = (struct conf_notes){ 0 };
	if (path == NULL && text.len > 0) {
		*ret_name = TEXT_VAR;
		code = conf_parse(a, text, env, ret, reterr_faults, e);
	} else {
		*ret_name = path != NULL ? path : DEFAULT_PATH;
		code = parse_file(a, *ret_name, env, ret, reterr_faults, e);
	}
	if (code == ERR_OK)
		return ERR_OK;
	if (path == NULL && text.len == 0 && reterr_faults->n == 0)
		err_prefix(e, "neither -f nor " TEXT_VAR " says where the configuration is");
	return err_wrap(e, code, "%s", *ret_name);
}
