/* outlier/: who is ejected, for how long, and who never is. */
#include "config.h"

#include "outlier/outlier.h"
#include "spop/spop_wire.h"

#include <stdlib.h>

#include "unit.h"
#include "worlds.h"

#define N_MAX 12

/* N servers rc_1.. of one backend, each of a task of its own. */
struct story {
	struct world *w;
	struct conf_backend *entry;
	struct actual_server *servers[N_MAX];
	unsigned n;
	struct plan *plan;
	struct outlier *o;
	int64_t now_ms;
	struct outlier_notes notes;
	struct plan_ejections ejections;
};

static void
begin(struct story *t, unsigned n)
{
	struct actual_backend *b;

	memset(t, 0, sizeof(*t));
	t->w = world_new();
	t->entry = world_entry(t->w, "grpc", "rng", 50051);
	t->entry->policy.outlier = (struct conf_outlier){
		.agent = STR("127.0.0.1:4320"),
		.consecutive_errors = 5,
		.failure_threshold_percent = 50,
		.failure_volume = 20,
		.failure_min_hosts = 2,
		.interval_ms = 10000,
		.base_ejection_ms = 30000,
		.max_ejection_ms = 300000,
		.max_ejection_percent = 33,
		.panic_threshold_percent = 50,
	};
	t->n = n;
	for (unsigned i = 0; i < n; i++) {
		char id[16], at[32];

		(void)snprintf(id, sizeof(id), "task%02u", i);
		(void)snprintf(at, sizeof(at), "10.0.0.%u", i + 1);
		(void)world_task(t->w, id, ROSTER_RUNNING, at);
	}
	b = world_backend(t->w, "grpc");
	for (unsigned i = 0; i < n; i++) {
		char name[16], at[32];

		(void)snprintf(name, sizeof(name), "rc_%u", i + 1);
		(void)snprintf(at, sizeof(at), "10.0.0.%u:50051", i + 1);
		t->servers[i] = world_server(t->w, b, name, ACTUAL_READY, at);
		t->servers[i]->has_agent_line = t->servers[i]->has_agent = true;
	}
	assert_int_equal(outlier_new(&t->o, NULL), ERR_OK);
	t->now_ms = 1000000;
}

static void
end(struct story *t)
{
	outlier_free(t->o);
	world_free(t->w);
}

/* As the log does: their texts are borrowed, and must be there still. */
static void
read_notes(const struct outlier_notes *notes)
{
	for (size_t i = 0; i < notes->n; i++) {
		char text[100];

		(void)snprintf(text, sizeof(text), STR_FMT "/" STR_FMT, STR_ARG(notes->items[i].backend),
		    STR_ARG(notes->items[i].server));
		assert_non_null(strstr(text, "grpc/rc_"));
	}
}

/* A second goes by; HAProxy does as it was told the second before. */
static bool
second(struct story *t)
{
	bool changed;

	t->now_ms += 1000;
	t->plan = world_plan(t->w, t->now_ms, NULL);
	changed = outlier_pass(t->o, world_actual(t->w), t->plan, t->now_ms, t->now_ms + 5, &t->notes);
	read_notes(&t->notes);
	outlier_ejections(t->o, &t->ejections);
	for (unsigned i = 0; i < t->n; i++) {
		bool out = false;

		for (size_t j = 0; j < t->ejections.n; j++) {
			char id[16];

			(void)snprintf(id, sizeof(id), "task%02u", i);
			out = out || str_has_suffix(t->ejections.items[j].key.task_arn, str_from_cstr(id));
		}
		t->servers[i]->agent_down = out;
		t->servers[i]->up = !out;
	}
	return changed;
}

static void
calls(struct story *t, unsigned i, unsigned good, unsigned failed)
{
	if (t->servers[i]->agent_down)
		return;
	t->servers[i]->answers += good;
	t->servers[i]->failures += failed;
}

static void
all_call(struct story *t, unsigned good)
{
	for (unsigned i = 0; i < t->n; i++)
		calls(t, i, good, 0);
}

static void
spoe_tells(struct story *t, unsigned i, unsigned n, int grpc_status)
{
	char name[16];

	(void)snprintf(name, sizeof(name), "rc_%u", i + 1);
	for (unsigned j = 0; j < n && !t->servers[i]->agent_down; j++) {
		t->servers[i]->answers++;
		outlier_answer(t->o, STR("grpc"), str_from_cstr(name), grpc_status, 200);
	}
}

static unsigned
ejected(const struct story *t)
{
	return (unsigned)t->ejections.n;
}

/* ---- who ---- */

static void
a_second_of_errors_alone_ejects(void **state)
{
	static struct story t;

	(void)state;
	begin(&t, 3);
	(void)second(&t);
	all_call(&t, 50);
	spoe_tells(&t, 1, 5, 14);
	t.servers[1]->answers -= 50;
	assert_true(second(&t));
	assert_int_equal(ejected(&t), 1);
	assert_str(t.ejections.items[0].because, "5 errors and no success within a second");
	assert_int_equal(t.notes.n, 1);
	assert_int_equal(t.notes.items[0].for_ms, 30000);
	assert_str(t.notes.items[0].server, "rc_2");
	end(&t);
}

static void
one_success_among_them_does_not(void **state)
{
	static struct story t;

	(void)state;
	begin(&t, 3);
	(void)second(&t);
	spoe_tells(&t, 1, 9, 14);
	calls(&t, 1, 1, 0);
	assert_false(second(&t));
	spoe_tells(&t, 1, 4, 14); /* too few */
	assert_false(second(&t));
	assert_int_equal(ejected(&t), 0);
	end(&t);
}

static void
what_is_the_callers_fault_is_none_of_the_servers(void **state)
{
	static const int theirs[] = { 0, 1, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 16, -1, 99 };
	static const int ours[] = { 2, 13, 14, 15 };
	static struct story t;

	(void)state;
	begin(&t, 3);
	(void)second(&t);
	for (size_t i = 0; i < N_OF(theirs); i++)
		spoe_tells(&t, 0, 10, theirs[i]);
	assert_false(second(&t));
	assert_int_equal(outlier_counts(t.o)->events, 0);
	for (size_t i = 0; i < N_OF(ours); i++)
		spoe_tells(&t, 0, 2, ours[i]);
	assert_true(second(&t));
	assert_int_equal(outlier_counts(t.o)->events, 8);
	end(&t);
}

static void
it_works_from_show_stat_alone(void **state)
{
	static struct story t;

	(void)state;
	begin(&t, 3);
	(void)second(&t);
	calls(&t, 0, 0, 3);
	t.servers[0]->answers += 2; /* 503s */
	t.servers[0]->answers_5xx += 2;
	assert_true(second(&t));
	assert_int_equal(ejected(&t), 1);
	end(&t);
}

/* ---- what HAProxy's SPOE says ---- */

struct arg {
	const char *name;
	enum spop_wire_type type;
	uint64_t number;
	const char *text;
};

static void
spoe_says(struct outlier *o, const struct arg *args)
{
	struct buf bytes = buf_make(1000);
	struct spop_message m = { .name = STR("rollcall") };

	for (; args->name != NULL; args++, m.n_args++) {
		const struct spop_wire_value v = { .type = args->type,
			.number = args->number,
			.text = args->text != NULL ? str_from_cstr(args->text) : STR("") };

		spop_wire_put_string(&bytes, str_from_cstr(args->name));
		spop_wire_put_value(&bytes, &v);
	}
	m.args = buf_str(&bytes);
	outlier_message(o, &m);
	buf_free(&bytes);
}

#define TEXT(name, text)                        \
	{                                       \
		name, SPOP_WIRE_STRING, 0, text \
	}
#define NUMBER(name, n)                        \
	{                                      \
		name, SPOP_WIRE_INT32, n, NULL \
	}
#define OF_FIRST TEXT("be", "grpc"), TEXT("srv", "rc_1")

static void
a_message_counts_if_it_names_a_server_and_a_failure(void **state)
{
	static const struct {
		struct arg args[6];
		unsigned events, ignored, unread;
	} rows[] = {
		{ { OF_FIRST, NUMBER("st", 200), TEXT("gs", "14") }, 1, 0, 0 },
		{ { OF_FIRST, NUMBER("st", 200), NUMBER("gs", 13) }, 1, 0, 0 },
		{ { OF_FIRST, TEXT("st", "200"), TEXT("gs", "2"), TEXT("more", "x") }, 1, 0, 0 },
		{ { OF_FIRST, NUMBER("st", 200) }, 0, 1, 0 },
		{ { OF_FIRST, NUMBER("st", 503), TEXT("gs", "14") }, 0, 1, 0 },
		{ { OF_FIRST, NUMBER("st", 200), TEXT("gs", "fourteen") }, 0, 1, 0 },
		{ { OF_FIRST, NUMBER("st", 200), NUMBER("gs", UINT32_C(100000)) }, 0, 1, 0 },
		{ { OF_FIRST, NUMBER("st", 200), { "gs", SPOP_WIRE_NULL, 0, NULL } }, 0, 1, 0 },
		{ { TEXT("be", "grpc"), TEXT("srv", "rc_9"), NUMBER("st", 200), TEXT("gs", "14") }, 0, 1, 0 },
		{ { TEXT("be", "web"), TEXT("srv", "rc_1"), NUMBER("st", 200), TEXT("gs", "14") }, 0, 1, 0 },
		{ { TEXT("be", "grpc"), NUMBER("st", 200), TEXT("gs", "14") }, 0, 0, 1 },
		{ { TEXT("srv", "rc_1"), NUMBER("st", 200), TEXT("gs", "14") }, 0, 0, 1 },
		{ { NUMBER("be", 1), TEXT("srv", "rc_1"), TEXT("gs", "14") }, 0, 0, 1 },
		{ { TEXT("be", "grpc"), NUMBER("srv", 1), TEXT("gs", "14") }, 0, 0, 1 },
		{ { { NULL, SPOP_WIRE_NULL, 0, NULL } }, 0, 0, 1 },
	};
	static struct story t;

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		const struct outlier_counts *c;

		begin(&t, 3);
		(void)second(&t);
		spoe_says(t.o, rows[i].args);
		c = outlier_counts(t.o);
		CHECK_ROW(c->events == rows[i].events && c->events_ignored == rows[i].ignored &&
			      c->events_unread == rows[i].unread,
		    i, "a message");
		end(&t);
	}
}

static void
an_http_error_that_both_tell_is_counted_once(void **state)
{
	static struct story t;

	(void)state;
	begin(&t, 3);
	(void)second(&t);
	for (int i = 0; i < 4; i++) {
		t.servers[0]->answers++;
		t.servers[0]->answers_5xx++;
		outlier_answer(t.o, STR("grpc"), STR("rc_1"), -1, 503);
	}
	assert_false(second(&t));
	assert_int_equal(outlier_counts(t.o)->events_ignored, 4);
	end(&t);
}

static void
scattered_errors_among_many_calls_eject_nobody(void **state)
{
	static struct story t;

	(void)state;
	begin(&t, 3);
	(void)second(&t);
	for (int i = 0; i < 60; i++) {
		all_call(&t, 10000 / 60);
		if (i % 12 == 0)
			spoe_tells(&t, 2, 1, 13);
		assert_false(second(&t));
	}
	assert_int_equal(ejected(&t), 0);
	end(&t);
}

static void
half_of_the_calls_of_an_interval_eject_at_its_end(void **state)
{
	static struct story t;
	int at = 0;

	(void)state;
	begin(&t, 3);
	(void)second(&t);
	while (at < 12 && ejected(&t) == 0) {
		all_call(&t, 2);
		spoe_tells(&t, 0, 2, 14);
		(void)second(&t);
		at++;
	}
	assert_in_range(at, 9, 11);
	assert_int_equal(ejected(&t), 1);
	assert_non_null(strstr(t.notes.items[0].because, "calls failed within 10 s"));
	end(&t);
}

static void
too_few_calls_or_servers_are_no_measure(void **state)
{
	static struct story t;

	(void)state;
	begin(&t, 3);
	(void)second(&t);
	for (int i = 0; i < 30; i++) { /* the others are silent: one server with volume, of min_hosts 2 */
		calls(&t, 0, 2, 0);
		spoe_tells(&t, 0, 2, 14);
		assert_false(second(&t));
	}
	end(&t);
}

/* ---- how many ---- */

static void
never_the_last_and_never_below_the_panic_threshold(void **state)
{
	static struct story t;

	(void)state;
	for (unsigned n = 1; n <= 6; n++) {
		unsigned most = n == 1 ? 0 : n * 33 / 100 > 1 ? n * 33 / 100 : 1;

		begin(&t, n);
		(void)second(&t);
		for (int i = 0; i < 5; i++) {
			for (unsigned s = 0; s < n; s++)
				calls(&t, s, 0, 9);
			(void)second(&t);
			assert_in_range(ejected(&t), i == 0 ? most : 0, most);
		}
		assert_true(n == 0 || outlier_counts(t.o)->overflow > 0);
		end(&t);
	}
}

static void
servers_that_checks_took_out_count_towards_the_threshold(void **state)
{
	static struct story t;

	(void)state;
	begin(&t, 4);
	(void)second(&t);
	t.servers[2]->up = t.servers[3]->up = false;
	t.servers[2]->check = t.servers[3]->check = ACTUAL_CHECK_FAILED;
	calls(&t, 0, 0, 9);
	assert_false(second(&t)); /* 2 of 4 left are 50 % already */
	assert_int_equal(ejected(&t), 0);
	end(&t);
}

static void
a_server_of_weight_0_is_nobody_who_stays(void **state)
{
	static struct story t;

	(void)state;
	begin(&t, 2);
	(void)second(&t);
	t.servers[1]->weight = 0;
	calls(&t, 0, 0, 9);
	assert_false(second(&t));
	assert_int_equal(ejected(&t), 0);
	end(&t);
}

/* ---- how long ---- */

static void
it_returns_and_stays_out_longer_each_time(void **state)
{
	static const int64_t want_ms[] = { 30000, 60000, 90000 };
	static struct story t;

	(void)state;
	begin(&t, 3);
	(void)second(&t);
	for (size_t i = 0; i < N_OF(want_ms); i++) {
		int64_t since_ms;

		calls(&t, 0, 0, 9);
		assert_true(second(&t));
		assert_int_equal(ejected(&t), 1);
		since_ms = t.now_ms;
		while (ejected(&t) == 1 && t.now_ms - since_ms < 1000000)
			(void)second(&t);
		assert_int_equal(t.now_ms - since_ms, want_ms[i]);
		(void)second(&t);
	}
	assert_int_equal(outlier_counts(t.o)->returned, 3);
	end(&t);
}

static void
who_behaves_is_forgiven(void **state)
{
	static struct story t;

	(void)state;
	begin(&t, 3);
	(void)second(&t);
	calls(&t, 0, 0, 9);
	(void)second(&t);
	for (int i = 0; i < 60; i++) /* returns, and some sweeps go by */
		(void)second(&t);
	calls(&t, 0, 0, 9);
	assert_true(second(&t));
	assert_int_equal(t.notes.items[0].for_ms, 30000);
	end(&t);
}

/* ---- modes ---- */

static void
observe_and_a_missing_agent_only_tell(void **state)
{
	static struct story t;

	(void)state;
	for (int way = 0; way < 2; way++) {
		begin(&t, 3);
		if (way == 0)
			t.entry->policy.outlier.mode = CONF_OUTLIER_OBSERVE;
		else
			t.servers[0]->has_agent = t.servers[0]->has_agent_line = false;
		(void)second(&t);
		calls(&t, 0, 0, 9);
		(void)second(&t);
		assert_int_equal(ejected(&t), 0);
		assert_int_equal(t.notes.n, 1);
		assert_true(t.notes.items[0].is_observed);
		end(&t);
	}
}

static void
off_looks_at_nothing(void **state)
{
	static struct story t;

	(void)state;
	begin(&t, 3);
	t.entry->policy.outlier.mode = CONF_OUTLIER_OFF;
	(void)second(&t);
	calls(&t, 0, 0, 9);
	assert_false(second(&t));
	assert_int_equal(t.notes.n, 0);
	assert_int_equal(outlier_counts(t.o)->detected[OUTLIER_CONSECUTIVE_ERRORS], 0);
	end(&t);
}

/* ---- another process ---- */

static void
counters_that_begin_anew_are_no_calls(void **state)
{
	static struct story t;

	(void)state;
	begin(&t, 3);
	calls(&t, 0, 1000, 500);
	(void)second(&t);
	assert_int_equal(ejected(&t), 0); /* of before our time */
	world_haproxy(t.w)->pid += 1;
	t.servers[0]->failures = 700; /* of another process */
	assert_false(second(&t));
	t.servers[0]->failures = 3;
	t.servers[0]->answers = 0;
	assert_false(second(&t));
	calls(&t, 0, 0, 5);
	assert_true(second(&t));
	end(&t);
}

/* ---- the operator, and the file ---- */

static void
an_operator_ejects_and_puts_back(void **state)
{
	static struct story t;
	struct buf said = buf_make(500);
	struct err e = ERR_INIT;

	(void)state;
	begin(&t, 3);
	(void)second(&t);
	assert_int_equal(
	    outlier_eject(t.o, t.plan, STR("grpc"), STR("rc_9"), t.now_ms, t.now_ms, 0, &said, &e), ERR_ARG);
	assert_int_equal(
	    outlier_eject(t.o, t.plan, STR("grpc"), STR("rc_1"), t.now_ms, t.now_ms, 5000, &said, NULL), ERR_OK);
	(void)second(&t);
	assert_int_equal(ejected(&t), 1);
	/* 2 of 3 are left: another one would make it 33 % */
	assert_int_equal(
	    outlier_eject(t.o, t.plan, STR("grpc"), STR("rc_2"), t.now_ms, t.now_ms, 0, &said, &e), ERR_REFUSED);
	assert_non_null(strstr(e.msg, "panic_threshold"));
	for (int i = 0; i < 4 && ejected(&t) > 0; i++)
		(void)second(&t);
	assert_int_equal(ejected(&t), 0);
	assert_int_equal(t.notes.n, 1);
	assert_false(t.notes.items[0].is_ejection);
	assert_str(t.notes.items[0].server, "rc_1");
	(void)second(&t);
	assert_int_equal(
	    outlier_eject(t.o, t.plan, STR("grpc"), STR("rc_1"), t.now_ms, t.now_ms, 0, &said, NULL), ERR_OK);
	for (int i = 0; i < 400; i++)
		(void)second(&t);
	assert_int_equal(ejected(&t), 1);
	outlier_uneject(t.o, STR("grpc"), STR("rc_1"), t.now_ms, &said);
	outlier_ejections(t.o, &t.ejections);
	assert_int_equal(ejected(&t), 0);
	buf_free(&said);
	end(&t);
}

/* Whom an operator may not eject, and why. */
static void
an_ejection_that_cannot_be_is_refused_with_the_reason(void **state)
{
	static const struct {
		const char *backend, *server, *says;
		enum err_code code;
	} rows[] = {
		{ "grpc", "rc_4", "no `agent-check`", ERR_REFUSED },
		{ "grpc", "rc_5", "is leaving already", ERR_REFUSED },
		{ "grpc", "rc_6", "no task known explains", ERR_REFUSED },
		{ "grpc", "rc_7", "no such server", ERR_ARG },
		{ "web", "rc_1", "no such server", ERR_ARG },
	};
	static struct story t;
	struct buf said = buf_make(500);
	struct err e = ERR_INIT;
	struct plan_backend b;
	struct plan_server servers[6];
	struct plan plan;

	(void)state;
	begin(&t, 6);
	t.servers[3]->has_agent = t.servers[3]->has_agent_line = false;
	(void)second(&t);
	b = t.plan->backends[0];
	assert_int_equal(b.n_servers, 6);
	memcpy(servers, b.servers, sizeof(servers));
	servers[4].evidence = EVIDENCE_REPLACED;
	servers[5].desired = NULL;
	b.servers = servers;
	plan = (struct plan){ .backends = &b, .n_backends = 1 };
	for (size_t i = 0; i < N_OF(rows); i++) {
		enum err_code code = outlier_eject(t.o, &plan, str_from_cstr(rows[i].backend),
		    str_from_cstr(rows[i].server), t.now_ms, t.now_ms, 0, &said, &e);

		CHECK_ROW(code == rows[i].code && strstr(e.msg, rows[i].says) != NULL, i, e.msg);
	}
	assert_int_equal(said.len, 0);
	outlier_uneject(t.o, STR("grpc"), STR("rc_1"), t.now_ms, &said);
	assert_str(buf_str(&said), "grpc/rc_1 was not ejected");
	buf_free(&said);
	end(&t);
}

/* A slot may have another name after a reload; the task is the same. */
static void
an_ejection_is_found_by_its_task_whatever_its_server_is_called(void **state)
{
	static struct story t;
	struct buf said = buf_make(500);
	struct overlay_key first, other;

	(void)state;
	begin(&t, 3);
	(void)second(&t);
	first = overlay_key_of(STR("grpc"), t.plan->backends[0].servers[0].desired);
	other = overlay_key_of(STR("grpc"), t.plan->backends[0].servers[1].desired);
	assert_null(outlier_find(t.o, &first));
	assert_int_equal(
	    outlier_eject(t.o, t.plan, STR("grpc"), STR("rc_1"), t.now_ms, t.now_ms, 0, &said, NULL), ERR_OK);
	assert_str(outlier_find(t.o, &first)->server, "rc_1");
	assert_null(outlier_find(t.o, &other));
	t.servers[0]->name = STR("rc_7");
	t.now_ms += 1000;
	t.plan = world_plan(t.w, t.now_ms, NULL);
	(void)outlier_pass(t.o, world_actual(t.w), t.plan, t.now_ms, t.now_ms, &t.notes);
	assert_str(outlier_find(t.o, &first)->server, "rc_7");
	buf_reset(&said);
	outlier_uneject(t.o, STR("web"), STR("rc_7"), t.now_ms, &said);
	outlier_uneject(t.o, STR("grpc"), STR("rc_1"), t.now_ms, &said);
	assert_str(buf_str(&said), "web/rc_7 was not ejectedgrpc/rc_1 was not ejected");
	outlier_uneject(t.o, STR("grpc"), STR("rc_7"), t.now_ms, &said);
	assert_null(outlier_find(t.o, &first)); /* remembered, and out no more */
	buf_free(&said);
	end(&t);
}

/* Who is only observed takes calls: a restart has nothing to bring back. */
static void
who_is_only_observed_is_not_written(void **state)
{
	static struct story t;
	struct buf text = buf_make(OUTLIER_TEXT_MAX);

	(void)state;
	begin(&t, 3);
	t.entry->policy.outlier.mode = CONF_OUTLIER_OBSERVE;
	(void)second(&t);
	calls(&t, 0, 0, 9);
	(void)second(&t);
	assert_int_equal(t.notes.n, 1);
	assert_int_equal(outlier_write(t.o, t.now_ms, &text, NULL), ERR_OK);
	buf_put_u8(&text, '\0');
	assert_non_null(strstr((const char *)text.ptr, "\"ejections\":[]"));
	buf_free(&text);
	end(&t);
}

/* Who has not been seen for ten minutes is out no more, nor remembered. */
static void
who_is_gone_for_long_is_forgotten(void **state)
{
	static const struct plan nobody = { .n_backends = 0 };
	static struct story t;
	struct buf said = buf_make(500);

	(void)state;
	begin(&t, 3);
	(void)second(&t);
	assert_int_equal(
	    outlier_eject(t.o, t.plan, STR("grpc"), STR("rc_1"), t.now_ms, t.now_ms, 0, &said, NULL), ERR_OK);
	(void)outlier_pass(t.o, world_actual(t.w), &nobody, t.now_ms + 599999, 0, &t.notes);
	outlier_ejections(t.o, &t.ejections);
	assert_int_equal(t.ejections.n, 1);
	assert_true(outlier_pass(t.o, world_actual(t.w), &nobody, t.now_ms + 600000, 0, &t.notes));
	outlier_ejections(t.o, &t.ejections);
	assert_int_equal(t.ejections.n, 0);
	assert_int_equal(t.notes.n, 1);
	buf_free(&said);
	end(&t);
}

/* What the file says of one server, twice, or over by now. */
static void
what_is_over_or_there_already_is_not_resumed(void **state)
{
	static const struct {
		const char *server, *until;
		size_t n;
	} rows[] = { { "rc_1", "0", 1 }, { "rc_1", "5000", 1 }, { "rc_1", "1500", 0 } };
	struct buf text = buf_make(10000);

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		struct outlier *o;
		size_t n = 9;

		assert_int_equal(outlier_new(&o, NULL), ERR_OK);
		buf_reset(&text);
		buf_printf(&text, "{\"rollcall_outlier\":1,\"written_ms\":1000,\"ejections\":[");
		for (int k = 0; k < 2; k++) /* twice */
			buf_printf(&text,
			    "%s{\"backend\":\"grpc\",\"server\":\"%s\",\"task\":\"arn:t\",\"container\":\"app\","
			    "\"port\":1,"
			    "\"cause\":\"operator\",\"since_ms\":900,\"until_ms\":%s,\"times\":2}",
			    k > 0 ? "," : "", rows[i].server, rows[i].until);
		buf_put(&text, STR("]}"));
		assert_int_equal(outlier_resume(o, buf_str(&text), 1, 2000, &n, NULL), ERR_OK);
		CHECK_ROW(n == rows[i].n, i, rows[i].until);
		/* Of the future: a clock that was set back. */
		assert_int_equal(outlier_resume(o, buf_str(&text), 1, 999, &n, NULL), ERR_OK);
		CHECK_ROW(n == 0, i, rows[i].until);
		outlier_free(o);
	}
	buf_free(&text);
}

static void
a_restart_within_30_s_resumes_and_a_later_one_does_not(void **state)
{
	static struct story t;
	struct buf text = buf_make(OUTLIER_TEXT_MAX);
	struct plan_ejections got;
	int64_t written_ms;

	(void)state;
	begin(&t, 3);
	(void)second(&t);
	calls(&t, 0, 0, 9);
	(void)second(&t);
	written_ms = t.now_ms + 5;
	assert_int_equal(outlier_write(t.o, written_ms, &text, NULL), ERR_OK);
	for (int64_t age_ms = 1000; age_ms <= 31000; age_ms += 10000) {
		struct outlier *other;
		size_t n;

		assert_int_equal(outlier_new(&other, NULL), ERR_OK);
		assert_int_equal(outlier_resume(other, buf_str(&text), 77, written_ms + age_ms, &n, NULL), ERR_OK);
		outlier_ejections(other, &got);
		assert_int_equal(got.n, age_ms < 30000 ? 1 : 0);
		assert_int_equal(n, got.n);
		if (n == 1)
			assert_true(overlay_key_eq(&got.items[0].key, &t.ejections.items[0].key));
		outlier_free(other);
	}
	buf_free(&text);
	end(&t);
}

#define ENTRY(backend, times)                                                              \
	("{\"rollcall_outlier\":1,\"written_ms\":1,\"ejections\":[{\"backend\":\"" backend \
	 "\",\"server\":\"rc_1\",\"task\":\"t\","                                          \
	 "\"container\":\"a\",\"port\":1,\"cause\":\"operator\",\"since_ms\":1,\"until_ms\":2,\"times\":" times "}]}")

static void
a_damaged_file_is_refused_whole(void **state)
{
	static const char *const rows[] = { "", "{", "{}", "{\"rollcall_outlier\":2}",
		"{\"rollcall_outlier\":1,\"written_ms\":1,\"ejections\":[{}]}", ENTRY("grpc", "1001"), ENTRY("", "1"),
		"{\"rollcall_outlier\":1,\"written_ms\":-1,\"ejections\":[]}",
		"{\"rollcall_outlier\":1,\"written_ms\":1,\"ejections\":[{\"backend\":\"a b\",\"task\":\"t\"}]}",
		"{\"rollcall_outlier\":1,\"written_ms\":1,\"ejections\":[{\"backend\":\"a\",\"task\":\"t\",\"cause\":7}"
		"]}" };

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		struct outlier *o;
		size_t n = 9;

		assert_int_equal(outlier_new(&o, NULL), ERR_OK);
		CHECK_ROW(outlier_resume(o, str_from_cstr(rows[i]), 1, 2, &n, NULL) == ERR_PARSE && n == 0, i, rows[i]);
		outlier_free(o);
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_second_of_errors_alone_ejects),
		cmocka_unit_test(one_success_among_them_does_not),
		cmocka_unit_test(what_is_the_callers_fault_is_none_of_the_servers),
		cmocka_unit_test(it_works_from_show_stat_alone),
		cmocka_unit_test(an_http_error_that_both_tell_is_counted_once),
		cmocka_unit_test(scattered_errors_among_many_calls_eject_nobody),
		cmocka_unit_test(half_of_the_calls_of_an_interval_eject_at_its_end),
		cmocka_unit_test(too_few_calls_or_servers_are_no_measure),
		cmocka_unit_test(never_the_last_and_never_below_the_panic_threshold),
		cmocka_unit_test(servers_that_checks_took_out_count_towards_the_threshold),
		cmocka_unit_test(a_server_of_weight_0_is_nobody_who_stays),
		cmocka_unit_test(it_returns_and_stays_out_longer_each_time),
		cmocka_unit_test(who_behaves_is_forgiven),
		cmocka_unit_test(observe_and_a_missing_agent_only_tell),
		cmocka_unit_test(off_looks_at_nothing),
		cmocka_unit_test(counters_that_begin_anew_are_no_calls),
		cmocka_unit_test(an_operator_ejects_and_puts_back),
		cmocka_unit_test(a_message_counts_if_it_names_a_server_and_a_failure),
		cmocka_unit_test(an_ejection_that_cannot_be_is_refused_with_the_reason),
		cmocka_unit_test(an_ejection_is_found_by_its_task_whatever_its_server_is_called),
		cmocka_unit_test(who_is_only_observed_is_not_written),
		cmocka_unit_test(who_is_gone_for_long_is_forgotten),
		cmocka_unit_test(what_is_over_or_there_already_is_not_resumed),
		cmocka_unit_test(a_restart_within_30_s_resumes_and_a_later_one_does_not),
		cmocka_unit_test(a_damaged_file_is_refused_whole),
	};

	return cmocka_run_group_tests_name("outlier", tests, NULL, NULL);
}
