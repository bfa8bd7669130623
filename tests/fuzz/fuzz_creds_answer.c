/*
 * Answers that hold a key: the first byte chooses JSON, STS's XML, GetCallerIdentity, or
 * the task metadata, of which the region is read.
 * Laws: a key is whole and can stand in headers, a failure has a code and a plain line.
 */
#include "config.h"

#include <stdlib.h>

#include "aws/creds_answer.h"
#include "aws/task_metadata.h"
#include "fuzz.h"

static void
check_key(struct creds *c)
{
	struct sigv4_key key = creds_key(c);

	REQUIRE(key.access_key_id.len > 0 && str_is_printable(key.access_key_id));
	REQUIRE(key.secret.len > 0 && str_is_printable(key.secret));
	REQUIRE(str_is_printable(key.session_token));
	REQUIRE(strcmp(creds_source_name(c), "fuzz") == 0);
	creds_unref(c);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str body = str_skip(str_of(data, size), 1);
	struct creds_answer_identity who;
	char region[TASK_METADATA_REGION_SIZE] = "";
	struct creds *c = NULL;
	struct err e = ERR_INIT;
	enum err_code code;

	if (size == 0)
		return 0;
	switch (data[0] % 4) {
	case 0:
		code = creds_answer_read_json(body, "fuzz", &c, &e);
		break;
	case 1:
		code = creds_answer_read_sts(body, "fuzz", &c, &e);
		break;
	case 3:
		code = task_metadata_region(body, region, &e);
		REQUIRE(code != ERR_OK || (region[0] != '\0' && str_is_printable(str_from_cstr(region))));
		break;
	default:
		code = creds_answer_read_identity(body, &who, &e);
		REQUIRE(code != ERR_OK || (who.account[0] != '\0' && who.arn[0] != '\0'));
		break;
	}
	REQUIRE(code == e.code && str_is_printable(str_from_cstr(e.msg)));
	REQUIRE((c != NULL) == (code == ERR_OK && data[0] % 4 < 2));
	if (c != NULL)
		check_key(c);
	return 0;
}
