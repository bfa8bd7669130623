/* outlier/: who is ejected, for how long, and who never is. */
#include "config.h"

#include "outlier/outlier.h"
#include "spop/spop_wire.h"

#include <inttypes.h>
#include <stdlib.h>

#include "unit.h"
#include "worlds.h"

#define N_MAX 40

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
		{ { OF_FIRST, NUMBER("st", 500), TEXT("gs", "14") }, 0, 1, 0 },
		{ { OF_FIRST, NUMBER("st", 499), TEXT("gs", "14") }, 1, 0, 0 },
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
	t.entry->policy.outlier.failure_min_hosts = 3;
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

/* Fewer calls than `volume` in each interval are too few however many intervals go by. */
static void
an_interval_begins_with_no_calls(void **state)
{
	static struct story t;

	(void)state;
	begin(&t, 3);
	t.entry->policy.outlier.consecutive_errors = 0;
	for (int i = 0; i < 50; i++) {
		(void)second(&t);
		all_call(&t, 3);
		if (i % 10 == 5)
			t.servers[0]->failures += 19;
		t.servers[0]->answers -= 3;
	}
	assert_int_equal(outlier_counts(t.o)->detected[OUTLIER_FAILURE_PERCENTAGE], 0);
	end(&t);
}

static void
a_limit_of_0_is_no_measure(void **state)
{
	static const struct {
		unsigned consecutive_errors, threshold_percent, volume, good, failed;
	} rows[] = {
		{ 0, 0, 20, 0, 0 }, { 0, 0, 20, 0, 9 }, { 0, 0, 20, 30, 9 }, { 5, 0, 20, 30, 9 },
		{ 0, 50, 0, 0, 0 }, /* no calls: no failure either */
	};
	static struct story t;

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		struct conf_outlier *policy;

		begin(&t, 3);
		policy = &t.entry->policy.outlier;
		policy->consecutive_errors = rows[i].consecutive_errors;
		policy->failure_threshold_percent = rows[i].threshold_percent;
		policy->failure_volume = rows[i].volume;
		for (int k = 0; k < 25; k++) {
			CHECK_ROW(!second(&t), i, "somebody is ejected");
			all_call(&t, rows[i].good);
			calls(&t, 0, 0, rows[i].failed);
		}
		end(&t);
	}
}

/* Somebody else's `agent down`, or one that was not taken back yet. */
static void
whose_agent_is_down_already_is_no_measure(void **state)
{
	static struct story t;

	(void)state;
	begin(&t, 3);
	t.entry->policy.outlier.failure_min_hosts = 3;
	for (int i = 0; i < 25; i++) {
		t.servers[2]->agent_down = true;
		assert_false(second(&t));
		all_call(&t, 3);
		t.servers[0]->failures += 3;
		t.servers[2]->failures += 9;
		t.servers[2]->answers -= 3;
	}
	assert_int_equal(outlier_counts(t.o)->detected[OUTLIER_CONSECUTIVE_ERRORS], 0);
	assert_int_equal(outlier_counts(t.o)->detected[OUTLIER_FAILURE_PERCENTAGE], 0);
	end(&t);
}

/* A read-back that comes a little early ends the window all the same. */
static void
a_window_is_a_second_or_a_little_less(void **state)
{
	static const struct {
		int64_t early_ms;
		bool ends;
	} rows[] = { { 0, true }, { 100, true }, { 101, false }, { 900, false } };
	static struct story t;

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		begin(&t, 3);
		(void)second(&t);
		calls(&t, 0, 0, 5);
		t.now_ms -= rows[i].early_ms;
		CHECK_ROW(second(&t) == rows[i].ends, i, "a window");
		end(&t);
	}
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

/* Each of the three limits for itself. */
static void
as_many_as_the_limits_allow_and_no_more(void **state)
{
	static const struct {
		unsigned n, most_percent, panic_percent, out;
	} rows[] = {
		{ 3, 100, 0, 2 },  /* not the last */
		{ 4, 50, 0, 2 },   /* half of them are 50 % */
		{ 4, 49, 0, 1 },   /* at least one */
		{ 5, 0, 0, 1 },    /* at least one */
		{ 4, 100, 50, 2 }, /* two of four who stay are 50 % */
		{ 3, 100, 50, 1 }, /* one of three is less */
		{ 3, 100, 67, 0 }, /* and two are 66.7 % */
		{ 3, 100, 100, 0 },
	};
	static struct story t;

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		char text[32];

		begin(&t, rows[i].n);
		t.entry->policy.outlier.max_ejection_percent = rows[i].most_percent;
		t.entry->policy.outlier.panic_threshold_percent = rows[i].panic_percent;
		(void)second(&t);
		for (unsigned k = 0; k < rows[i].n; k++)
			calls(&t, k, 0, 9);
		(void)second(&t);
		(void)snprintf(text, sizeof(text), "%u are out", ejected(&t));
		CHECK_ROW(ejected(&t) == rows[i].out, i, text);
		end(&t);
	}
}

/* The log gets the first of them; all are ejected. */
static void
more_at_once_than_there_are_notes_for(void **state)
{
	static struct story t;

	(void)state;
	begin(&t, N_MAX);
	t.entry->policy.outlier.max_ejection_percent = 100;
	t.entry->policy.outlier.panic_threshold_percent = 0;
	(void)second(&t);
	for (unsigned i = 0; i < N_MAX; i++)
		calls(&t, i, 0, 9);
	(void)second(&t);
	assert_int_equal(ejected(&t), N_MAX - 1);
	assert_int_equal(t.notes.n, OUTLIER_NOTES_MAX);
	end(&t);
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

/* What is true of a server that takes no calls, in one way each. */
static void
take_out(struct actual_server *a, int way)
{
	switch (way) {
	case 0:
		a->weight = 0;
		return;
	case 1:
		a->admin = ACTUAL_DRAIN;
		return;
	case 2:
		a->up = false;
		return;
	case 3:
		a->agent_down = true;
		return;
	}
}

static void
who_takes_no_calls_is_nobody_who_stays(void **state)
{
	static struct story t;

	(void)state;
	for (int way = 0; way < 4; way++) {
		begin(&t, 2);
		(void)second(&t);
		take_out(t.servers[1], way);
		calls(&t, 0, 0, 9);
		assert_false(second(&t));
		assert_int_equal(ejected(&t), 0);
		assert_int_equal(outlier_counts(t.o)->overflow, 1);
		end(&t);
	}
}

/* ---- how long ---- */

static void
it_returns_and_stays_out_longer_each_time(void **state)
{
	static const int64_t want_ms[] = { 30000, 60000, 90000, 100000, 100000 };
	static struct story t;

	(void)state;
	begin(&t, 3);
	t.entry->policy.outlier.max_ejection_ms = 100000;
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
	assert_int_equal(outlier_counts(t.o)->returned, N_OF(want_ms));
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

/* The same tasks, in one more backend. */
static void
serve_web_too(struct story *t)
{
	struct actual_backend *b = world_backend(t->w, "web");

	world_entry(t->w, "web", "rng", 50051)->policy.outlier = t->entry->policy.outlier;
	for (unsigned i = 0; i < t->n; i++) {
		char name[16], at[32];

		(void)snprintf(name, sizeof(name), "rc_%u", i + 1);
		(void)snprintf(at, sizeof(at), "10.0.0.%u:50051", i + 1);
		(void)world_server(t->w, b, name, ACTUAL_READY, at);
	}
}

static void
what_changed_in_one_backend_is_told_whatever_the_next_does(void **state)
{
	static struct story t;

	(void)state;
	begin(&t, 3);
	serve_web_too(&t);
	(void)second(&t);
	assert_int_equal(t.plan->n_backends, 2);
	assert_str(t.plan->backends[0].name, "grpc");
	calls(&t, 0, 0, 9);
	assert_true(second(&t));
	end(&t);
}

/* A sweep within an interval of the return forgives nothing, nor does one of another backend. */
static void
who_returned_a_moment_ago_is_not_forgiven_yet(void **state)
{
	static struct story t;

	(void)state;
	begin(&t, 3);
	t.entry->policy.outlier.interval_ms = 1000;
	serve_web_too(&t);
	t.entry->policy.outlier.interval_ms = 10000;
	(void)second(&t); /* the sweeps are 10 s, 20 s.. after it */
	calls(&t, 0, 0, 9);
	assert_true(second(&t));
	for (int i = 0; i < 40; i++) /* 31 s: it returns; 40 s: a sweep */
		(void)second(&t);
	assert_int_equal(outlier_counts(t.o)->returned, 1);
	calls(&t, 0, 0, 9);
	assert_true(second(&t));
	assert_int_equal(t.notes.items[0].for_ms, 60000);
	end(&t);
}

/* What it failed before its time out is not held against it twice. */
static void
who_returns_begins_anew(void **state)
{
	static struct story t;

	(void)state;
	begin(&t, 3);
	t.entry->policy.outlier.interval_ms = 60000;
	t.entry->policy.outlier.base_ejection_ms = 5000;
	(void)second(&t);
	calls(&t, 0, 0, 500);
	assert_true(second(&t));
	for (int i = 0; i < 70; i++) {
		all_call(&t, 2);
		(void)second(&t);
	}
	assert_int_equal(outlier_counts(t.o)->returned, 1);
	assert_int_equal(outlier_counts(t.o)->detected[OUTLIER_FAILURE_PERCENTAGE], 0);
	end(&t);
}

/* HAProxy may hear of it a moment later: the errors until then are of the same ejection. */
static void
who_is_out_is_not_ejected_again(void **state)
{
	static struct story t;

	(void)state;
	begin(&t, 3);
	t.entry->policy.outlier.panic_threshold_percent = 0;
	t.entry->policy.outlier.max_ejection_percent = 100;
	(void)second(&t);
	calls(&t, 0, 0, 9);
	assert_true(second(&t));
	t.servers[0]->agent_down = false;
	t.servers[0]->up = true;
	calls(&t, 0, 0, 9);
	assert_false(second(&t));
	assert_int_equal(t.notes.n, 0);
	assert_int_equal(outlier_counts(t.o)->detected[OUTLIER_CONSECUTIVE_ERRORS], 1);
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
		for (int i = 0; i < 30; i++)
			(void)second(&t);
		assert_int_equal(t.notes.n, 1);
		assert_false(t.notes.items[0].is_ejection);
		assert_int_equal(outlier_counts(t.o)->ejected[OUTLIER_CONSECUTIVE_ERRORS], 0);
		assert_int_equal(outlier_counts(t.o)->returned, 0);
		end(&t);
	}
}

/* They take calls as before: one that is observed leaves no fewer for the next. */
static void
who_is_only_observed_still_takes_calls(void **state)
{
	static struct story t;

	(void)state;
	begin(&t, 2);
	t.entry->policy.outlier.mode = CONF_OUTLIER_OBSERVE;
	t.entry->policy.outlier.max_ejection_percent = 100;
	(void)second(&t);
	calls(&t, 0, 0, 9);
	calls(&t, 1, 0, 9);
	(void)second(&t);
	assert_int_equal(t.notes.n, 2);
	end(&t);
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
	world_haproxy(t.w)->start_time_s += 60; /* the same number, another process */
	t.servers[0]->failures = 700;
	assert_false(second(&t));
	t.servers[0]->name = STR("rc_7"); /* another slot */
	t.servers[0]->failures = 1400;
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
	for (int i = 0; i < 700; i++) /* more than the ten minutes after which who is gone is forgotten */
		(void)second(&t);
	assert_int_equal(ejected(&t), 1);
	outlier_uneject(t.o, STR("grpc"), STR("rc_1"), t.now_ms, &said);
	outlier_ejections(t.o, &t.ejections);
	assert_int_equal(ejected(&t), 0);
	buf_free(&said);
	end(&t);
}

/* An operator's word ends what was held against a server, too. */
static void
who_is_put_back_by_hand_begins_with_the_base_time(void **state)
{
	static struct story t;
	struct buf said = buf_make(500);

	(void)state;
	begin(&t, 3);
	(void)second(&t);
	for (int i = 0; i < 2; i++) {
		calls(&t, 0, 0, 9);
		assert_true(second(&t));
		assert_int_equal(t.notes.items[0].for_ms, 30000);
		outlier_uneject(t.o, STR("grpc"), STR("rc_1"), t.now_ms, &said);
		(void)second(&t);
	}
	buf_free(&said);
	end(&t);
}

static void
an_operator_may_eject_who_is_observed_only(void **state)
{
	static struct story t;
	struct buf said = buf_make(500);

	(void)state;
	begin(&t, 3);
	t.entry->policy.outlier.mode = CONF_OUTLIER_OBSERVE;
	(void)second(&t);
	calls(&t, 0, 0, 9);
	(void)second(&t);
	assert_int_equal(ejected(&t), 0);
	assert_int_equal(
	    outlier_eject(t.o, t.plan, STR("grpc"), STR("rc_1"), t.now_ms, t.now_ms, 0, &said, NULL), ERR_OK);
	outlier_ejections(t.o, &t.ejections);
	assert_int_equal(ejected(&t), 1);
	buf_free(&said);
	end(&t);
}

/* Not the last that takes calls; one that takes none is missed by nobody. */
static void
an_operator_may_not_eject_the_last_that_takes_calls(void **state)
{
	static struct story t;
	struct buf said = buf_make(500);

	(void)state;
	begin(&t, 2);
	t.entry->policy.outlier.panic_threshold_percent = 0;
	t.servers[1]->weight = 0;
	(void)second(&t);
	assert_int_equal(
	    outlier_eject(t.o, t.plan, STR("grpc"), STR("rc_1"), t.now_ms, t.now_ms, 0, &said, NULL), ERR_REFUSED);
	assert_int_equal(
	    outlier_eject(t.o, t.plan, STR("grpc"), STR("rc_2"), t.now_ms, t.now_ms, 0, &said, NULL), ERR_OK);
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
	buf_reset(&said);
	outlier_uneject(t.o, STR("grpc"), STR("rc_7"), t.now_ms, &said);
	assert_str(buf_str(&said), "grpc/rc_7 was not ejected");
	buf_free(&said);
	end(&t);
}

static void
assert_nobody_is_written(const struct story *t)
{
	struct buf text = buf_make(OUTLIER_TEXT_MAX);

	assert_int_equal(outlier_write(t->o, t->now_ms, &text, NULL), ERR_OK);
	buf_put_u8(&text, '\0');
	assert_non_null(strstr((const char *)text.ptr, "\"ejections\":[]"));
	buf_free(&text);
}

/* Who is only observed, or back, takes calls: a restart has nothing to bring back. */
static void
who_takes_calls_is_not_written(void **state)
{
	static struct story t;

	(void)state;
	for (int way = 0; way < 2; way++) {
		begin(&t, 3);
		t.entry->policy.outlier.mode = way == 0 ? CONF_OUTLIER_OBSERVE : CONF_OUTLIER_ENFORCE;
		(void)second(&t);
		calls(&t, 0, 0, 9);
		(void)second(&t);
		assert_int_equal(t.notes.n, 1);
		for (int i = 0; way == 1 && i < 30; i++)
			(void)second(&t);
		assert_int_equal(ejected(&t), 0);
		assert_nobody_is_written(&t);
		end(&t);
	}
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

/* Nor how often: a backend that is away meanwhile has no sweep that would forgive. */
static void
who_was_away_for_long_begins_with_the_base_time(void **state)
{
	static const struct plan nobody = { .n_backends = 0 };
	static struct story t;

	(void)state;
	begin(&t, 3);
	(void)second(&t);
	calls(&t, 0, 0, 9);
	assert_true(second(&t));
	while (ejected(&t) > 0)
		(void)second(&t);
	for (int i = 0; i < 601; i++) {
		t.now_ms += 1000;
		(void)outlier_pass(t.o, world_actual(t.w), &nobody, t.now_ms, 0, &t.notes);
	}
	(void)second(&t);
	calls(&t, 0, 0, 9);
	assert_true(second(&t));
	assert_int_equal(t.notes.items[0].for_ms, 30000);
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

/* With its time and its count, or the next ejection would be a first one. */
static void
assert_is_resumed(const struct story *t, const struct outlier *o, const struct overlay_key *key)
{
	const struct outlier_ejection *was = outlier_find(t->o, key), *is = outlier_find(o, key);

	assert_non_null(was);
	assert_non_null(is);
	assert_int_equal(is->times, was->times);
	assert_int_equal(is->since_wall_ms, was->since_wall_ms);
	assert_int_equal(is->until_wall_ms, was->until_wall_ms);
}

static void
a_restart_within_30_s_resumes_and_a_later_one_does_not(void **state)
{
	static const int64_t ages_ms[] = { 0, 1000, 29000, 30000, 30001 };
	static struct story t;
	struct buf text = buf_make(OUTLIER_TEXT_MAX);
	struct plan_ejections got;
	int64_t written_ms;

	(void)state;
	begin(&t, 3);
	(void)second(&t);
	t.entry->policy.outlier.base_ejection_ms = 60000;
	calls(&t, 0, 0, 9);
	(void)second(&t);
	written_ms = t.now_ms + 5;
	assert_int_equal(outlier_write(t.o, written_ms, &text, NULL), ERR_OK);
	for (size_t i = 0; i < N_OF(ages_ms); i++) {
		struct outlier *other;
		size_t n;

		assert_int_equal(outlier_new(&other, NULL), ERR_OK);
		assert_int_equal(outlier_resume(other, buf_str(&text), 77, written_ms + ages_ms[i], &n, NULL), ERR_OK);
		outlier_ejections(other, &got);
		assert_int_equal(got.n, ages_ms[i] <= 30000 ? 1 : 0);
		assert_int_equal(n, got.n);
		if (n == 1)
			assert_is_resumed(&t, other, &got.items[0].key);
		outlier_free(other);
	}
	buf_free(&text);
	end(&t);
}

/* A count beyond the most that is read would make the whole file one that is refused. */
static void
who_was_out_a_thousand_times_is_still_written_as_it_is_read(void **state)
{
	static struct story t;
	struct buf text = buf_make(10000);
	struct overlay_key key;
	size_t n;

	(void)state;
	begin(&t, 3);
	(void)second(&t);
	key = overlay_key_of(STR("grpc"), t.plan->backends[0].servers[0].desired);
	buf_printf(&text,
	    "{\"rollcall_outlier\":1,\"written_ms\":%" PRId64
	    ",\"ejections\":[{\"backend\":\"grpc\",\"server\":\"rc_1\","
	    "\"task\":\"" STR_FMT "\",\"container\":\"" STR_FMT "\",\"port\":%u,\"cause\":\"operator\","
	    "\"since_ms\":1,\"until_ms\":%" PRId64 ",\"times\":1000}]}",
	    t.now_ms, STR_ARG(key.task_arn), STR_ARG(key.container), (unsigned)key.port, t.now_ms + 1000);
	assert_int_equal(outlier_resume(t.o, buf_str(&text), t.now_ms, t.now_ms, &n, NULL), ERR_OK);
	assert_int_equal(n, 1);
	(void)second(&t);
	assert_int_equal(ejected(&t), 0);
	calls(&t, 0, 0, 9);
	assert_true(second(&t));
	assert_int_equal(outlier_find(t.o, &key)->times, 1000);
	buf_free(&text);
	end(&t);
}

#define ENTRY(backend, times)                                                              \
	("{\"rollcall_outlier\":1,\"written_ms\":1,\"ejections\":[{\"backend\":\"" backend \
	 "\",\"server\":\"rc_1\",\"task\":\"t\","                                          \
	 "\"container\":\"a\",\"port\":1,\"cause\":\"operator\",\"since_ms\":1,\"until_ms\":2,\"times\":" times "}]}")

#define GOOD                                                                                                 \
	"{\"backend\":\"grpc\",\"server\":\"rc_1\",\"task\":\"t\",\"container\":\"a\",\"port\":1,\"cause\":" \
	"\"operator\","                                                                                      \
	"\"since_ms\":1,\"until_ms\":0,\"times\":1}"

static void
a_damaged_file_is_refused_whole(void **state)
{
	static const char *const rows[] = { "", "{", "{}", "{\"rollcall_outlier\":2}",
		"{\"rollcall_outlier\":1,\"written_ms\":1,\"ejections\":[{}]}", ENTRY("grpc", "1001"), ENTRY("", "1"),
		"{\"rollcall_outlier\":1,\"written_ms\":-1,\"ejections\":[]}",
		"{\"rollcall_outlier\":1,\"written_ms\":1,\"ejections\":[" GOOD ",{}]}",
		"{\"rollcall_outlier\":1,\"written_ms\":1,\"ejections\":[{\"backend\":\"a b\",\"task\":\"t\"}]}",
		"{\"rollcall_outlier\":1,\"written_ms\":1,\"ejections\":[{\"backend\":\"a\",\"task\":\"t\",\"cause\":7}"
		"]}" };

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		struct plan_ejections got;
		struct outlier *o;
		size_t n = 9;

		assert_int_equal(outlier_new(&o, NULL), ERR_OK);
		CHECK_ROW(outlier_resume(o, str_from_cstr(rows[i]), 1, 2, &n, NULL) == ERR_PARSE && n == 0, i, rows[i]);
		outlier_ejections(o, &got);
		CHECK_ROW(got.n == 0, i, rows[i]);
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
		cmocka_unit_test(an_interval_begins_with_no_calls),
		cmocka_unit_test(a_limit_of_0_is_no_measure),
		cmocka_unit_test(whose_agent_is_down_already_is_no_measure),
		cmocka_unit_test(a_window_is_a_second_or_a_little_less),
		cmocka_unit_test(never_the_last_and_never_below_the_panic_threshold),
		cmocka_unit_test(as_many_as_the_limits_allow_and_no_more),
		cmocka_unit_test(more_at_once_than_there_are_notes_for),
		cmocka_unit_test(servers_that_checks_took_out_count_towards_the_threshold),
		cmocka_unit_test(who_takes_no_calls_is_nobody_who_stays),
		cmocka_unit_test(it_returns_and_stays_out_longer_each_time),
		cmocka_unit_test(who_behaves_is_forgiven),
		cmocka_unit_test(what_changed_in_one_backend_is_told_whatever_the_next_does),
		cmocka_unit_test(who_returned_a_moment_ago_is_not_forgiven_yet),
		cmocka_unit_test(who_returns_begins_anew),
		cmocka_unit_test(who_is_out_is_not_ejected_again),
		cmocka_unit_test(observe_and_a_missing_agent_only_tell),
		cmocka_unit_test(who_is_only_observed_still_takes_calls),
		cmocka_unit_test(off_looks_at_nothing),
		cmocka_unit_test(counters_that_begin_anew_are_no_calls),
		cmocka_unit_test(an_operator_ejects_and_puts_back),
		cmocka_unit_test(who_is_put_back_by_hand_begins_with_the_base_time),
		cmocka_unit_test(an_operator_may_eject_who_is_observed_only),
		cmocka_unit_test(an_operator_may_not_eject_the_last_that_takes_calls),
		cmocka_unit_test(a_message_counts_if_it_names_a_server_and_a_failure),
		cmocka_unit_test(an_ejection_that_cannot_be_is_refused_with_the_reason),
		cmocka_unit_test(an_ejection_is_found_by_its_task_whatever_its_server_is_called),
		cmocka_unit_test(who_takes_calls_is_not_written),
		cmocka_unit_test(who_is_gone_for_long_is_forgotten),
		cmocka_unit_test(who_was_away_for_long_begins_with_the_base_time),
		cmocka_unit_test(what_is_over_or_there_already_is_not_resumed),
		cmocka_unit_test(a_restart_within_30_s_resumes_and_a_later_one_does_not),
		cmocka_unit_test(who_was_out_a_thousand_times_is_still_written_as_it_is_read),
		cmocka_unit_test(a_damaged_file_is_refused_whole),
	};

	return cmocka_run_group_tests_name("outlier", tests, NULL, NULL);
}
