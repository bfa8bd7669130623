/* Answers that hold a key: see creds_answer.h. */
#include "config.h"

#include "aws/creds_answer.h"

#include <stdbool.h>
#include <string.h>

#include <jansson.h>

#include "aws/aws_xml.h"
#include "base/buf.h"
#include "base/rfc3339.h"

#define WORDS_MAX ((size_t)100) /* of a refusal that we show */

static enum err_code
make(const struct sigv4_key *key, struct str expiration, const char *source_name, struct creds **ret, struct err *e)
{
	int64_t expires_ms = INT64_MAX;
	enum err_code code;

	if (expiration.len > 0 && !rfc3339_parse(expiration, &expires_ms))
		return err_set(e, ERR_PARSE, "an answer with a key whose Expiration is no time");
	code = creds_new(key, source_name, expires_ms, ret, e);
	if (code == ERR_OK)
		return code;
	err_prefix(e, "an answer with a key");
	if (code != ERR_CONF)
		return code;
	if (e != NULL)
		e->code = ERR_PARSE; /* it is the peer that is wrong, not the configuration */
	return ERR_PARSE;
}

/* ---- JSON ---- */

static struct str
member(const json_t *object, const char *name)
{
	const json_t *value = json_object_get(object, name);

	return str_of(json_string_value(value), json_string_length(value));
}

static struct str
plain(struct str s)
{
	return str_is_printable(s) ? str_first(s, WORDS_MAX) : STR("(not printable)");
}

static enum err_code
read_object(const json_t *object, const char *source_name, struct creds **ret, struct err *e)
{
	struct str code = member(object, "Code"), message = member(object, "Message");
	struct sigv4_key key = {
		.access_key_id = member(object, "AccessKeyId"),
		.secret = member(object, "SecretAccessKey"),
		.session_token = member(object, "Token"),
	};

	if (message.len == 0)
		message = member(object, "message");
	if (code.len == 0)
		code = member(object, "code");
	if (code.len > 0 && !str_eq(code, STR("Success")))
		return err_set(
		    e, ERR_REFUSED, "no key: " STR_FMT ": " STR_FMT, STR_ARG(plain(code)), STR_ARG(plain(message)));
	if (key.access_key_id.len == 0 || key.secret.len == 0)
		return err_set(e, ERR_PARSE, "an answer without AccessKeyId and SecretAccessKey");
	return make(&key, member(object, "Expiration"), source_name, ret, e);
}

enum err_code
creds_answer_read_json(struct str body, const char *source_name, struct creds **ret, struct err *e)
{
	json_t *object = NULL;
	enum err_code code;

	if (body.len > 0 && body.len <= CREDS_ANSWER_MAX)
		object = json_loadb(body.ptr, body.len, 0, NULL);
	if (!json_is_object(object))
		code = err_set(e, ERR_PARSE, "an answer that is no JSON object");
	else
		code = read_object(object, source_name, ret, e);
	json_decref(object);
	return code;
}

/* ---- XML ---- */

enum sts_member { STS_ID, STS_SECRET, STS_TOKEN, STS_EXPIRATION, STS_N_MEMBERS };

struct sts_reading {
	struct buf members[STS_N_MEMBERS];
};

static enum err_code
take_sts(void *arg, struct str path, struct str text, struct err *e)
{
	static const struct {
		const char *name;
		enum sts_member member;
	} members[] = {
		{ "AccessKeyId", STS_ID },
		{ "SecretAccessKey", STS_SECRET },
		{ "SessionToken", STS_TOKEN },
		{ "Expiration", STS_EXPIRATION },
	};
	struct sts_reading *r = arg;
	struct str name = str_after_last(path, '/');

	if (!str_has_suffix(str_first(path, path.len - name.len), STR("Result/Credentials/")))
		return ERR_OK;
	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
		if (!str_eq(name, str_from_cstr(members[i].name)))
			continue;
		buf_wipe(&r->members[members[i].member]);
		buf_put(&r->members[members[i].member], text);
		return buf_failed(&r->members[members[i].member], e);
	}
	return ERR_OK;
}

enum err_code
creds_answer_read_sts(struct str body, const char *source_name, struct creds **ret, struct err *e)
{
	struct sts_reading r;
	struct sigv4_key key;
	enum err_code code;

	for (int i = 0; i < STS_N_MEMBERS; i++)
		r.members[i] = buf_make(CREDS_PART_MAX);
	code = aws_xml_read(str_first(body, CREDS_ANSWER_MAX), take_sts, &r, e);
	key = (struct sigv4_key){ buf_str(&r.members[STS_ID]), buf_str(&r.members[STS_SECRET]),
		buf_str(&r.members[STS_TOKEN]) };
	if (code == ERR_OK && (key.access_key_id.len == 0 || key.secret.len == 0 || key.session_token.len == 0))
		code = err_set(e, ERR_PARSE, "an answer of STS without a key");
	if (code == ERR_OK)
		code = make(&key, buf_str(&r.members[STS_EXPIRATION]), source_name, ret, e);
	for (int i = 0; i < STS_N_MEMBERS; i++)
		buf_wipe(&r.members[i]);
	return code;
}

static void
keep(struct str text, char *ret, size_t size)
{
	if (text.len >= size || !str_is_printable(text))
		return;
	memcpy(ret, text.ptr, text.len);
	ret[text.len] = '\0';
}

static enum err_code
take_identity(void *arg, struct str path, struct str text, struct err *e)
{
	struct creds_answer_identity *who = arg;

	(void)e;
	if (text.len == 0)
		return ERR_OK;
	if (str_has_suffix(path, STR("/GetCallerIdentityResult/Account")))
		keep(text, who->account, sizeof(who->account));
	else if (str_has_suffix(path, STR("/GetCallerIdentityResult/Arn")))
		keep(text, who->arn, sizeof(who->arn));
	return ERR_OK;
}

enum err_code
creds_answer_read_identity(struct str body, struct creds_answer_identity *ret, struct err *e)
{
	struct creds_answer_identity who = { .account = "" };
	enum err_code code = aws_xml_read(str_first(body, CREDS_ANSWER_MAX), take_identity, &who, e);

	if (code == ERR_OK && (who.account[0] == '\0' || who.arn[0] == '\0'))
		code = err_set(e, ERR_PARSE, "an answer of STS that does not say who we are");
	if (code == ERR_OK)
		*ret = who;
	return code;
}
