/*
 * Any method and any target: the answer is JSON with a status that the contract has,
 * and nothing breaks; an order that is taken is within its bounds.  Input: the method,
 * a newline, the path, and behind a question mark the query.  The first line is tried as a
 * Host, too: who is let in by it is an address or localhost.
 */
#include "config.h"

#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <strings.h>

#include <jansson.h>

#include "control/control_host.h"
#include "control/control_order.h"

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
	json_t *document;

	if (answer->status == 200 && strcmp(answer->content_type, "application/json") != 0)
		return;
	document = json_loadb((const char *)answer->body.ptr, answer->body.len, JSON_REJECT_DUPLICATES, NULL);

	assert(document != NULL);
	assert(is_of_the_contract(answer->status));
	assert((answer->status == 405) == (answer->allow != NULL));
	assert((answer->status == 200) == (json_object_get(document, "error") == NULL));
	json_decref(document);
}

static void
check_name(struct str name)
{
	for (size_t i = 0; i < name.len; i++)
		assert(name.ptr[i] > ' ' && name.ptr[i] < 0x7f && name.ptr[i] != '/' && name.ptr[i] != ';');
}

static void
check_order(const struct reconcile_order *o)
{
	bool of_server =
	    o->kind == RECONCILE_DRAIN_SERVER || o->kind == RECONCILE_READY_SERVER || o->kind == RECONCILE_WEIGH_SERVER;

	assert(of_server == (o->server.len > 0));
	assert(!of_server || o->backend.len > 0);
	assert(o->weight <= 256 && o->for_ms >= 0 && o->for_ms <= INT64_C(365) * 24 * 3600 * 1000);
	check_name(o->backend);
	check_name(o->server);
}

static void
answer_order(const struct control_order *o, struct control_response *ret)
{
	static const struct control_outcome outcome;
	static struct control_making m;

	if (o->kind == CONTROL_ORDER_SYNC)
		check_order(&o->what);
	control_order_start(&(struct control_done){ o, &outcome }, ERR_OK, NULL, &m);
	control_view_make(facts(), &m, ret);
}

static void
check_host(struct str host)
{
	static const char of_addresses[] = "0123456789abcdefABCDEF.:[]";
	bool is_address = true;

	if (!control_host_admits(host, STR("/v1/status")))
		return;
	for (size_t i = 0; i < host.len; i++)
		is_address = is_address && memchr(of_addresses, host.ptr[i], sizeof(of_addresses) - 1) != NULL;
	assert(host.len > 0 && (is_address || strncasecmp((const char *)host.ptr, "localhost", 9) == 0));
	assert(control_host_admits(host, STR("/")) && control_host_admits(host, STR("/metrics")));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct control_request rq = { .path = str_of(data, size) };
	struct control_response answer;
	struct control_order order;
	size_t at;

	if (size == 0 || !str_next(&rq.path, '\n', &rq.method))
		return 0;
	check_host(rq.method);
	if (str_find(rq.path, '?', &at)) {
		rq.query = str_skip(rq.path, at + 1);
		rq.path = str_first(rq.path, at);
	}
	switch (control_order_take(&rq, &order, &answer)) {
	case CONTROL_ORDER_NONE:
		control_view_answer(facts(), &rq, &answer);
		break;
	case CONTROL_ORDER_TAKEN:
		answer_order(&order, &answer);
		break;
	case CONTROL_ORDER_REFUSED:
		break;
	}
	check(&answer);
	buf_free(&answer.body);
	return 0;
}
