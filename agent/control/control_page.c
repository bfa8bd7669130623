/* The page: see control_page.h. */
#include "config.h"

#include "control/control_page.h"

#include <stdio.h>

#include <openssl/evp.h>

#define HASH_TEXT_SIZE 64 /* of 32 bytes in base64 */

/* What stands between two marks of the page, each of which is there once. */
static struct str
between(struct str page, struct str open, struct str close)
{
	while (page.len > 0 && !str_has_prefix(page, open))
		page = str_skip(page, 1);
	page = str_skip(page, open.len);
	for (size_t n = 0; n < page.len; n++)
		if (str_has_prefix(str_skip(page, n), close))
			return str_first(page, n);
	return STR("");
}

static bool
hash(struct str text, char ret[HASH_TEXT_SIZE])
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned n = 0;

	if (EVP_Digest(text.ptr, text.len, digest, &n, EVP_sha256(), NULL) != 1)
		return false;
	(void)EVP_EncodeBlock((unsigned char *)ret, digest, (int)n);
	return true;
}

void
control_page_show(const struct control_facts *f, struct str arg, struct control_response *ret)
{
	const struct str page = str_of(control_page_bytes, control_page_bytes_size);
	char script[HASH_TEXT_SIZE], style[HASH_TEXT_SIZE];

	(void)f;
	(void)arg;
	if (!hash(between(page, STR("<script>"), STR("</script>")), script) ||
	    !hash(between(page, STR("<style>"), STR("</style>")), style)) {
		control_view_error(503, "unavailable", STR("the page cannot be hashed now: try again"), ret);
		return;
	}
	(void)snprintf(ret->policy, sizeof(ret->policy),
	    "default-src 'none'; script-src 'sha256-%s'; style-src 'sha256-%s'; connect-src 'self'; base-uri 'none'; "
	    "form-action 'none'; frame-ancestors 'none'",
	    script, style);
	ret->content_type = "text/html; charset=utf-8";
	buf_put(&ret->body, page);
}
