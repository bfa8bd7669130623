/* Where the container credentials endpoint is: see creds_container.h. */
#include "config.h"

#include "aws/creds_container.h"

#include <stdbool.h>

#define TASK_HOST "http://169.254.170.2"

static bool
is_plain(struct str s)
{
	return str_is_printable(s) && memchr(s.ptr, ' ', s.len) == NULL && memchr(s.ptr, '@', s.len) == NULL;
}

/* Four decimal numbers, the first of them 127. */
static bool
is_ipv4_loopback(struct str host)
{
	struct str rest = host, part;
	uint64_t number;
	int n = 0;

	while (str_next(&rest, '.', &part)) {
		if (!str_to_u64(part, 255, &number) || (n == 0 && number != 127))
			return false;
		n++;
	}
	return n == 4;
}

static bool
may_be_plain_http(struct str host)
{
	static const char *const hosts[] = { "localhost", "[::1]", "169.254.170.2", "169.254.170.23",
		"[fd00:ec2::23]" };

	for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++)
		if (str_eq(host, str_from_cstr(hosts[i])))
			return true;
	return is_ipv4_loopback(host);
}

/* Up to the path, query or fragment; without a port. */
static struct str
host_of(struct str s)
{
	static const char ends[] = { '/', '?', '#' };
	size_t at;

	for (size_t i = 0; i < sizeof(ends); i++)
		if (str_find(s, ends[i], &at))
			s = str_first(s, at);
	if (str_has_prefix(s, STR("[")))
		return str_find(s, ']', &at) ? str_first(s, at + 1) : STR("");
	return str_find(s, ':', &at) ? str_first(s, at) : s;
}

static enum err_code
check_full(struct str url, struct err *e)
{
	static const char name[] = "AWS_CONTAINER_CREDENTIALS_FULL_URI";

	if (!is_plain(url))
		return err_set(e, ERR_CONF, "%s holds no plain URL", name);
	if (str_has_prefix(url, STR("https://")))
		return ERR_OK;
	if (!str_has_prefix(url, STR("http://")))
		return err_set(e, ERR_CONF, "%s is neither an http:// nor an https:// URL", name);
	if (!may_be_plain_http(host_of(str_skip(url, 7))))
		return err_set(e, ERR_CONF,
		    "%s is http:// to another host: only loopback, 169.254.170.2, 169.254.170.23 and [fd00:ec2::23] "
		    "may be "
		    "asked without TLS",
		    name);
	return ERR_OK;
}

enum err_code
creds_container_url(const struct env *env, struct buf *out, struct err *e)
{
	struct str relative = env_str(env, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
	struct str full = env_str(env, "AWS_CONTAINER_CREDENTIALS_FULL_URI");
	enum err_code code = ERR_OK;

	if (relative.len > 0) {
		if (relative.ptr[0] != '/' || !is_plain(relative))
			return err_set(e, ERR_CONF, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI holds no path");
		buf_put(out, STR(TASK_HOST));
		buf_put(out, relative);
	} else {
		code = check_full(full, e);
		buf_put(out, full);
	}
	return code == ERR_OK ? buf_failed(out, e) : code;
}
