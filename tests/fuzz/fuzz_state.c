/*
 * The files of state (overlay.json, applied.json, outlier.json) as any bytes.  Laws: what is refused
 * is refused with one line of plain text; what is read is written back, and read
 * again, as the same; each item is found by its key, and holds only what a command
 * or a line of the log may hold.
 */
#include "config.h"

#include <string.h>

#include "fuzz.h"
#include "outlier/outlier.h"
#include "plan/applied.h"
#include "plan/overlay.h"
#include "plan/plan_json.h"

static void
check_refusal(enum err_code code, const struct err *e)
{
	REQUIRE(code == ERR_PARSE && e->code == ERR_PARSE);
	REQUIRE(e->msg[0] != '\0' && str_is_printable(str_from_cstr(e->msg)));
}

static void
check_key(const struct overlay_key *key)
{
	REQUIRE(plan_json_is_name(key->backend) && key->port != 0);
	REQUIRE(str_is_printable(key->task_arn) && str_is_printable(key->container));
}

static void
check_holds(const struct overlay *o)
{
	struct buf said = buf_make(1024);

	for (size_t i = 0; i < overlay_count(o); i++) {
		const struct overlay_hold *h = overlay_at(o, i);

		check_key(&h->key);
		REQUIRE(overlay_find(o, &h->key) == h);
		REQUIRE(h->weight <= DESIRED_WEIGHT_MAX && (h->has_weight || h->admin != OVERLAY_FREE));
		buf_reset(&said);
		overlay_say(h, &said);
		REQUIRE(said.len > 0 && str_is_printable(buf_str(&said)));
	}
	for (size_t i = 0; i < overlay_count_pauses(o); i++)
		REQUIRE(overlay_find_pause(o, overlay_pause_at(o, i)->backend) == overlay_pause_at(o, i));
	buf_free(&said);
}

/* Sorted, found by what they are of, and fit for a line of the log. */
static void
check_leaves(const struct overlay *o)
{
	for (size_t i = 0; i < overlay_count_leaves(o); i++) {
		const struct overlay_leave *l = overlay_leave_at(o, i);

		REQUIRE(overlay_find_leave(o, l->backend, l->server, l->address, l->port) == l);
		REQUIRE(plan_json_is_name(l->backend) && plan_json_is_name(l->server));
		REQUIRE(str_is_printable(l->address));
	}
}

static void
check_overlay(struct str text)
{
	struct overlay *o = NULL, *again = NULL;
	struct buf first = buf_make(OVERLAY_TEXT_MAX), second = buf_make(OVERLAY_TEXT_MAX);
	struct err e = ERR_INIT;
	enum err_code code = overlay_read(text, &o, &e);
	int64_t next;

	if (code != ERR_OK) {
		check_refusal(code, &e);
		return;
	}
	check_holds(o);
	check_leaves(o);
	REQUIRE(overlay_write(o, &first, NULL) == ERR_OK);
	REQUIRE(overlay_read(buf_str(&first), &again, NULL) == ERR_OK);
	REQUIRE(overlay_write(again, &second, NULL) == ERR_OK);
	REQUIRE(str_eq(buf_str(&first), buf_str(&second)));
	(void)overlay_prune(o, NULL, PLAN_JSON_TIME_MAX_MS, &next);
	REQUIRE(next == INT64_MAX);
	check_holds(o);
	overlay_free(o);
	overlay_free(again);
	buf_free(&first);
	buf_free(&second);
}

static void
check_servers(const struct applied *a)
{
	for (size_t i = 0; i < a->n_servers; i++) {
		const struct applied_server *s = &a->servers[i];
		const struct overlay_key key = {
			.backend = s->backend, .task_arn = s->task_arn, .container = s->container, .port = s->port
		};

		check_key(&key);
		REQUIRE(plan_json_is_name(s->server) && actual_is_ours(s->server));
		REQUIRE(applied_find(a, s->backend, s->server) == s);
		REQUIRE(s->task_arn.len == 0 || applied_find_task(a, &key) != NULL);
		REQUIRE(s->weight <= DESIRED_WEIGHT_MAX && s->was_weight <= DESIRED_WEIGHT_MAX);
		REQUIRE(evidence_name(s->evidence) != NULL);
	}
}

static void
check_applied(struct str text)
{
	struct applied *a = NULL, *again = NULL;
	struct buf out = buf_make(APPLIED_TEXT_MAX);
	struct err e = ERR_INIT;
	enum err_code code = applied_read(text, &a, &e);

	if (code != ERR_OK) {
		check_refusal(code, &e);
		return;
	}
	check_servers(a);
	REQUIRE(applied_write(a, &out, NULL) == ERR_OK);
	REQUIRE(applied_read(buf_str(&out), &again, NULL) == ERR_OK);
	REQUIRE(!applied_differs(a, again) && a->seen_wall_ms == again->seen_wall_ms);
	applied_free(a);
	applied_free(again);
	buf_free(&out);
}

static void
check_outlier(struct str text)
{
	struct outlier *o = NULL, *again = NULL;
	struct buf out = buf_make(OUTLIER_TEXT_MAX);
	struct plan_ejections all;
	struct err e = ERR_INIT;
	size_t n = 0, n_again = 0;
	enum err_code code;

	REQUIRE(outlier_new(&o, NULL) == ERR_OK && outlier_new(&again, NULL) == ERR_OK);
	code = outlier_resume(o, text, 5, 1700000000000, &n, &e);
	outlier_ejections(o, &all);
	REQUIRE(all.n == n);
	for (size_t i = 0; i < all.n; i++)
		check_key(&all.items[i].key);
	if (code != ERR_OK) {
		check_refusal(code, &e);
		REQUIRE(n == 0);
	} else {
		REQUIRE(outlier_write(o, 1700000000000, &out, NULL) == ERR_OK);
		REQUIRE(outlier_resume(again, buf_str(&out), 5, 1700000000000, &n_again, NULL) == ERR_OK);
		REQUIRE(n_again == n);
	}
	buf_free(&out);
	outlier_free(o);
	outlier_free(again);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	check_overlay(str_of(data, size));
	check_applied(str_of(data, size));
	check_outlier(str_of(data, size));
	return 0;
}
