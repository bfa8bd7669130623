/*
 * A signing key: see creds.h.  One block of memory holds the three parts, so that
 * one explicit_bzero removes them all.
 */
#include "config.h"

#include "aws/creds.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct creds {
	int refs;
	const char *source; /* into text, too */
	int64_t expires_wall_ms;
	struct sigv4_key key; /* into text */
	size_t size;
	char text[];
};

/* The text says which part and what, never the part. */
static enum err_code
check_part(struct str part, const char *what, bool may_be_empty, struct err *e)
{
	if (part.len == 0 && !may_be_empty)
		return err_set(e, ERR_CONF, "the %s is empty", what);
	if (part.len > CREDS_PART_MAX)
		return err_set(e, ERR_LIMIT, "the %s is longer than %zu bytes", what, CREDS_PART_MAX);
	for (size_t i = 0; i < part.len; i++)
		if (part.ptr[i] <= 0x20 || part.ptr[i] > 0x7e)
			return err_set(e, ERR_CONF,
			    "the %s holds a blank, a line end or another byte that no key has (byte %zu of %zu)", what,
			    i + 1, part.len);
	return ERR_OK;
}

static enum err_code
check_key(const struct sigv4_key *key, struct err *e)
{
	enum err_code rc = check_part(key->access_key_id, "access key id", false, e);
	size_t at;

	if (rc == ERR_OK && (str_find(key->access_key_id, '/', &at) || str_find(key->access_key_id, ',', &at)))
		return err_set(e, ERR_CONF, "the access key id holds a '/' or ',' (is it the secret access key?)");
	if (rc == ERR_OK)
		rc = check_part(key->secret, "secret access key", false, e);
	if (rc == ERR_OK)
		rc = check_part(key->session_token, "session token", true, e);
	return rc;
}

static struct str
copy_part(struct str part, char **at)
{
	struct str copy = str_of(*at, part.len);

	if (part.len > 0)
		memcpy(*at, part.ptr, part.len);
	*at += part.len;
	return copy;
}

enum err_code
creds_new(const struct sigv4_key *key, const char *source, int64_t expires_wall_ms, struct creds **ret, struct err *e)
{
	enum err_code rc = check_key(key, e);
	struct creds *c;
	size_t size;
	char *at;

	if (rc != ERR_OK)
		return rc;
	size = sizeof(*c) + key->access_key_id.len + key->secret.len + key->session_token.len + strlen(source) + 1;
	c = calloc(1, size);
	if (c == NULL)
		return err_set(e, ERR_NOMEM, "no memory for a key");
	c->refs = 1;
	c->expires_wall_ms = expires_wall_ms;
	c->size = size;
	at = c->text;
	c->key.access_key_id = copy_part(key->access_key_id, &at);
	c->key.secret = copy_part(key->secret, &at);
	c->key.session_token = copy_part(key->session_token, &at);
	c->source = copy_part(str_from_cstr(source), &at).ptr; /* the NUL is there: calloc's */
	*ret = c;
	return ERR_OK;
}

struct creds *
creds_ref(struct creds *c)
{
	c->refs++;
	return c;
}

void
creds_unref(struct creds *c)
{
	if (c == NULL || --c->refs > 0)
		return;
	explicit_bzero(c, c->size);
	free(c);
}

struct sigv4_key
creds_key(const struct creds *c)
{
	return c->key;
}

const char *
creds_source_name(const struct creds *c)
{
	return c->source;
}

int64_t
creds_expires_ms(const struct creds *c)
{
	return c->expires_wall_ms;
}
