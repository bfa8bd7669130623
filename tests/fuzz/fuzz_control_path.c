/*
 * Any method and any path: the answer is JSON with a status that the contract has,
 * and nothing breaks.  Input: the method, a newline, the path.
 */
#include "config.h"

#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <jansson.h>

#include "control_story.h"
#include "fuzz.h"

/* Made once; the views only read it. */
static const struct control_facts *
facts(void)
{
	static struct control_story *story;

	if (story == NULL)
		story = control_story_new();
	assert(story != NULL);
	return &story->facts;
}

static bool
is_of_the_contract(int status)
{
	return status == 200 || status == 400 || status == 404 || status == 405 || status == 409;
}

static void
check(const struct control_response *answer)
{
	json_t *document = json_loadb((const char *)answer->body.ptr, answer->body.len, JSON_REJECT_DUPLICATES, NULL);

	assert(document != NULL);
	assert(is_of_the_contract(answer->status));
	assert((answer->status == 405) == (answer->allow != NULL));
	assert((answer->status == 200) == (json_object_get(document, "error") == NULL));
	json_decref(document);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct control_request rq = { .path = str_of(data, size) };
	struct control_response answer;

	if (size == 0 || !str_next(&rq.path, '\n', &rq.method))
		return 0;
	control_view_answer(facts(), &rq, &answer);
	check(&answer);
	buf_free(&answer.body);
	return 0;
}
