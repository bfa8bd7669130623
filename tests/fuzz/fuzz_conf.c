/*
 * The configuration's parser on any bytes.  Laws: success comes without faults and
 * failure with some, in the order of the text; what is handed out is complete.
 */
#include "config.h"

#include <stdlib.h>

#include "base/utf8.h"
#include "conf/conf.h"
#include "fuzz.h"

static const char *
get_var(void *arg, const char *name)
{
	(void)arg;
	if (strcmp(name, "AWS_REGION") == 0)
		return "eu-west-1";
	if (strcmp(name, "A") == 0)
		return "a";
	return strcmp(name, "ODD") == 0 ? "${A}\t\xff: [" : NULL;
}

static void
check_notes(const struct conf_notes *notes)
{
	REQUIRE(notes->n <= CONF_NOTES_MAX);
	for (size_t i = 0; i < notes->n; i++) {
		const struct conf_note *note = &notes->notes[i];

		REQUIRE(note->where.line > 0 && note->where.column > 0);
		REQUIRE(note->text.len > 0 && utf8_is_valid(note->text));
		REQUIRE(i == 0 || notes->notes[i - 1].where.line <= note->where.line);
	}
}

static void
check_policy(const struct conf_policy *p)
{
	REQUIRE(p->weight <= 1000000 && p->share_percent <= 100 && p->removal_limit_percent <= 100);
	REQUIRE(p->balance <= CONF_BALANCE_RANDOM && p->check.type <= CONF_CHECK_GRPC);
	REQUIRE(p->drain_timeout_ms == CONF_DRAIN_AUTO || p->drain_timeout_ms >= 0);
	REQUIRE(p->outlier.agent.len > 0 && p->outlier.max_ejection_ms >= p->outlier.base_ejection_ms);
}

static void
check_conf(const struct conf *c)
{
	REQUIRE(c->hash.len == 16 && c->n_sources > 0);
	for (size_t i = 0; i < c->n_sources; i++) {
		const struct conf_source *s = &c->sources[i];

		REQUIRE(s->name.len > 0 && s->region.len > 0 && s->where.line > 0);
		REQUIRE(s->watch_ms > 0 && s->refresh_ms >= s->watch_ms && s->rate_limit_milli > 0);
		REQUIRE((s->access_key_id.len > 0) == (s->secret_access_key.len > 0));
	}
	REQUIRE(c->haproxy.socket.len > 0 && c->control.address.len > 0 && c->state_dir.len > 0);
	check_policy(&c->defaults);
	for (size_t i = 0; i < c->n_backends; i++) {
		const struct conf_backend *b = &c->backends[i];

		REQUIRE(b->name.len > 0 && conf_backend_by_name(c, b->name) == b);
		REQUIRE(b->match.source.len > 0 && b->match.service.len > 0);
		REQUIRE((b->own & ~b->policy.set) == 0);
		check_policy(&b->policy);
	}
	REQUIRE(c->has_spoe == (c->spoe.address.len > 0));
	check_notes(&c->warnings);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(arena_wipe_at) struct arena *a = arena_new(CONF_ARENA_MAX);
	const struct env env = { .get = get_var };
	const struct conf *c = NULL;
	struct conf_notes faults;
	struct err e = ERR_INIT;
	enum err_code code;

	if (a == NULL)
		return 0;
	code = conf_parse(a, str_of(data, size), &env, &c, &faults, &e);
	REQUIRE((code == ERR_OK) == (c != NULL));
	REQUIRE((code == ERR_CONF) == (faults.n > 0));
	REQUIRE(code == ERR_OK || e.code == code);
	check_notes(&faults);
	if (c != NULL)
		check_conf(c);
	return 0;
}
