/*
 * XML answers: two bytes of status, the rest is the body.  Laws: paths are never
 * empty nor deeper than the limit, texts are trimmed and bounded, the root ends last
 * and once, and as a failed answer it always makes one line of plain text.
 */
#include "config.h"

#include <stdlib.h>

#include "aws/aws_error.h"
#include "aws/aws_xml.h"
#include "fuzz.h"

struct seen {
	size_t n;
	bool ended;
};

static enum err_code
see(void *arg, struct str path, struct str text, struct err *e)
{
	struct seen *s = arg;
	struct str rest = path, name;
	size_t depth = 0, at;

	(void)e;
	REQUIRE(!s->ended && path.len > 0 && path.len <= AWS_XML_PATH_MAX);
	while (str_next(&rest, '/', &name)) {
		REQUIRE(name.len > 0);
		depth++;
	}
	REQUIRE(depth <= AWS_XML_DEPTH_MAX);
	REQUIRE(text.len <= AWS_XML_TEXT_MAX && str_eq(str_trim(text), text));
	s->ended = !str_find(path, '/', &at);
	s->n++;
	return ERR_OK;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str xml = str_skip(str_of(data, size), 2);
	struct seen s = { .n = 0 };
	struct aws_error got;
	struct err e = ERR_INIT;
	enum err_code code;

	if (size < 3)
		return 0;
	code = aws_xml_read(xml, see, &s, &e);
	REQUIRE(code == e.code);
	REQUIRE(code != ERR_OK || (s.ended && s.n > 0));
	aws_error_classify_xml(300 + (data[0] << 8 | data[1]) % 300, xml, &got);
	REQUIRE(str_from_cstr(got.err.msg).len > 0 && str_is_printable(str_from_cstr(got.err.msg)));
	return 0;
}
