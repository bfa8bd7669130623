/*
 * Failed answers of AWS: two bytes of status, a line for x-amzn-errortype, the rest
 * is the body.  Laws: there is always one line of plain text, the code is a plain
 * word or nothing, and the same answer always means the same.
 */
#include "config.h"

#include <stdlib.h>

#include "aws/aws_error.h"
#include "fuzz.h"

static bool
is_word(struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		if (strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-", s.ptr[i]) == NULL)
			return false;
	return true;
}

static void
check(const struct aws_error *got)
{
	struct str msg = str_from_cstr(got->err.msg), code = str_from_cstr(got->code);

	REQUIRE(got->class_ <= AWS_ERROR_INVALID);
	REQUIRE(got->err.code != ERR_OK && got->err.code < ERR_N_CODES);
	REQUIRE(msg.len > 0 && str_is_printable(msg));
	REQUIRE(is_word(code) && str_has_prefix(msg, code));
	REQUIRE(code.len > 0 || str_has_prefix(msg, STR("status ")));
	REQUIRE(got->retry_after_ms == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str rest = str_of(data, size), type;
	struct aws_error got, again;
	int status;

	if (size < 3)
		return 0;
	status = 300 + (data[0] << 8 | data[1]) % 300;
	rest = str_skip(rest, 2);
	(void)str_next(&rest, '\n', &type);
	aws_error_classify(status, type, rest, &got);
	check(&got);
	aws_error_classify(status, type, rest, &again);
	REQUIRE(got.class_ == again.class_ && strcmp(got.code, again.code) == 0);
	REQUIRE(strcmp(got.err.msg, again.err.msg) == 0);
	return 0;
}
