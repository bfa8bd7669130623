/*
 * sync/reconcile: a day of outages in a millisecond.
 *
 * A stage has a world (worlds.h), whose HAProxy carries out what it is told, stays
 * silent, refuses or ignores it, and a clock that jumps from one wake-up to the
 * next.  What must hold of every answer of the reconciler is asserted in feed():
 * one thing is asked at a time, nothing while something is under way, and never
 * again and again within one moment.
 */
#include "config.h"

#include <stdlib.h>

#include "sync/reconcile.h"
#include "sync/reconcile_ahead.h"
#include "sync/reconcile_state.h"
#include "unit.h"
#include "worlds.h"

#define SLOTS_MAX    8
#define WALL_MS      INT64_C(1795401646000)
#define AT_ONCE_MAX  20 /* things asked within one moment */
#define ARENA_MAX_   ((size_t)1 << 20)
#define LAST_WAIT_MS INT64_C(30000) /* between two tries of what is refused */

struct stage {
	struct world *w;
	struct actual_backend *grpc;
	struct actual_server *slots[SLOTS_MAX];
	size_t n_slots;
	struct reconcile *r;
	struct reconcile_actions todo;
	bool under_way;
	int64_t now_ms, wake_ms;
	unsigned at_once;

	/* How HAProxy is today. */
	uint64_t pid, start_time_s;
	bool silent, deaf, cuts_short;
	bool only_asked;     /* as HAProxy does: it tells of backends that desired has, or else the configuration */
	bool one_by_one;     /* each run sees one more check pass behind it */
	const char *refuses; /* a server, or null */
	const char *taken;   /* a backend that it never makes, or null */
	struct actual_backend *made; /* that it may be told to unmake, or null */
	bool is_routed, is_named;    /* made: a map leads there; a line of haproxy.cfg names it */

	unsigned reads, probes, runs;
	int64_t run_ms; /* when the last run was */
	/* What was saved last, as text; null: never. */
	char *applied_text, *overlay_text;
	unsigned saves;     /* of what was applied */
	bool cannot_save;   /* the disk is full */
	bool is_other;      /* the next run meets another process */
	bool contest;       /* it was told that another service may contest a route */
	char asked[64][64]; /* backends, by the last read */
	size_t n_asked;
	char steps[1024]; /* of the last run */
	char notes[8192]; /* all of them, a line each */
};

/* ---- HAProxy ---- */

/* Whose backends are read, at the time of the question. */
static void
note_asked(struct stage *s)
{
	const struct desired *d = reconcile_wanted(s->r);

	s->n_asked = 0;
	for (size_t i = 0; d != NULL && i < d->n_backends; i++) {
		assert_true(s->n_asked < N_OF(s->asked));
		(void)snprintf(s->asked[s->n_asked++], sizeof(s->asked[0]), STR_FMT, STR_ARG(d->backends[i].name));
	}
}

static bool
is_asked(const struct stage *s, struct str backend)
{
	for (size_t i = 0; i < s->n_asked; i++)
		if (str_eq(str_from_cstr(s->asked[i]), backend))
			return true;
	return false;
}

static struct actual *
read_back(struct stage *s)
{
	const struct actual *from = world_actual(s->w);
	struct arena *a = arena_new(ARENA_MAX_);
	struct actual *copy;
	struct actual_backend *backends;

	assert_non_null(a);
	copy = ARENA_NEW(a, struct actual);
	backends = ARENA_ARRAY(a, struct actual_backend, from->n_backends);
	assert_true(copy != NULL && backends != NULL);
	*copy = *from;
	copy->n_backends = 0;
	for (size_t i = 0; i < from->n_backends; i++) {
		struct actual_server *servers = ARENA_ARRAY(a, struct actual_server, from->backends[i].n_servers);
		struct actual_backend *to = &backends[copy->n_backends];

		assert_non_null(servers);
		if (s->only_asked && !is_asked(s, from->backends[i].name))
			continue;
		copy->n_backends++;
		*to = from->backends[i];
		if (to->n_servers > 0)
			memcpy(servers, from->backends[i].servers, to->n_servers * sizeof(*servers));
		to->servers = servers;
	}
	copy->backends = backends;
	copy->pid = s->pid;
	copy->start_time_s = s->start_time_s;
	copy->arena = a;
	return copy;
}

static struct actual_server *
slot_named(struct stage *s, struct str name)
{
	for (size_t i = 0; i < s->n_slots; i++)
		if (str_eq(s->slots[i]->name, name))
			return s->slots[i];
	fail_msg("no slot " STR_FMT, STR_ARG(name));
	return NULL;
}

static void
set_admin(struct actual_server *server, enum actual_admin admin)
{
	if (server->admin == ACTUAL_MAINT && admin != ACTUAL_MAINT)
		server->check = ACTUAL_CHECK_PENDING;
	server->admin = admin;
	server->up = admin == ACTUAL_READY;
}

static void
carry_out(struct stage *s, const struct plan_step *st)
{
	struct actual_server *server = slot_named(s, st->server);
	char address[64];

	switch (st->kind) {
	case PLAN_ADDRESS:
		(void)snprintf(address, sizeof(address), STR_FMT, STR_ARG(st->address));
		server->address = world_str(s->w, address);
		server->port = st->port;
		break;
	case PLAN_WEIGHT:
		server->weight = st->value;
		break;
	case PLAN_MAXCONN:
		server->maxconn = st->value;
		break;
	case PLAN_JOIN:
		set_admin(server, ACTUAL_DRAIN);
		break;
	case PLAN_GATE:
		server->up = false;
		break;
	case PLAN_READY:
		set_admin(server, ACTUAL_READY);
		break;
	case PLAN_MAINT:
		set_admin(server, ACTUAL_MAINT);
		break;
	case PLAN_DRAIN:
		set_admin(server, ACTUAL_DRAIN);
		break;
	case PLAN_SHUTDOWN:
		server->sessions = 0;
		break;
	case PLAN_EJECT:
	case PLAN_UNEJECT:
		server->agent_down = st->kind == PLAN_EJECT;
		break;
	case PLAN_BACKEND:
	case PLAN_PUBLISH:
	case PLAN_UNPUBLISH:
	case PLAN_UNMAKE:
	case PLAN_CA:
	case PLAN_ADD:
	case PLAN_CHECK:
	case PLAN_AGENT:
	case PLAN_DELETE:
		fail_msg("%s is no step of a slot", plan_step_name(st->kind));
	}
}

static void
refuse(struct hap_exec_report *report, const struct plan_step *st, const char *words)
{
	struct hap_exec_refusal *to = &report->refusals[report->n_refusals++];

	report->refused++;
	to->step = st;
	err_fill(&to->err, ERR_REFUSED, 0, "HAProxy: %s", words);
}

static void
unmake(struct stage *s, const struct plan_step *st, struct hap_exec_report *report)
{
	assert_true(str_eq(st->backend, s->made->name));
	if (st->kind == PLAN_UNMAKE && s->is_named)
		refuse(report, st, HAP_TEXT_BACKEND_IS_NAMED " due to other configuration elements pointing to it.");
	else if (st->kind == PLAN_UNMAKE)
		s->made->exists = false;
	s->made->is_unpublished = st->kind != PLAN_PUBLISH;
}

static void
run(struct stage *s, const struct plan *p, struct hap_exec_report *report)
{
	s->runs++;
	s->run_ms = s->now_ms;
	(void)snprintf(s->steps, sizeof(s->steps), "%s", world_steps(s->w, p));
	report->pid = s->pid;
	report->start_time_s = s->start_time_s;
	if (s->is_other) {
		s->is_other = false;
		report->is_other = true;
		report->unsent = p->n_steps;
		return;
	}
	if (s->silent || s->cuts_short) {
		err_fill(&report->err, ERR_CLOSED, 0, "HAProxy hung up");
		return;
	}
	for (size_t i = 0; i < p->n_steps; i++) {
		if (s->refuses != NULL && str_eq(p->steps[i].server, str_from_cstr(s->refuses)))
			refuse(report, &p->steps[i], "no such thing");
		else if (s->taken != NULL && str_eq(p->steps[i].backend, str_from_cstr(s->taken)))
			refuse(report, &p->steps[i],
			    p->steps[i].kind == PLAN_BACKEND
				? "Error during backend creation : name is already used by other proxy."
				: "no such backend");
		else if (s->made != NULL && plan_step_is_of_backend(p->steps[i].kind))
			unmake(s, &p->steps[i], report);
		else if (!s->deaf)
			carry_out(s, &p->steps[i]);
	}
}

static void
pass_one_check(struct stage *s)
{
	size_t i = 0;

	while (i < s->n_slots && (s->slots[i]->admin != ACTUAL_DRAIN || s->slots[i]->check == ACTUAL_CHECK_PASSED))
		i++;
	if (i < s->n_slots)
		s->slots[i]->check = ACTUAL_CHECK_PASSED;
}

/* ---- the state directory ---- */

static void
keep_text(char **to, struct buf *text)
{
	free(*to);
	*to = calloc(text->len + 1, 1);
	assert_non_null(*to);
	memcpy(*to, text->ptr, text->len);
	buf_free(text);
}

static void
save(struct stage *s)
{
	struct buf applied = buf_make(APPLIED_TEXT_MAX), overlay = buf_make(OVERLAY_TEXT_MAX);
	struct err e = ERR_INIT;

	if (s->cannot_save)
		err_fill(&e, ERR_IO, 28, "state_dir: cannot write it");
	if (s->todo.save_applied != NULL && !s->cannot_save) {
		assert_int_equal(applied_write(s->todo.save_applied, &applied, NULL), ERR_OK);
		keep_text(&s->applied_text, &applied);
		s->saves++;
	}
	if (s->todo.save_overlay != NULL && !s->cannot_save) {
		assert_int_equal(overlay_write(s->todo.save_overlay, &overlay, NULL), ERR_OK);
		keep_text(&s->overlay_text, &overlay);
	}
	if (s->todo.save_applied != NULL)
		(void)reconcile_saved(s->r, RECONCILE_APPLIED, s->now_ms, &e);
	if (s->todo.save_overlay != NULL)
		(void)reconcile_saved(s->r, RECONCILE_OVERLAY, s->now_ms, &e);
}

/* ---- feeding ---- */

static void
keep_notes(struct stage *s)
{
	size_t n = strlen(s->notes);

	for (size_t i = 0; i < s->todo.n_notes; i++)
		n += (size_t)snprintf(s->notes + n, sizeof(s->notes) - n, "%s: %s\n",
		    log_level_name(s->todo.notes[i].level), s->todo.notes[i].text);
	assert_true(n < sizeof(s->notes));
}

static void
feed(struct stage *s, struct reconcile_event ev)
{
	int asked;

	ev.mono_ms = s->now_ms;
	ev.wall_ms = WALL_MS + s->now_ms;
	reconcile_feed(s->r, &ev, &s->todo);
	asked = s->todo.read + s->todo.probe + (s->todo.execute != NULL);
	assert_true(asked <= 1);
	assert_true(asked == 0 || !s->under_way);
	assert_true(s->todo.wake_in_ms >= 0);
	assert_true(asked > 0 || s->under_way || s->todo.wake_in_ms > 0);
	s->under_way = s->under_way || asked > 0;
	if (s->todo.read)
		note_asked(s);
	s->at_once += (unsigned)asked;
	s->contest = s->contest || s->todo.contest;
	if (s->at_once > AT_ONCE_MAX)
		fail_msg("it spins: %s", s->steps);
	s->wake_ms = s->now_ms + s->todo.wake_in_ms;
	keep_notes(s);
	save(s);
}

/* HAProxy's answer to what was asked last. */
static void
answer(struct stage *s)
{
	struct err silence = ERR_INIT;
	struct hap_exec_report report = { 0 };
	const struct hap_text_info info = { .pid = s->pid, .start_time_s = s->start_time_s };
	const bool read = s->todo.read, probe = s->todo.probe;
	const struct plan *execute = s->todo.execute;

	err_fill(&silence, ERR_IO, 0, "cannot connect");
	s->under_way = false;
	s->reads += read;
	s->probes += probe;
	if (execute != NULL) {
		run(s, execute, &report);
		if (s->one_by_one)
			pass_one_check(s);
		feed(s, (struct reconcile_event){ .kind = RECONCILE_EXECUTED, .report = &report });
	} else if (s->silent) {
		feed(s, (struct reconcile_event){
			    .kind = read ? RECONCILE_READ_FAILED : RECONCILE_PROBE_FAILED, .err = &silence });
	} else if (read) {
		feed(s, (struct reconcile_event){ .kind = RECONCILE_ACTUAL, .actual = read_back(s) });
	} else {
		feed(s, (struct reconcile_event){ .kind = RECONCILE_PROBED, .info = &info });
	}
}

static void
answer_all(struct stage *s)
{
	while (s->under_way)
		answer(s);
}

/* An event, and all that follows from it at once. */
static void
happens(struct stage *s, struct reconcile_event ev)
{
	feed(s, ev);
	answer_all(s);
}

static void
tick(struct stage *s)
{
	s->at_once = 0;
	happens(s, (struct reconcile_event){ .kind = RECONCILE_TICK });
}

static void
publish(struct stage *s)
{
	s->at_once = 0;
	happens(s, (struct reconcile_event){ .kind = RECONCILE_ROSTER, .roster = world_roster(s->w) });
}

/* The facts of the roster before: of no task is anything new, but something is of this cluster. */
static void
publish_same(struct stage *s, size_t at, const struct roster_cluster *now)
{
	const struct roster *before = reconcile_view(s->r).roster;
	struct roster_cluster clusters[2];
	struct roster *again;

	assert_true(before->n_clusters <= N_OF(clusters));
	memcpy(clusters, before->clusters, before->n_clusters * sizeof(*clusters));
	clusters[at] = *now;
	clusters[at].facts = before->clusters[at].facts;
	assert_int_equal(roster_make(clusters, before->n_clusters, &again, NULL), ERR_OK);
	s->at_once = 0;
	happens(s, (struct reconcile_event){ .kind = RECONCILE_ROSTER, .roster = again });
	roster_unref(again);
}

/* Time goes by, as the reconciler asked to be woken. */
static void
wait_ms(struct stage *s, int64_t ms)
{
	const int64_t end_ms = s->now_ms + ms;

	while (s->wake_ms <= end_ms) {
		s->now_ms = s->wake_ms;
		tick(s);
	}
	s->now_ms = end_ms;
}

static unsigned
count_notes(const struct stage *s, const char *text)
{
	unsigned n = 0;

	for (const char *at = s->notes; (at = strstr(at, text)) != NULL; at++)
		n++;
	return n;
}

/* ---- stages ---- */

static struct stage *
stage_with(unsigned n_slots)
{
	struct stage *s = calloc(1, sizeof(*s));

	assert_non_null(s);
	*s = (struct stage){ .w = world_new(), .pid = 100, .start_time_s = 5, .now_ms = 1000000 };
	(void)world_entry(s->w, "grpc", "rng", 0);
	s->grpc = world_backend(s->w, "grpc");
	while (s->n_slots < n_slots) {
		char name[16];

		(void)snprintf(name, sizeof(name), "rc_%zu", s->n_slots + 1);
		s->slots[s->n_slots++] = world_server(s->w, s->grpc, name, ACTUAL_MAINT, "");
	}
	return s;
}

static void
begin_by(struct stage *s, const struct reconcile_config *config)
{
	assert_int_equal(reconcile_new(config, &s->r, NULL), ERR_OK);
	s->wake_ms = s->now_ms;
	tick(s);
}

static void
begin(struct stage *s)
{
	begin_by(s, &(struct reconcile_config){ .conf = world_conf(s->w) });
}

static void
end(struct stage *s)
{
	free(s->applied_text);
	free(s->overlay_text);
	reconcile_free(s->r);
	world_free(s->w);
	free(s);
}

static void
let_checks_pass(struct stage *s)
{
	for (size_t i = 0; i < s->n_slots; i++)
		if (s->slots[i]->admin != ACTUAL_MAINT)
			s->slots[i]->check = ACTUAL_CHECK_PASSED;
}

/* One task behind rc_1, serving; nothing left to do. */
static struct roster_task *
begin_serving(struct stage *s)
{
	struct roster_task *task = world_task(s->w, "aaaa1111", ROSTER_RUNNING, "10.0.0.1");

	begin(s);
	publish(s);
	let_checks_pass(s);
	wait_ms(s, 1000);
	assert_int_equal(s->slots[0]->admin, ACTUAL_READY);
	assert_true(reconcile_view(s->r).in_step);
	s->runs = s->reads = s->probes = 0;
	s->notes[0] = '\0';
	return task;
}

/* Something to put right that is nobody's to respect: a slot without a task is out of
 * maintenance. */
static struct actual_server *
disturb(struct stage *s)
{
	struct actual_server *last = s->slots[s->n_slots - 1];

	set_admin(last, ACTUAL_READY);
	return last;
}

/* The daemon is killed, and started again after a while: all that is left of it is in
 * its files. */
static void
restart_with(struct stage *s, const struct conf *conf, int64_t after_ms)
{
	struct reconcile_config config = { .conf = conf };

	if (s->applied_text != NULL)
		assert_int_equal(applied_read(str_from_cstr(s->applied_text), &config.applied, NULL), ERR_OK);
	if (s->overlay_text != NULL)
		assert_int_equal(overlay_read(str_from_cstr(s->overlay_text), &config.overlay, NULL), ERR_OK);
	reconcile_free(MOVE(s->r));
	assert_int_equal(reconcile_new(&config, &s->r, NULL), ERR_OK);
	s->under_way = false;
	s->now_ms += after_ms;
	s->wake_ms = s->now_ms;
	s->runs = s->reads = 0;
	s->notes[0] = '\0';
	s->steps[0] = '\0';
	tick(s);
}

static void
restart(struct stage *s, int64_t after_ms)
{
	restart_with(s, world_conf(s->w), after_ms);
}

/* ---- tests ---- */

static void
it_reads_first_and_changes_nothing_without_a_roster(void **state)
{
	struct stage *s = stage_with(2);
	struct reconcile_view v;

	(void)state;
	begin(s);
	v = reconcile_view(s->r);
	assert_int_equal(s->reads, 1);
	assert_true(v.connected);
	assert_non_null(v.actual);
	assert_null(v.plan);
	assert_false(v.in_step || v.ready);
	wait_ms(s, 60000);
	assert_int_equal(s->runs, 0);
	assert_false(reconcile_view(s->r).ready);
	assert_string_equal(s->notes, "");
	end(s);
}

static void
nothing_else_is_asked_while_something_is_under_way(void **state)
{
	struct stage *s = stage_with(2);

	(void)state;
	(void)world_task(s->w, "aaaa1111", ROSTER_RUNNING, "10.0.0.1");
	assert_int_equal(reconcile_new(&(struct reconcile_config){ .conf = world_conf(s->w) }, &s->r, NULL), ERR_OK);
	feed(s, (struct reconcile_event){ .kind = RECONCILE_TICK });
	assert_true(s->todo.read);
	for (int i = 0; i < 100; i++) {
		s->now_ms += 1000;
		feed(s, (struct reconcile_event){ .kind = RECONCILE_TICK });
		feed(s, (struct reconcile_event){ .kind = RECONCILE_ROSTER, .roster = world_roster(s->w) });
		assert_false(s->todo.read || s->todo.probe || s->todo.execute != NULL);
		assert_true(s->todo.wake_in_ms > 0);
	}
	s->todo.read = true; /* the answer to the first one */
	answer(s);
	assert_non_null(s->todo.execute);
	end(s);
}

static void
a_task_enters_and_serves_once_its_check_passed(void **state)
{
	struct stage *s = stage_with(2);

	(void)state;
	(void)world_task(s->w, "aaaa1111", ROSTER_RUNNING, "10.0.0.1");
	begin(s);
	publish(s);
	assert_int_equal(s->runs, 1);
	assert_string_equal(s->steps, "rc_1: address 10.0.0.1:50051; rc_1: weight 256; rc_1: join");
	assert_false(reconcile_view(s->r).in_step);
	assert_false(reconcile_view(s->r).ready);
	let_checks_pass(s);
	wait_ms(s, RECONCILE_CLOSE_MS);
	assert_int_equal(s->runs, 2);
	assert_string_equal(s->steps, "rc_1: ready");
	assert_true(reconcile_view(s->r).in_step);
	assert_true(reconcile_view(s->r).ready);
	assert_int_equal(reconcile_view(s->r).last_sync_wall_ms, WALL_MS + s->now_ms);
	end(s);
}

static void
a_shadow_plans_and_carries_nothing_out(void **state)
{
	struct stage *s = stage_with(2);
	struct reconcile_view v;

	(void)state;
	world_first_conf(s->w)->haproxy.apply = false;
	(void)world_task(s->w, "aaaa1111", ROSTER_RUNNING, "10.0.0.1");
	begin(s);
	publish(s);
	wait_ms(s, 60000);
	v = reconcile_view(s->r);
	assert_int_equal(s->runs, 0);
	assert_int_equal(v.plan->n_steps, 3);
	assert_true(v.ready);
	assert_false(v.in_step);
	end(s);
}

static void
joining_servers_are_looked_at_often(void **state)
{
	struct stage *s = stage_with(2);

	(void)state;
	(void)world_task(s->w, "aaaa1111", ROSTER_RUNNING, "10.0.0.1");
	begin(s);
	publish(s);
	s->reads = 0;
	wait_ms(s, 10 * RECONCILE_CLOSE_MS);
	assert_int_equal(s->reads, 10);
	assert_int_equal(s->runs, 1);
	end(s);
}

static void
a_calm_haproxy_is_read_now_and_then_and_asked_who_it_is_in_between(void **state)
{
	struct stage *s = stage_with(2);

	(void)state;
	(void)begin_serving(s);
	wait_ms(s, 10 * RECONCILE_CALM_MS);
	assert_in_range(s->reads, 9, 10);
	assert_in_range(s->probes + s->reads, 75, 80); /* 4 a second */
	assert_int_equal(s->runs, 0);
	assert_string_equal(s->notes, "");
	end(s);
}

static void
what_somebody_else_changed_of_a_slot_without_a_task_is_put_right_at_the_next_read(void **state)
{
	struct stage *s = stage_with(2);

	(void)state;
	(void)begin_serving(s);
	(void)disturb(s);
	wait_ms(s, RECONCILE_CALM_MS);
	assert_string_equal(s->steps, "rc_2: maint (vacant)");
	assert_int_equal(s->slots[1]->admin, ACTUAL_MAINT);
	assert_true(reconcile_view(s->r).in_step);
	end(s);
}

/* ---- silence ---- */

static void
a_silent_haproxy_is_asked_again_at_growing_intervals(void **state)
{
	static const int64_t waits[] = { 250, 500, 1000, 1000, 1000, 1000 };
	struct stage *s = stage_with(2);

	(void)state;
	s->silent = true;
	begin(s);
	for (size_t i = 0; i < N_OF(waits); i++) {
		assert_int_equal(s->todo.wake_in_ms, waits[i]);
		s->now_ms = s->wake_ms;
		tick(s);
		assert_int_equal(s->reads, i + 2);
	}
	assert_int_equal(s->probes, 0);
	assert_int_equal(count_notes(s, "cannot connect"), 1);
	assert_false(reconcile_view(s->r).connected);
	assert_true(reconcile_view(s->r).haproxy_fault->on);
	s->silent = false;
	wait_ms(s, 1000);
	assert_true(reconcile_view(s->r).connected);
	assert_int_equal(count_notes(s, "info: HAProxy answers again"), 1);
	s->silent = true; /* the next silence begins with a short wait again */
	while (reconcile_view(s->r).connected)
		wait_ms(s, 1);
	assert_int_equal(s->todo.wake_in_ms, waits[0]);
	assert_int_equal(count_notes(s, "cannot connect"), 2);
	end(s);
}

static void
silence_is_noticed_between_two_reads(void **state)
{
	struct stage *s = stage_with(2);

	(void)state;
	(void)begin_serving(s);
	tick(s);
	s->silent = true;
	wait_ms(s, RECONCILE_PROBE_MS);
	assert_false(reconcile_view(s->r).connected);
	assert_false(reconcile_view(s->r).in_step);
	assert_true(reconcile_view(s->r).ready); /* once ready it stays */
	assert_non_null(reconcile_view(s->r).plan);
	end(s);
}

static void
a_batch_that_is_cut_short_is_read_back_and_tried_again(void **state)
{
	struct stage *s = stage_with(2);

	(void)state;
	(void)begin_serving(s);
	(void)world_task(s->w, "bbbb2222", ROSTER_RUNNING, "10.0.0.2");
	s->cuts_short = true;
	publish(s);
	assert_int_equal(s->runs, 1);
	assert_int_equal(count_notes(s, "HAProxy hung up"), 1);
	assert_false(reconcile_view(s->r).connected);
	s->cuts_short = false;
	wait_ms(s, 1000);
	assert_int_equal(s->slots[1]->admin, ACTUAL_DRAIN);
	assert_int_equal(count_notes(s, "HAProxy answers again"), 1);
	end(s);
}

/* ---- another process ---- */

static void
another_process_is_noticed_and_read_back_at_once(void **state)
{
	struct stage *s = stage_with(2);

	(void)state;
	(void)begin_serving(s);
	tick(s);
	s->reads = 0;
	s->pid = 101;
	set_admin(s->slots[0], ACTUAL_MAINT); /* as its configuration has it */
	s->slots[0]->address = STR("");
	s->slots[0]->port = 0;
	wait_ms(s, RECONCILE_PROBE_MS);
	assert_true(s->reads >= 1);
	/* It was ready under the process before: no new gate. */
	assert_int_equal(s->slots[0]->admin, ACTUAL_READY);
	assert_int_equal(count_notes(s, "process 101, before 100"), 1);
	wait_ms(s, 5000);
	assert_int_equal(count_notes(s, "reloaded"), 1);
	end(s);
}

static void
the_same_pid_with_another_start_is_another_process(void **state)
{
	struct stage *s = stage_with(2);

	(void)state;
	(void)begin_serving(s);
	s->start_time_s++;
	wait_ms(s, 2 * RECONCILE_PROBE_MS);
	assert_int_equal(count_notes(s, "reloaded or restarted"), 1);
	end(s);
}

/* As two do that listen on one port, each taking some of the connections. */
static void
two_that_answer_in_turns_are_told_of_once(void **state)
{
	struct stage *s = stage_with(2);

	(void)state;
	(void)begin_serving(s);
	for (int i = 0; i < 40; i++) {
		s->pid = i % 2 == 0 ? 101 : 100;
		wait_ms(s, RECONCILE_PROBE_MS);
	}
	assert_in_range(count_notes(s, "reloaded or restarted"), 1, 3);
	assert_int_equal(count_notes(s, "answer in turns"), 1);
	assert_true(reconcile_view(s->r).run_fault->on);
	assert_non_null(strstr(reconcile_view(s->r).run_fault->err.msg, "haproxy.socket"));
	wait_ms(s, 11000);
	assert_int_equal(count_notes(s, "one HAProxy alone answers again"), 1);
	assert_false(reconcile_view(s->r).run_fault->on);
	s->pid = 102;
	wait_ms(s, 2 * RECONCILE_PROBE_MS);
	assert_int_equal(count_notes(s, "process 102, before 100"), 1);
	end(s);
}

/* ---- refusals ---- */

static void
a_refused_command_is_tried_again_less_and_less_often(void **state)
{
	static const int64_t waits[] = { 1000, 2000, 4000, 8000, 16000, LAST_WAIT_MS, LAST_WAIT_MS };
	struct stage *s = stage_with(2);

	(void)state;
	(void)begin_serving(s);
	s->refuses = disturb(s)->name.ptr;
	wait_ms(s, RECONCILE_CALM_MS);
	assert_int_equal(s->runs, 1);
	for (size_t i = 0; i < N_OF(waits); i++) {
		int64_t before_ms = s->run_ms;

		while (s->run_ms == before_ms)
			wait_ms(s, 1);
		assert_int_equal(s->run_ms - before_ms, waits[i]);
	}
	assert_int_equal(s->runs, N_OF(waits) + 1);
	assert_true(reconcile_view(s->r).run_fault->on);
	assert_false(reconcile_view(s->r).in_step);
	assert_true(reconcile_view(s->r).connected);
	assert_int_equal(count_notes(s, "HAProxy: no such thing"), 1);
	assert_true(s->reads > 25); /* reading goes on */
	s->refuses = NULL;
	wait_ms(s, LAST_WAIT_MS);
	assert_int_equal(s->slots[1]->admin, ACTUAL_MAINT);
	assert_false(reconcile_view(s->r).run_fault->on);
	assert_int_equal(count_notes(s, "HAProxy takes our commands again"), 1);
	end(s);
}

/* Labels that ask for backend page_in, which is not in HAProxy 3.MINOR. */
static struct stage *
stage_with_page_in(unsigned minor, bool is_frontend)
{
	static const struct str dialects[] = { { "rollcall", 8 } }, hosts[] = { { "*", 1 } };
	static const struct conf_pair entrypoints[] = { { { "default", 7 }, { "routes.map", 10 } } };
	static const struct taskdef_label labels[] = { { { "rollcall.backend", 16 }, { "page_in", 7 } } };
	struct stage *s = stage_with(1);
	struct conf *conf = world_first_conf(s->w);
	struct taskdef *d = world_definition(s->w, "page");
	struct taskdef_container *c = world_publishes(s->w, d, "app", "1");
	struct roster_task *t = world_task(s->w, "aaaa1111", ROSTER_RUNNING, "10.0.0.1");
	struct actual_backend *b;

	conf->haproxy.entrypoints = (struct conf_pairs){ entrypoints, 1 };
	conf->haproxy.allow_hosts = (struct conf_list){ hosts, 1 };
	conf->defaults.check.type = CONF_CHECK_OFF;
	world_first_source(s->w)->labels = (struct conf_list){ dialects, 1 };
	c->labels = labels;
	c->n_labels = 1;
	t->definition = d;
	t->family = d->family;
	t->service = STR("page");
	t->started_ms = t->created_ms = 1;
	world_version(s->w, 3, minor);
	b = world_backend(s->w, "page_in");
	b->exists = false;
	b->is_frontend = is_frontend;
	s->taken = "page_in";
	return s;
}

static void
ask_for_page_in(struct stage *s)
{
	const struct reconcile_config config = {
		.conf = world_conf(s->w), .may_add_backends = true, .defaults = STR("rollcall")
	};

	begin_by(s, &config);
	publish(s);
	wait_ms(s, 1000);
}

static void
labels_do_without_a_name_that_a_frontend_has(void **state)
{
	static const struct {
		unsigned minor;
		bool is_shown; /* by `show stat` */
		unsigned runs, n_notes;
	} rows[] = {
		{ 4, true, 0, 1 }, { 3, true, 0, 1 },
		{ 4, false, 1, 1 }, /* a `defaults` section has it: only a refusal tells */
		{ 2, true, 0, 0 },  /* the two may share a name; a reload makes it */
	};

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		struct stage *s = stage_with_page_in(rows[i].minor, rows[i].is_shown);
		const bool has_it = rows[i].n_notes == 0;

		ask_for_page_in(s);
		assert_int_equal(s->runs, rows[i].runs);
		assert_int_equal(count_notes(s, "has that name: they do not get it"), rows[i].n_notes);
		assert_true((desired_find(reconcile_view(s->r).desired, STR("page_in")) != NULL) == has_it);
		assert_false(reconcile_view(s->r).run_fault->on);
		assert_true(reconcile_view(s->r).in_step);
		end(s);
	}
}

/* A refusal that lasts, seen for long enough that it is tried every 30 s only. */
static void
begin_refused(struct stage *s)
{
	(void)begin_serving(s);
	s->refuses = disturb(s)->name.ptr;
	wait_ms(s, 200000);
	assert_true(reconcile_view(s->r).run_fault->on);
	s->runs = 0;
	wait_ms(s, LAST_WAIT_MS - 1000);
	while (s->runs == 0)
		wait_ms(s, 100);
	s->runs = 0;
}

static void
a_new_roster_is_acted_on_while_something_is_refused(void **state)
{
	struct stage *s = stage_with(3);
	struct roster_task *second;

	(void)state;
	begin_refused(s);
	second = world_task(s->w, "bbbb2222", ROSTER_RUNNING, "10.0.0.2");
	publish(s);
	assert_int_equal(s->slots[1]->admin, ACTUAL_DRAIN);
	let_checks_pass(s);
	wait_ms(s, 2 * RECONCILE_CLOSE_MS);
	assert_int_equal(s->slots[1]->admin, ACTUAL_READY); /* nor does its second stage wait */
	second->desired_status = ROSTER_STOPPED;
	publish(s);
	assert_int_equal(s->slots[1]->admin, ACTUAL_MAINT);
	end(s);
}

static void
a_roster_that_arrives_during_a_refused_run_is_acted_on(void **state)
{
	struct stage *s = stage_with(3);

	(void)state;
	(void)begin_serving(s);
	s->refuses = disturb(s)->name.ptr;
	s->now_ms += RECONCILE_CALM_MS;
	s->at_once = 0;
	feed(s, (struct reconcile_event){ .kind = RECONCILE_TICK });
	while (s->todo.execute == NULL)
		answer(s);
	(void)world_task(s->w, "bbbb2222", ROSTER_RUNNING, "10.0.0.2");
	{
		const struct plan *execute = s->todo.execute;

		feed(s, (struct reconcile_event){ .kind = RECONCILE_ROSTER, .roster = world_roster(s->w) });
		s->todo.execute = execute;
	}
	answer_all(s);
	assert_int_equal(s->slots[1]->admin, ACTUAL_DRAIN);
	end(s);
}

static void
a_plan_that_changes_nothing_does_not_spin(void **state)
{
	struct stage *s = stage_with(2);

	(void)state;
	(void)begin_serving(s);
	s->deaf = true;
	(void)disturb(s);
	wait_ms(s, RECONCILE_CALM_MS);
	assert_int_equal(s->runs, RECONCILE_ROUNDS);
	assert_false(reconcile_view(s->r).in_step);
	wait_ms(s, 10 * RECONCILE_BREATH_MS);
	assert_in_range(s->runs, 10 * RECONCILE_ROUNDS, 11 * RECONCILE_ROUNDS);
	s->deaf = false;
	wait_ms(s, RECONCILE_BREATH_MS);
	assert_true(reconcile_view(s->r).in_step);
	end(s);
}

/* Many tasks join at once, and there is one more to make ready at every look. */
static void
plans_that_make_headway_have_no_long_breath(void **state)
{
	struct stage *s = stage_with(6);

	(void)state;
	for (unsigned i = 0; i < 6; i++) {
		char id[16], address[16];

		(void)snprintf(id, sizeof(id), "task%u", i);
		(void)snprintf(address, sizeof(address), "10.0.0.%u", i + 1);
		(void)world_task(s->w, id, ROSTER_RUNNING, address);
	}
	begin(s);
	publish(s);
	s->one_by_one = true;
	pass_one_check(s);
	wait_ms(s, 2 * RECONCILE_CLOSE_MS);
	for (unsigned i = 0; i < 6; i++)
		assert_int_equal(s->slots[i]->admin, ACTUAL_READY);
	end(s);
}

/* ---- ready ---- */

static void
it_is_ready_once_every_cluster_is_swept_or_out_of_reach_for_good(void **state)
{
	struct stage *s = stage_with(2);
	struct roster_cluster *denied;

	denied = world_cluster(s->w, "eu", "denied");
	denied->was_read = false;
	begin(s);
	publish(s);
	wait_ms(s, 5000);
	assert_true(reconcile_view(s->r).in_step);
	assert_false(reconcile_view(s->r).ready);
	if (*state != NULL)
		denied->is_read_in_part = true;
	else
		denied->fault_is_permanent = true;
	publish(s);
	assert_true(reconcile_view(s->r).ready);
	denied->fault_is_permanent = denied->is_read_in_part = false;
	s->silent = true;
	publish(s);
	wait_ms(s, 60000);
	assert_true(reconcile_view(s->r).ready); /* staleness is a metric */
	end(s);
}

/* After a reload the facts are those from before it, and they may be all that a cluster has to tell. */
static void
that_a_cluster_was_read_is_news_without_another_task(void **state)
{
	struct stage *s = stage_with(2);
	struct roster_cluster *late = world_cluster(s->w, "eu", "late");
	const struct roster_cluster *seen;

	(void)state;
	late->was_read = false;
	begin(s);
	publish(s);
	wait_ms(s, 5000);
	assert_false(reconcile_view(s->r).desired->labels_are_known);
	assert_false(reconcile_contest(s->r)->is_whole);
	late->fault_is_permanent = true;
	publish_same(s, 1, late);
	wait_ms(s, 5000);
	seen = &reconcile_view(s->r).desired->roster->clusters[1];
	assert_true(seen->fault_is_permanent && roster_is_known(reconcile_view(s->r).desired->roster));
	late->fault_is_permanent = false;
	late->was_read = true;
	publish_same(s, 1, late);
	wait_ms(s, 5000);
	assert_true(reconcile_view(s->r).desired->labels_are_known);
	end(s);
}

/* The last roster on disk: who is in it enters, and stays until AWS itself says more. */
static void
what_an_earlier_run_knew_serves_until_the_cluster_is_read(void **state)
{
	struct stage *s = stage_with(2);
	struct roster_cluster *late = world_cluster(s->w, "eu", "late");
	struct roster_task *t = world_task(s->w, "aaaa1111", ROSTER_RUNNING, "10.0.0.1");

	(void)state;
	late->sweeps = 0;
	late->was_read = t->listed = false;
	late->remembered_wall_ms = WALL_MS;
	t->is_remembered = true;
	begin(s);
	publish(s);
	let_checks_pass(s);
	wait_ms(s, 1000);
	assert_int_equal(s->slots[0]->admin, ACTUAL_READY);
	assert_true(reconcile_view(s->r).in_step && reconcile_view(s->r).ready);
	s->runs = 0;
	publish(s);
	wait_ms(s, 120000);
	assert_int_equal(s->runs, 0);
	late->remembered_wall_ms = 0;
	late->was_read = true;
	t->is_remembered = false;
	t->desired_status = ROSTER_STOPPED;
	publish(s);
	assert_string_equal(s->steps, "rc_1: maint (stopping)");
	end(s);
}

static void
it_is_not_ready_while_a_server_waits_for_its_first_check(void **state)
{
	struct stage *s = stage_with(2);

	(void)state;
	(void)world_task(s->w, "aaaa1111", ROSTER_RUNNING, "10.0.0.1");
	begin(s);
	publish(s);
	wait_ms(s, 60000);
	assert_false(reconcile_view(s->r).ready);
	s->slots[0]->check = ACTUAL_CHECK_FAILED; /* it had its check: not our fault that it failed */
	wait_ms(s, RECONCILE_CLOSE_MS);
	assert_true(reconcile_view(s->r).ready);
	end(s);
}

/* ---- rosters ---- */

static void
a_roster_that_tells_nothing_new_wakes_nobody(void **state)
{
	struct stage *s = stage_with(2);
	struct roster *same;

	(void)state;
	(void)begin_serving(s);
	same = world_roster(s->w);
	happens(s, (struct reconcile_event){ .kind = RECONCILE_ROSTER, .roster = same });
	s->reads = 0;
	for (int i = 0; i < 10; i++)
		happens(s, (struct reconcile_event){ .kind = RECONCILE_ROSTER, .roster = same });
	assert_int_equal(s->reads, 0);
	assert_ptr_equal(reconcile_view(s->r).roster, same);
	publish(s);
	assert_int_equal(s->reads, 1);
	end(s);
}

static void
a_task_that_stops_is_taken_out_at_once(void **state)
{
	struct stage *s = stage_with(2);
	struct roster_task *task;

	(void)state;
	task = begin_serving(s);
	(void)world_task(s->w, "bbbb2222", ROSTER_RUNNING, "10.0.0.2");
	publish(s);
	let_checks_pass(s);
	wait_ms(s, RECONCILE_CLOSE_MS);
	assert_true(reconcile_holds(s->r, task->arn));
	task->desired_status = ROSTER_STOPPED;
	publish(s);
	assert_int_equal(s->slots[0]->admin, ACTUAL_MAINT);
	assert_string_equal(s->steps, "rc_1: maint (stopping)");
	wait_ms(s, RECONCILE_CALM_MS);
	assert_false(reconcile_holds(s->r, task->arn));
	assert_false(reconcile_holds(s->r, STR("arn:of:nobody")));
	end(s);
}

static void
the_end_of_a_drain_wakes_it(void **state)
{
	struct stage *s = stage_with(2);
	struct roster_task *task;
	int64_t since_ms;

	(void)state;
	task = world_task(s->w, "aaaa1111", ROSTER_RUNNING, "10.0.0.1");
	(void)world_task(s->w, "bbbb2222", ROSTER_RUNNING, "10.0.0.2");
	{
		struct conf_backend *entry = world_entry(s->w, "other", "none", 0);

		(void)world_backend(s->w, "other");
		/* Entries lie side by side: the first is the one of "grpc". */
		(entry - 1)->policy.drain_timeout_ms = 5100;
	}
	begin(s);
	publish(s);
	let_checks_pass(s);
	wait_ms(s, RECONCILE_CLOSE_MS);
	s->slots[0]->sessions = 3;
	task->desired_status = ROSTER_STOPPED;
	publish(s);
	since_ms = s->now_ms;
	assert_int_equal(s->slots[0]->admin, ACTUAL_MAINT);
	s->reads = 0;
	wait_ms(s, 5099);
	assert_int_equal(s->slots[0]->sessions, 3);
	assert_in_range(s->reads, 18, 21);
	wait_ms(s, 1);
	assert_int_equal(s->now_ms - since_ms, 5100);
	assert_int_equal(s->slots[0]->sessions, 0);
	assert_string_equal(s->steps, "rc_1: shutdown (stopping)");
	end(s);
}

static void
streams_that_will_not_end_are_no_reason_to_spin(void **state)
{
	struct stage *s = stage_with(2);
	struct roster_task *task;

	(void)state;
	task = begin_serving(s);
	(void)world_task(s->w, "bbbb2222", ROSTER_RUNNING, "10.0.0.2");
	s->slots[0]->sessions = 3;
	task->desired_status = ROSTER_STOPPED;
	task->last_status = ROSTER_STOPPED;
	publish(s);
	s->deaf = true;
	s->runs = s->reads = 0;
	wait_ms(s, 60000);
	assert_true(s->runs <= 60000 / PLAN_SHUTDOWN_REPEAT_MS + RECONCILE_ROUNDS);
	assert_true(s->reads <= 60000 / RECONCILE_CLOSE_MS + s->runs + 5);
	end(s);
}

/* ---- what was applied ---- */

static void
what_is_asked_is_written_before_it_is_sent(void **state)
{
	struct stage *s = stage_with(2);
	struct applied *a = NULL;

	(void)state;
	(void)world_task(s->w, "aaaa1111", ROSTER_RUNNING, "10.0.0.1");
	begin(s);
	assert_null(s->applied_text);
	s->at_once = 0;
	feed(s, (struct reconcile_event){ .kind = RECONCILE_ROSTER, .roster = world_roster(s->w) });
	while (s->todo.execute == NULL)
		answer(s);
	assert_non_null(s->todo.save_applied);
	assert_int_equal(applied_read(str_from_cstr(s->applied_text), &a, NULL), ERR_OK);
	assert_int_equal(a->pid, 100);
	assert_int_equal(applied_find(a, STR("grpc"), STR("rc_1"))->admin, ACTUAL_DRAIN);
	applied_free(a);
	answer_all(s);
	end(s);
}

static void
the_file_is_kept_young_and_not_written_without_need(void **state)
{
	struct stage *s = stage_with(2);

	(void)state;
	(void)begin_serving(s);
	s->saves = 0;
	wait_ms(s, 10 * APPLIED_SEEN_EVERY_MS);
	assert_in_range(s->saves, 8, 11);
	end(s);
}

static void
a_file_that_cannot_be_written_is_a_fault_and_does_not_stop_the_work(void **state)
{
	struct stage *s = stage_with(2);

	(void)state;
	s->cannot_save = true;
	(void)begin_serving(s);
	assert_true(reconcile_view(s->r).state_faults[RECONCILE_APPLIED].on);
	assert_int_equal(s->saves, 0);
	s->cannot_save = false;
	wait_ms(s, RECONCILE_CALM_MS);
	assert_false(reconcile_view(s->r).state_faults[RECONCILE_APPLIED].on);
	assert_int_equal(s->saves, 1);
	end(s);
}

static void
a_shadow_saves_nothing_and_respects_nobody(void **state)
{
	struct stage *s = stage_with(2);
	const struct reconcile_order order = { .kind = RECONCILE_PAUSE_BACKEND };
	struct buf said = buf_make(512);

	(void)state;
	world_first_conf(s->w)->haproxy.apply = false;
	(void)world_task(s->w, "aaaa1111", ROSTER_RUNNING, "10.0.0.1");
	begin(s);
	publish(s);
	wait_ms(s, 60000);
	assert_null(s->applied_text);
	assert_null(s->overlay_text);
	assert_int_equal(reconcile_order(s->r, &order, WALL_MS, &said, NULL), ERR_REFUSED);
	buf_free(&said);
	end(s);
}

static void
a_daemon_that_was_killed_takes_over_what_it_finds(void **state)
{
	struct stage *s = stage_with(3);

	(void)state;
	(void)begin_serving(s);
	(void)world_task(s->w, "bbbb2222", ROSTER_RUNNING, "10.0.0.2");
	publish(s); /* rc_2 waits for its check */
	restart(s, 500);
	publish(s);
	assert_int_equal(s->runs, 0);
	let_checks_pass(s);
	wait_ms(s, RECONCILE_CLOSE_MS);
	assert_string_equal(s->steps, "rc_2: ready");
	restart(s, 3600000);
	publish(s);
	wait_ms(s, 10000);
	assert_int_equal(s->runs, 0);
	assert_int_equal(overlay_count(reconcile_view(s->r).overlay), 0);
	assert_string_equal(s->notes, "");
	end(s);
}

/* ---- whom the roster does not know ---- */

#define ID_A "aaaa1111aaaa1111aaaa1111aaaa1111"
#define ID_B "bbbb2222bbbb2222bbbb2222bbbb2222"

static void
assert_sought(const struct stage *s, const char *ids)
{
	const struct ecs_sought *sought = reconcile_sought(s->r);
	char text[512] = "";

	for (size_t i = 0; i < sought->n; i++)
		(void)snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s" STR_FMT, i > 0 ? " " : "",
		    STR_ARG(sought->tasks[i].id));
	assert_string_equal(text, ids);
}

static void
a_daemon_that_comes_back_asks_about_all_that_the_last_one_served_until_they_are_known(void **state)
{
	struct stage *s = stage_with(2);
	struct roster_task *task;

	(void)state;
	task = world_task(s->w, ID_A, ROSTER_RUNNING, "10.0.0.1");
	begin(s);
	assert_sought(s, "");
	publish(s);
	let_checks_pass(s);
	wait_ms(s, 1000);
	assert_sought(s, "");
	restart(s, 500);
	assert_sought(s, ID_A); /* before the first sweep: it may have vanished from the list */
	assert_true(str_has_suffix(reconcile_sought(s->r)->tasks[0].arn, STR("task/main/" ID_A)));
	(void)world_task(s->w, ID_B, ROSTER_RUNNING, "10.0.0.2");
	task->desired_status = ROSTER_STOPPED;
	publish(s);
	assert_sought(s, "");
	end(s);
}

static void
publish_empty(struct stage *s)
{
	const struct roster_cluster cluster = { .source = STR("eu"), .name = STR("main") };
	struct roster *r = NULL;

	assert_int_equal(roster_make(&cluster, 1, &r, NULL), ERR_OK);
	s->at_once = 0;
	happens(s, (struct reconcile_event){ .kind = RECONCILE_ROSTER, .roster = r });
	roster_unref(r);
}

/* The roster is of another cluster, or its sweep could not ask: it goes on being sought. */
static void
a_task_that_the_roster_does_not_have_stays_sought_and_its_server_untouched(void **state)
{
	struct stage *s = stage_with(2);

	(void)state;
	(void)world_task(s->w, ID_A, ROSTER_RUNNING, "10.0.0.1");
	begin(s);
	publish(s);
	let_checks_pass(s);
	wait_ms(s, 1000);
	restart(s, 500);
	publish_empty(s);
	assert_sought(s, ID_A);
	assert_false(s->todo.seek); /* nobody new */
	assert_true(reconcile_holds(s->r, reconcile_sought(s->r)->tasks[0].arn));
	wait_ms(s, 60000);
	assert_sought(s, ID_A);
	assert_int_equal(s->runs, 0);
	end(s);
}

/* A stopped task may tell no address any more; its server is known by what was applied. */
static void
a_task_that_ended_unseen_and_has_no_address_any_more_takes_its_server_along(void **state)
{
	static const enum roster_status ends[] = { ROSTER_STOPPING, ROSTER_STOPPED };

	(void)state;
	for (size_t i = 0; i < N_OF(ends); i++) {
		struct stage *s = stage_with(2);
		struct roster_task *task = world_task(s->w, ID_A, ROSTER_RUNNING, "10.0.0.1");

		begin(s);
		publish(s);
		let_checks_pass(s);
		wait_ms(s, 1000);
		s->slots[0]->sessions = 2;
		restart(s, 500);
		task->last_status = ends[i];
		task->desired_status = ROSTER_STOPPED;
		task->n_containers = 0;
		task->listed = false;
		publish(s);
		assert_int_equal(s->slots[0]->admin, ACTUAL_MAINT);
		wait_ms(s, 3000);
		assert_int_equal(s->slots[0]->sessions, ends[i] == ROSTER_STOPPED ? 0 : 2);
		end(s);
	}
}

/* What was applied is lost; slots have no name that tells, dynamic servers do. */
static void
a_server_that_nothing_explains_is_sought_by_the_id_in_its_name(void **state)
{
	struct stage *s = stage_with(1);

	(void)state;
	s->slots[0] = world_server(s->w, s->grpc, "rc_1", ACTUAL_READY, "10.0.0.1:50051");
	(void)world_server(s->w, s->grpc, "rc_" ID_A "_app_50051", ACTUAL_READY, "10.0.0.1:50051");
	(void)world_server(s->w, s->grpc, "rc_" ID_A "_log_50052", ACTUAL_READY, "10.0.0.1:50052");
	(void)world_server(s->w, s->grpc, "rc_not-an-id_app_50051", ACTUAL_READY, "10.0.0.1:50053");
	begin(s);
	assert_sought(s, ID_A);
	publish_empty(s);
	assert_sought(s, ID_A);
	(void)world_server(s->w, s->grpc, "rc_" ID_B "_app_50051", ACTUAL_READY, "10.0.0.2:50051");
	feed(s, (struct reconcile_event){ .kind = RECONCILE_ACTUAL, .actual = read_back(s) });
	assert_true(s->todo.seek);
	assert_sought(s, ID_A " " ID_B);
	end(s);
}

static void
a_restart_does_not_begin_a_drain_anew(void **state)
{
	struct stage *s = stage_with(2);
	struct roster_task *task;

	(void)state;
	(void)world_entry(s->w, "other", "none", 0);
	(void)world_backend(s->w, "other");
	world_first_conf(s->w);
	((struct conf_backend *)(uintptr_t)&world_conf(s->w)->backends[0])->policy.drain_timeout_ms = 30000;
	task = begin_serving(s);
	(void)world_task(s->w, "bbbb2222", ROSTER_RUNNING, "10.0.0.2");
	publish(s);
	let_checks_pass(s);
	wait_ms(s, RECONCILE_CLOSE_MS);
	s->slots[0]->sessions = 3;
	task->desired_status = ROSTER_STOPPED;
	publish(s);
	assert_string_equal(s->steps, "rc_1: maint (stopping)");
	restart(s, 20000);
	publish(s);
	wait_ms(s, 9000);
	assert_int_equal(s->slots[0]->sessions, 3);
	wait_ms(s, 1500);
	assert_int_equal(s->slots[0]->sessions, 0);
	end(s);
}

static unsigned
seconds_until(struct stage *s, size_t slot, enum actual_admin admin)
{
	unsigned seconds = 0;

	while (s->slots[slot]->admin != admin && seconds < 100) {
		wait_ms(s, 1000);
		seconds++;
	}
	return seconds;
}

/* A successor that never passes its check holds a task that stops in service for half a
 * minute, be the daemon killed meanwhile or not. */
static void
a_restart_does_not_begin_the_wait_for_a_successor_anew(void **state)
{
	unsigned without, with_restart;

	(void)state;
	for (int restarts = 0; restarts < 2; restarts++) {
		struct stage *s = stage_with(2);
		struct roster_task *task = begin_serving(s);

		(void)world_task(s->w, "bbbb2222", ROSTER_RUNNING, "10.0.0.2");
		task->desired_status = ROSTER_STOPPED;
		publish(s);
		wait_ms(s, 9000);
		assert_int_equal(s->slots[0]->admin, ACTUAL_READY);
		if (restarts > 0) {
			restart(s, 6000);
			publish(s);
			wait_ms(s, 4000);
			restart(s, 1000);
			publish(s);
		} else {
			wait_ms(s, 11000);
		}
		assert_int_equal(s->slots[0]->admin, ACTUAL_READY);
		*(restarts > 0 ? &with_restart : &without) = seconds_until(s, 0, ACTUAL_MAINT);
		end(s);
	}
	assert_in_range(without, 8, 12);
	assert_in_range(with_restart, without - 1, without + 1);
}

static void
a_run_that_met_another_process_is_read_back_at_once(void **state)
{
	struct stage *s = stage_with(2);
	unsigned reads;

	(void)state;
	(void)begin_serving(s);
	(void)world_task(s->w, "bbbb2222", ROSTER_RUNNING, "10.0.0.2");
	s->is_other = true;
	reads = s->reads;
	publish(s);
	assert_int_equal(s->runs, 2);
	assert_true(s->reads >= reads + 2);
	assert_int_equal(s->slots[1]->admin, ACTUAL_DRAIN);
	assert_false(reconcile_view(s->r).run_fault->on);
	end(s);
}

static void
streams_that_were_not_shut_are_still_to_be_shut(void **state)
{
	struct stage *s = stage_with(2);
	struct roster_task *task;

	(void)state;
	task = begin_serving(s);
	(void)world_task(s->w, "bbbb2222", ROSTER_RUNNING, "10.0.0.2");
	publish(s);
	let_checks_pass(s);
	wait_ms(s, RECONCILE_CLOSE_MS);
	s->slots[0]->sessions = 3;
	task->desired_status = ROSTER_STOPPED;
	publish(s);
	task->last_status = ROSTER_STOPPED;
	s->is_other = true; /* the shutdown goes nowhere */
	publish(s);
	wait_ms(s, 100);
	assert_string_equal(s->steps, "rc_1: shutdown (stopped)");
	assert_int_equal(s->slots[0]->sessions, 0);
	end(s);
}

/* A clock may have been set back since. */
static void
a_drain_that_began_in_the_future_begins_now(void **state)
{
	const struct applied_server servers[] = {
		{ .backend = STR("grpc"),
		    .server = STR("rc_1"),
		    .address = STR("10.0.0.1"),
		    .port = 1,
		    .drain_since_wall_ms = WALL_MS - 10000 },
		{ .backend = STR("grpc"),
		    .server = STR("rc_2"),
		    .address = STR("10.0.0.2"),
		    .port = 1,
		    .drain_since_wall_ms = WALL_MS + 3600000 },
	};
	struct applied applied = { .servers = servers, .n_servers = N_OF(servers) };
	const struct reconcile_state s = { .applied = &applied };
	struct arena *a CLEANUP(arena_free_at) = arena_new(ARENA_MAX_);
	struct plan_memory m = reconcile_state_drains(&s, a, WALL_MS, 50000);

	(void)state;
	assert_int_equal(m.n, 2);
	assert_int_equal(m.entries[0].drain_since_ms, 40000);
	assert_int_equal(m.entries[1].drain_since_ms, 50000);
}

static void
what_was_applied_is_written_as_it_ages_and_by_any_clock(void **state)
{
	static const struct {
		int64_t later_ms;
		bool is_pass, is_written;
	} rows[] = {
		{ 0, true, false },
		{ APPLIED_SEEN_EVERY_MS - 1, true, false },
		{ APPLIED_SEEN_EVERY_MS, true, true },
		{ APPLIED_SEEN_EVERY_MS, false, false },
		{ -1, true, true },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		struct applied applied = { .n_servers = 0 };
		struct reconcile_state s = { .applied = &applied, .written = &applied, .written_wall_ms = WALL_MS };
		static struct reconcile_actions out;

		out.save_applied = NULL;
		reconcile_state_save(&s, rows[i].is_pass, WALL_MS + rows[i].later_ms, &out);
		CHECK_ROW((out.save_applied != NULL) == rows[i].is_written, i, "");
	}
}

static void
the_process_before_is_trusted_for_a_minute(void **state)
{
	struct applied before = { .seen_wall_ms = WALL_MS };
	struct reconcile_state s = { .former = &before, .planned_is_old = true };
	struct plan_rules rules = { .now_ms = 0 };

	(void)state;
	assert_int_equal(overlay_new(&s.overlay, NULL), ERR_OK);
	assert_int_equal(reconcile_state_rules(&s, NULL, WALL_MS + APPLIED_TRUST_MS, &rules, NULL), ERR_OK);
	assert_ptr_equal(rules.former, &before);
	assert_int_equal(reconcile_state_rules(&s, NULL, WALL_MS + APPLIED_TRUST_MS + 1, &rules, NULL), ERR_OK);
	assert_null(rules.former);
	overlay_free(s.overlay);
	overlay_free(s.planned);
}

static void
a_server_of_nobody_goes_once_every_cluster_was_swept_twice(void **state)
{
	struct stage *s = stage_with(2);
	struct roster_cluster *first = world_first_cluster(s->w), *second = world_cluster(s->w, "eu", "second");

	(void)state;
	(void)begin_serving(s);
	s->slots[1]->address = STR("10.0.0.9");
	s->slots[1]->port = 50051;
	set_admin(s->slots[1], ACTUAL_READY);
	s->slots[1]->check = ACTUAL_CHECK_PASSED;
	wait_ms(s, 10000);
	first->complete_before_mono_ms = s->now_ms;
	publish(s);
	wait_ms(s, 10000);
	assert_int_equal(s->slots[1]->admin, ACTUAL_READY);
	second->complete_before_mono_ms = s->now_ms;
	publish(s);
	wait_ms(s, 10000);
	assert_int_equal(s->slots[1]->admin, ACTUAL_MAINT);
	assert_int_equal(s->slots[0]->admin, ACTUAL_READY);
	end(s);
}

/* ---- the operator's hand ---- */

static enum err_code
order(struct stage *s, struct reconcile_order o, const char *want)
{
	struct buf said = buf_make(1024);
	struct err e = ERR_INIT;
	enum err_code code = reconcile_order(s->r, &o, WALL_MS + s->now_ms, &said, &e);

	if (code == ERR_OK && strstr(said.len > 0 ? (buf_put_u8(&said, 0), (const char *)said.ptr) : "", want) == NULL)
		fail_msg("\"%s\" is not in \"" STR_FMT "\"", want, STR_ARG(buf_str(&said)));
	if (code != ERR_OK && strstr(e.msg, want) == NULL)
		fail_msg("\"%s\" is not in \"%s\"", want, e.msg);
	buf_free(&said);
	if (code == ERR_OK)
		tick(s);
	return code;
}

static struct reconcile_order
order_of(enum reconcile_order_kind kind, const char *server)
{
	return (struct reconcile_order){ .kind = kind, .backend = STR("grpc"), .server = str_from_cstr(server) };
}

static size_t
count_holds(const struct stage *s)
{
	return overlay_count(reconcile_view(s->r).overlay);
}

static void
a_foreign_hand_is_respected_until_it_is_taken_back(void **state)
{
	struct stage *s = stage_with(2);

	(void)state;
	(void)begin_serving(s);
	set_admin(s->slots[0], ACTUAL_DRAIN);
	wait_ms(s, RECONCILE_CALM_MS);
	assert_int_equal(count_holds(s), 1);
	assert_int_equal(count_notes(s, "info: grpc/rc_1, task aaaa1111: state drain was set on HAProxy's socket; this "
					"is respected until `rollcall ready grpc/rc_1`"),
	    1);
	wait_ms(s, 60000);
	assert_int_equal(s->slots[0]->admin, ACTUAL_DRAIN);
	assert_int_equal(s->runs, 0);
	assert_true(reconcile_view(s->r).in_step);
	restart(s, 1000);
	publish(s);
	wait_ms(s, 60000);
	assert_int_equal(s->slots[0]->admin, ACTUAL_DRAIN);
	assert_int_equal(count_holds(s), 1);
	set_admin(s->slots[0], ACTUAL_READY);
	wait_ms(s, RECONCILE_CALM_MS);
	assert_int_equal(count_holds(s), 0);
	assert_int_equal(count_notes(s, "it is rollcall's again"), 1);
	end(s);
}

static void
a_foreign_weight_is_respected_until_it_is_what_it_would_be(void **state)
{
	struct stage *s = stage_with(2);

	(void)state;
	(void)begin_serving(s);
	s->slots[0]->weight = 7;
	wait_ms(s, 60000);
	assert_int_equal(count_holds(s), 1);
	assert_int_equal(s->slots[0]->weight, 7);
	s->slots[0]->weight = 256;
	wait_ms(s, RECONCILE_CALM_MS);
	assert_int_equal(count_holds(s), 0);
	end(s);
}

static void
an_order_is_written_at_once_and_carried_out(void **state)
{
	struct stage *s = stage_with(2);
	struct reconcile_order weigh = order_of(RECONCILE_WEIGH_SERVER, "rc_1");

	(void)state;
	(void)begin_serving(s);
	assert_int_equal(
	    order(s, order_of(RECONCILE_DRAIN_SERVER, "rc_1"), "grpc/rc_1 (task aaaa1111) is held: drained"), ERR_OK);
	assert_non_null(strstr(s->overlay_text, "\"admin\":\"drain\""));
	assert_int_equal(s->slots[0]->admin, ACTUAL_DRAIN);
	assert_int_equal(order(s, order_of(RECONCILE_READY_SERVER, "rc_1"), "is held no more"), ERR_OK);
	let_checks_pass(s);
	wait_ms(s, RECONCILE_CALM_MS);
	assert_int_equal(s->slots[0]->admin, ACTUAL_READY);
	weigh.weight = 9;
	weigh.for_ms = 60000;
	assert_int_equal(order(s, weigh, "weight 9 set by `rollcall weight` until 2026-"), ERR_OK);
	assert_int_equal(s->slots[0]->weight, 9);
	wait_ms(s, 59000);
	assert_int_equal(s->slots[0]->weight, 9);
	wait_ms(s, 1100);
	assert_int_equal(s->slots[0]->weight, 256);
	assert_null(strstr(s->overlay_text, "weight"));
	end(s);
}

/* A hold of its weight takes it no nearer to a call. */
static void
it_is_not_in_step_while_a_server_with_a_held_weight_waits_for_its_first_check(void **state)
{
	struct stage *s = stage_with(2);
	struct reconcile_order o = order_of(RECONCILE_WEIGH_SERVER, "rc_1");

	(void)state;
	(void)world_task(s->w, "aaaa1111", ROSTER_RUNNING, "10.0.0.1");
	begin(s);
	publish(s);
	o.weight = 7;
	assert_int_equal(order(s, o, "is held"), ERR_OK);
	wait_ms(s, 5000);
	assert_int_equal(s->slots[0]->admin, ACTUAL_DRAIN);
	assert_int_equal(s->slots[0]->weight, 7);
	assert_false(reconcile_view(s->r).in_step || reconcile_view(s->r).ready);
	let_checks_pass(s);
	wait_ms(s, 1000);
	assert_int_equal(s->slots[0]->admin, ACTUAL_READY);
	assert_true(reconcile_view(s->r).in_step && reconcile_view(s->r).ready);
	end(s);
}

static void
what_cannot_be_held_is_refused_by_name(void **state)
{
	struct stage *s = stage_with(2);
	struct reconcile_order o = order_of(RECONCILE_DRAIN_SERVER, "rc_1");

	(void)state;
	begin(s);
	assert_int_equal(order(s, o, "not known yet"), ERR_REFUSED);
	end(s);
	s = stage_with(2);
	(void)world_server(s->w, s->grpc, "static", ACTUAL_READY, "10.0.0.9:50051");
	(void)begin_serving(s);
	assert_int_equal(order(s, order_of(RECONCILE_DRAIN_SERVER, "rc_2"), "has no task"), ERR_REFUSED);
	assert_int_equal(order(s, order_of(RECONCILE_DRAIN_SERVER, "rc_9"), "no such server"), ERR_ARG);
	assert_int_equal(order(s, order_of(RECONCILE_DRAIN_SERVER, "static"), "not rollcall's"), ERR_REFUSED);
	o.backend = STR("web");
	assert_int_equal(order(s, o, "no such backend"), ERR_ARG);
	o = order_of(RECONCILE_WEIGH_SERVER, "rc_1");
	o.weight = 257;
	assert_int_equal(order(s, o, "at most 256"), ERR_ARG);
	o.weight = 1;
	o.for_ms = -1;
	assert_int_equal(order(s, o, "below zero"), ERR_ARG);
	assert_int_equal(count_holds(s), 0);
	assert_null(s->overlay_text);
	end(s);
}

/* What is so from now on, said in one sentence. */
static void
each_order_says_what_is_so_from_now_on(void **state)
{
	struct reconcile_order weigh = order_of(RECONCILE_WEIGH_SERVER, "rc_1"),
			       all = order_of(RECONCILE_PAUSE_BACKEND, "");
	struct reconcile_order until_the_end = order_of(RECONCILE_DRAIN_SERVER, "rc_1");
	struct stage *s = stage_with(2);

	(void)state;
	(void)begin_serving(s);
	assert_int_equal(order(s, order_of(RECONCILE_READY_SERVER, "rc_1"), "was not held"), ERR_OK);
	weigh.weight = 7;
	assert_int_equal(order(s, weigh, "is held: "), ERR_OK);
	weigh.weight_is_auto = true;
	assert_int_equal(order(s, weigh, "has the weight that rollcall gives it"), ERR_OK);
	assert_int_equal(count_holds(s), 0);
	until_the_end.for_ms = INT64_MAX;
	assert_int_equal(order(s, until_the_end, "until 2027-"), ERR_OK); /* a year and a day at most */
	assert_int_equal(order(s, order_of(RECONCILE_READY_SERVER, "rc_1"), "is held no more"), ERR_OK);
	all.backend = STR("");
	assert_int_equal(order(s, all, "all backends are paused"), ERR_OK);
	assert_int_equal(
	    order(s, order_of(RECONCILE_RESUME_BACKEND, ""), "all backends are paused still: resume all of them"),
	    ERR_OK);
	all.kind = RECONCILE_RESUME_BACKEND;
	assert_int_equal(order(s, all, "all backends go on"), ERR_OK);
	assert_int_equal(order(s, all, "nothing was paused"), ERR_OK);
	assert_int_equal(order(s, order_of(RECONCILE_RESUME_BACKEND, ""), "backend grpc was not paused"), ERR_OK);
	assert_int_equal(order(s, order_of(RECONCILE_RELEASE_BACKEND, ""), "backend grpc holds nothing back"), ERR_OK);
	assert_int_equal(order(s, order_of(RECONCILE_EJECT_SERVER, "rc_1"), "not an order of this kind"), ERR_ARG);
	assert_int_equal(order(s, order_of(RECONCILE_UNEJECT_SERVER, "rc_1"), "not an order of this kind"), ERR_ARG);
	end(s);
	s = stage_with(2);
	begin(s);
	assert_int_equal(order(s, order_of(RECONCILE_RELEASE_BACKEND, ""), "not known yet"), ERR_REFUSED);
	all.kind = RECONCILE_PAUSE_BACKEND;
	all.backend = STR("web");
	assert_int_equal(order(s, all, "no such backend"), ERR_ARG);
	end(s);
}

/* Both at once, by a hand on HAProxy's socket: one sentence, and one hold. */
static void
a_foreign_hand_may_set_state_and_weight_together(void **state)
{
	struct stage *s = stage_with(2);

	(void)state;
	(void)begin_serving(s);
	set_admin(s->slots[0], ACTUAL_MAINT);
	s->slots[0]->weight = 7;
	wait_ms(s, RECONCILE_CALM_MS);
	assert_int_equal(count_holds(s), 1);
	assert_int_equal(count_notes(s, "state maint and weight 7 was set on HAProxy's socket; this is respected"), 1);
	wait_ms(s, 60000);
	assert_int_equal(s->slots[0]->admin, ACTUAL_MAINT);
	assert_int_equal(s->slots[0]->weight, 7);
	end(s);
}

static void
a_paused_backend_is_in_step_and_goes_on_when_told(void **state)
{
	struct reconcile_order for_a_while = order_of(RECONCILE_PAUSE_BACKEND, "");
	struct stage *s = stage_with(3);

	(void)state;
	for_a_while.for_ms = 3600000;
	(void)begin_serving(s);
	assert_int_equal(order(s, for_a_while, "backend grpc is paused"), ERR_OK);
	(void)world_task(s->w, "bbbb2222", ROSTER_RUNNING, "10.0.0.2");
	publish(s);
	wait_ms(s, 10000);
	assert_int_equal(s->runs, 0);
	assert_true(reconcile_view(s->r).in_step);
	assert_true(reconcile_view(s->r).backend_faults[0].on);
	assert_non_null(strstr(reconcile_view(s->r).backend_faults[0].err.msg, "Z or `rollcall resume`"));
	assert_int_equal(order(s, order_of(RECONCILE_RESUME_BACKEND, ""), "backend grpc goes on"), ERR_OK);
	assert_int_equal(s->slots[1]->admin, ACTUAL_DRAIN);
	assert_int_equal(count_notes(s, "backend `grpc`: goes on"), 1);
	end(s);
}

/* Four tasks serve, and AWS calls three of them MISSING: too many to be true. */
static void
what_is_frozen_goes_when_it_is_released(void **state)
{
	static const char *const ids[] = { "bbbb2222", "cccc3333", "dddd4444" };
	struct reconcile_order configured = order_of(RECONCILE_RELEASE_BACKEND, "");
	struct stage *s = stage_with(4);
	struct roster_task *tasks[4];

	(void)state;
	tasks[0] = begin_serving(s);
	for (size_t i = 0; i < 3; i++) {
		char ip[16];

		(void)snprintf(ip, sizeof(ip), "10.0.0.%zu", i + 2);
		tasks[i + 1] = world_task(s->w, ids[i], ROSTER_RUNNING, ip);
	}
	publish(s);
	let_checks_pass(s);
	wait_ms(s, RECONCILE_CALM_MS);
	assert_int_equal(s->slots[3]->admin, ACTUAL_READY);
	assert_int_equal(order(s, order_of(RECONCILE_RELEASE_BACKEND, ""), "backend grpc holds nothing back"), ERR_OK);
	for (size_t i = 0; i < 3; i++) {
		tasks[i]->missing = 2;
		tasks[i]->listed = false;
	}
	publish(s);
	wait_ms(s, 2000);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(s->slots[i]->admin, ACTUAL_READY);
	assert_true(reconcile_view(s->r).plan->backends[0].is_frozen);
	assert_int_equal(count_notes(s, "backend `grpc` is frozen: 3 of 4 servers"), 1);
	configured.only_unexposed = true; /* a forced reload is no consent to what AWS says */
	assert_int_equal(order(s, configured, "backend grpc holds nothing back"), ERR_OK);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(s->slots[i]->admin, ACTUAL_READY);
	for (size_t i = 0; i < 3; i++)
		s->slots[i]->sessions = 1;
	assert_int_equal(order(s, order_of(RECONCILE_RELEASE_BACKEND, ""), "3 servers reported missing"), ERR_OK);
	assert_non_null(strstr(s->overlay_text, "\"released\":true"));
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(s->slots[i]->admin, ACTUAL_MAINT);
	/* Their streams end; they have gone, and are not to be let go again. */
	assert_int_equal(order(s, order_of(RECONCILE_RELEASE_BACKEND, ""), "backend grpc holds nothing back"), ERR_OK);
	assert_int_equal(s->slots[3]->admin, ACTUAL_READY);
	assert_int_equal(count_notes(s, "backend `grpc`: goes on"), 1);
	end(s);
}

/* Two of four went; the third is one too many until ten minutes have passed. */
static void
who_went_on_a_report_counts_for_ten_minutes(void **state)
{
	static const char *const ids[] = { "bbbb2222", "cccc3333", "dddd4444" };
	struct stage *s = stage_with(4);
	struct roster_task *tasks[4];

	(void)state;
	tasks[0] = begin_serving(s);
	for (size_t i = 0; i < 3; i++) {
		char ip[16];

		(void)snprintf(ip, sizeof(ip), "10.0.0.%zu", i + 2);
		tasks[i + 1] = world_task(s->w, ids[i], ROSTER_RUNNING, ip);
	}
	publish(s);
	let_checks_pass(s);
	wait_ms(s, RECONCILE_CALM_MS);
	tasks[0]->missing = tasks[1]->missing = 2;
	publish(s);
	wait_ms(s, 1000);
	assert_int_equal(s->slots[0]->admin, ACTUAL_MAINT);
	assert_int_equal(s->slots[1]->admin, ACTUAL_MAINT);
	assert_non_null(strstr(s->overlay_text, "\"leaves\":[\n{"));
	tasks[2]->missing = 2;
	publish(s);
	wait_ms(s, OVERLAY_LEAVE_KEPT_MS - 10000);
	assert_int_equal(s->slots[2]->admin, ACTUAL_READY);
	wait_ms(s, 12000);
	assert_int_equal(s->slots[2]->admin, ACTUAL_MAINT);
	assert_int_equal(s->slots[3]->admin, ACTUAL_READY);
	end(s);
}

static void
a_hold_outlives_haproxy_and_ends_with_its_task(void **state)
{
	struct stage *s = stage_with(3);
	struct roster_task *task;

	(void)state;
	task = begin_serving(s);
	set_admin(s->slots[0], ACTUAL_DRAIN);
	wait_ms(s, RECONCILE_CALM_MS);
	assert_int_equal(count_holds(s), 1);
	s->pid++; /* restarted, with empty slots; rc_1 is another's now */
	set_admin(s->slots[0], ACTUAL_MAINT);
	s->slots[0]->address = STR("");
	s->slots[0]->port = 0;
	wait_ms(s, RECONCILE_PROBE_MS);
	let_checks_pass(s);
	wait_ms(s, 10000);
	assert_int_equal(s->slots[0]->admin, ACTUAL_DRAIN);
	assert_int_equal(count_holds(s), 1);
	task->desired_status = ROSTER_STOPPED;
	task->last_status = ROSTER_STOPPED;
	publish(s);
	assert_int_equal(s->slots[0]->admin, ACTUAL_MAINT); /* proven evidence beats it */
	task->ended_wall_ms = WALL_MS;
	publish(s);
	wait_ms(s, RECONCILE_CALM_MS);
	assert_int_equal(count_holds(s), 0);
	end(s);
}

/* ---- faults of backends ---- */

static void
a_backend_that_is_not_there_is_said_once_and_mended_once(void **state)
{
	struct stage *s = stage_with(2);

	(void)state;
	(void)world_task(s->w, "aaaa1111", ROSTER_RUNNING, "10.0.0.1");
	s->grpc->exists = false;
	begin(s);
	publish(s);
	wait_ms(s, 60000);
	assert_int_equal(count_notes(s, "warn: backend `grpc` is not in HAProxy's configuration"), 1);
	assert_true(reconcile_view(s->r).backend_faults[0].on);
	assert_int_equal(s->runs, 0);
	s->grpc->exists = true;
	wait_ms(s, RECONCILE_CALM_MS);
	assert_false(reconcile_view(s->r).backend_faults[0].on);
	assert_int_equal(count_notes(s, "info: backend `grpc`: mended"), 1);
	let_checks_pass(s);
	wait_ms(s, RECONCILE_CALM_MS);
	assert_int_equal(s->slots[0]->admin, ACTUAL_READY);
	assert_int_equal(count_notes(s, "mended"), 1);
	end(s);
}

/* It is to go, here as there. */
static void
a_retired_backend_that_is_not_there_is_no_fault(void **state)
{
	struct stage *s = stage_with(2);

	(void)state;
	((struct conf_backend *)(uintptr_t)&world_conf(s->w)->backends[0])->retired = true;
	s->grpc->exists = false;
	begin(s);
	publish(s);
	wait_ms(s, 60000);
	assert_int_equal(count_notes(s, "warn: backend `grpc`"), 0);
	assert_false(reconcile_view(s->r).backend_faults[0].on);
	end(s);
}

/* A backend that was made at run time, and is in no file yet. */
static void
what_labels_made_stays_ours_with_another_configuration(void **state)
{
	static const struct str any[] = { { "*", 1 } }, labels[] = { { "rollcall", 8 } };
	static const struct conf_pair entrypoints[] = { { { "default", 7 }, { "routes.map", 10 } } };
	static const struct taskdef_label asked[] = { { { "rollcall.rule", 13 }, { "Host(`a`)", 9 } } };
	struct stage *s = stage_with(2);
	struct conf *conf = world_first_conf(s->w);
	struct reconcile_config config;
	struct actual_backend *made;
	struct taskdef_container *c;
	struct roster_task *t;
	struct taskdef *d;

	(void)state;
	conf->haproxy.entrypoints = (struct conf_pairs){ entrypoints, 1 };
	conf->haproxy.allow_hosts = (struct conf_list){ any, 1 };
	world_first_source(s->w)->labels = (struct conf_list){ labels, 1 };
	d = world_definition(s->w, "shop");
	c = world_publishes(s->w, d, "app", "50051");
	c->labels = asked;
	c->n_labels = 1;
	t = world_task(s->w, "bbbb2222", ROSTER_RUNNING, "10.0.0.2");
	t->definition = d;
	t->family = d->family;
	t->service = STR("shop");
	made = world_backend(s->w, "main-shop-app");
	made->exists = false;
	begin(s);
	publish(s);
	wait_ms(s, 10000);
	assert_non_null(desired_find(reconcile_view(s->r).desired, STR("main-shop-app")));
	made->exists = true;
	for (int knows = 1; knows >= 0; knows--) {
		struct reconcile *old = s->r;

		config = (struct reconcile_config){ .conf = world_conf(s->w), .before = knows ? old : NULL };
		s->notes[0] = '\0';
		assert_int_equal(reconcile_new(&config, &s->r, NULL), ERR_OK);
		reconcile_free(old);
		s->wake_ms = s->now_ms;
		tick(s);
		publish(s);
		wait_ms(s, 10000);
		assert_int_equal(count_notes(s, "labels ask for backend `main-shop-app`"), knows ? 0 : 1);
	}
	end(s);
}

/* ---- backends that nobody asks for any more ---- */

/* The same without its entries. */
static struct conf
without_entries(struct stage *s)
{
	struct conf conf = *world_conf(s->w);

	conf.n_backends = 0;
	return conf;
}

static void
the_servers_of_an_entry_that_was_dropped_meanwhile_stay_under_the_rules(void **state)
{
	struct stage *s = stage_with(3);
	struct roster_task *gone = world_task(s->w, "bbbb2222", ROSTER_RUNNING, "10.0.0.2");
	const struct desired_backend *held;
	struct conf conf;

	(void)state;
	(void)begin_serving(s);
	let_checks_pass(s);
	wait_ms(s, 10000);
	assert_int_equal(s->slots[1]->admin, ACTUAL_READY);
	conf = without_entries(s);
	restart_with(s, &conf, 600000);
	publish(s);
	wait_ms(s, 60000);
	/* Both are unexposed: more than removal_limit. */
	assert_int_equal(s->runs, 0);
	held = desired_find(reconcile_view(s->r).desired, STR("grpc"));
	assert_non_null(held);
	assert_true(desired_is_forsaken(reconcile_view(s->r).desired, held));
	assert_true(plan_find(reconcile_view(s->r).plan, STR("grpc"))->is_frozen);
	assert_int_equal(
	    count_notes(s, "warn: backend `grpc`: no entry of `backends` and no label asks for it any more"), 1);
	gone->last_status = gone->desired_status = ROSTER_STOPPED;
	publish(s);
	wait_ms(s, 10000);
	assert_int_equal(s->slots[1]->admin + s->slots[0]->admin, ACTUAL_READY + ACTUAL_MAINT);
	assert_string_equal(strstr(s->steps, "maint (stopped)") != NULL ? "" : s->steps, "");
	end(s);
}

static void
a_release_lets_a_dropped_backend_go_and_it_is_forgotten(void **state)
{
	struct stage *s = stage_with(2);
	struct reconcile_order release = { .kind = RECONCILE_RELEASE_BACKEND, .backend = STR("grpc") };
	struct buf said = buf_make(512);
	struct conf conf;

	(void)state;
	(void)begin_serving(s);
	conf = without_entries(s);
	restart_with(s, &conf, 1000);
	publish(s);
	wait_ms(s, 10000);
	assert_int_equal(s->slots[0]->admin, ACTUAL_READY);
	assert_int_equal(reconcile_order(s->r, &release, WALL_MS + s->now_ms, &said, NULL), ERR_OK);
	buf_free(&said);
	wait_ms(s, 10000);
	assert_int_equal(s->slots[0]->admin, ACTUAL_MAINT);
	assert_int_equal(plan_find(reconcile_view(s->r).plan, STR("grpc"))->n_servers, 0);
	restart_with(s, &conf, 1000);
	publish(s);
	wait_ms(s, 10000);
	assert_null(desired_find(reconcile_view(s->r).desired, STR("grpc")));
	end(s);
}

/* Nor does a new HAProxy make them anybody else's. */
static void
a_dropped_backend_is_looked_for_in_the_next_process_too(void **state)
{
	struct stage *s = stage_with(2);
	struct roster_task *task;
	struct conf conf;

	(void)state;
	task = begin_serving(s);
	conf = without_entries(s);
	s->pid = 101;
	restart_with(s, &conf, 1000);
	publish(s);
	wait_ms(s, 10000);
	assert_int_equal(s->slots[0]->admin, ACTUAL_READY);
	task->last_status = task->desired_status = ROSTER_STOPPED;
	publish(s);
	wait_ms(s, 10000);
	assert_int_equal(s->slots[0]->admin, ACTUAL_MAINT);
	end(s);
}

static bool
leads_there(void *arg, struct str backend)
{
	const struct stage *s = arg;

	return !str_eq(backend, s->made->name) || s->is_routed;
}

/* An HAProxy 3.4 with a backend that an earlier run made, and that nobody asks for. */
static struct stage *
stage_with_made(void)
{
	static const struct str old[] = { { "old", 3 }, { "a name\nno HAProxy has", 21 } };
	struct stage *s = stage_with(1);
	const struct reconcile_config config = {
		.conf = world_conf(s->w),
		.may_add_backends = true,
		.defaults = STR("rollcall"),
		.made = old,
		.n_made = N_OF(old),
		.is_routed = leads_there,
		.routes_arg = s,
	};

	world_version(s->w, 3, 4);
	s->made = world_backend(s->w, "old");
	s->is_routed = true;
	begin_by(s, &config);
	publish(s);
	wait_ms(s, 5000);
	return s;
}

static void
what_was_made_and_nobody_asks_for_goes_after_its_routes(void **state)
{
	struct stage *s = stage_with_made();

	(void)state;
	assert_int_equal(s->runs, 0);
	s->is_routed = false;
	wait_ms(s, 5000);
	assert_int_equal(s->runs, 1);
	assert_string_equal(s->steps, "old: unpublish; old: delete backend");
	publish(s);
	wait_ms(s, 5000);
	assert_null(desired_find(reconcile_view(s->r).desired, STR("old"))); /* it is read no more */
	assert_true(reconcile_view(s->r).in_step);
	end(s);
}

static void
what_was_made_stays_while_a_cluster_that_may_ask_for_it_is_not_read(void **state)
{
	struct stage *s = stage_with_made();

	(void)state;
	world_first_cluster(s->w)->was_read = false;
	publish(s);
	s->is_routed = false;
	wait_ms(s, 60000);
	assert_int_equal(s->runs, 0);
	assert_true(s->made->exists);
	world_first_cluster(s->w)->was_read = true;
	publish(s);
	wait_ms(s, 5000);
	assert_false(s->made->exists);
	end(s);
}

static void
what_haproxys_configuration_names_is_opened_again_and_stays(void **state)
{
	struct stage *s = stage_with_made();

	(void)state;
	s->is_routed = false;
	s->is_named = true;
	wait_ms(s, 60000);
	assert_int_equal(s->runs, 2);
	assert_true(s->made->exists && !s->made->is_unpublished);
	assert_int_equal(count_notes(s, "but named by HAProxy's configuration"), 1);
	assert_false(reconcile_view(s->r).run_fault->on);
	assert_true(reconcile_view(s->r).in_step);
	s->pid = 101; /* whose configuration may be another */
	s->is_named = false;
	wait_ms(s, 5000);
	assert_false(s->made->exists);
	end(s);
}

/* A world in which a label joins `grpc`. */
static struct stage *
stage_with_label(struct conf_list *allowed)
{
	static const struct str labels[] = { { "rollcall", 8 } };
	static const struct taskdef_label asked[] = { { { "rollcall.backend", 16 }, { "grpc", 4 } } };
	struct stage *s = stage_with(2);
	struct conf *conf = world_first_conf(s->w);
	struct taskdef *d = world_definition(s->w, "shop");
	struct taskdef_container *c = world_publishes(s->w, d, "app", "50051");
	struct roster_task *t = world_task(s->w, "aaaa1111", ROSTER_RUNNING, "10.0.0.1");

	conf->haproxy.allow_backends = *allowed;
	world_first_source(s->w)->labels = (struct conf_list){ labels, 1 };
	c->labels = asked;
	c->n_labels = 1;
	t->definition = d;
	t->family = d->family;
	t->service = STR("shop");
	return s;
}

static void
a_backend_that_a_label_asks_for_newly_is_among_those_that_are_read_next(void **state)
{
	static const struct str name[] = { { "grpc", 4 } };
	struct conf_list allowed = { name, 1 };
	struct stage *s = stage_with_label(&allowed);
	struct conf conf;

	(void)state;
	conf = without_entries(s);
	s->only_asked = true;
	begin_by(s, &(struct reconcile_config){ .conf = &conf });
	assert_null(reconcile_wanted(s->r));
	feed(s, (struct reconcile_event){ .kind = RECONCILE_ROSTER, .roster = world_roster(s->w) });
	assert_true(s->todo.read);
	assert_null(reconcile_view(s->r).desired); /* what the plan was made from, and there is none */
	assert_non_null(desired_find(reconcile_wanted(s->r), STR("grpc")));
	answer(s);
	assert_non_null(s->todo.execute); /* and not read again */
	assert_ptr_equal(reconcile_view(s->r).desired, reconcile_wanted(s->r));
	answer_all(s);
	end(s);
}

static void
what_was_derived_ahead_counts_for_what_it_was_derived_with(void **state)
{
	static const struct str name[] = { { "grpc", 4 } };
	const struct desired_held old = { STR("old"), false }, ours = { STR("old"), true },
				  other = { STR("new"), false };
	const struct {
		const struct desired_held *held;
		size_t n_held;
		int64_t after_ms;
		bool counts;
	} rows[] = {
		{ &old, 1, 0, true }, { &old, 1, 10, true }, { NULL, 0, 0, false }, { &ours, 1, 0, false },
		{ &other, 1, 0, false }, { &old, 1, 59999, true },
		{ &old, 1, 60000, false }, /* when time alone changes it */
	};
	struct conf_list allowed = { name, 1 };
	struct stage *s = stage_with_label(&allowed);
	struct reconcile_ahead ahead = { .desired = NULL };

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		struct desired_context in = {
			.conf = world_conf(s->w), .now_wall_ms = WALL_MS, .held = &old, .n_held = 1
		};
		struct desired *taken;

		reconcile_ahead_derive(&ahead, &in, world_roster(s->w));
		assert_non_null(ahead.desired);
		ahead.desired->next_wall_ms = WALL_MS + 60000;
		in.held = rows[i].held;
		in.n_held = rows[i].n_held;
		in.now_wall_ms += rows[i].after_ms;
		taken = reconcile_ahead_take(&ahead, &in);
		CHECK_ROW((taken != NULL) == rows[i].counts, i, "");
		assert_null(reconcile_ahead_take(&ahead, &in)); /* once */
		desired_free(taken);
	}
	end(s);
}

static void
a_backend_that_labels_may_not_join_any_more_keeps_who_serves(void **state)
{
	static const struct str name[] = { { "grpc", 4 } };
	struct conf_list allowed = { name, 1 };
	struct stage *s = stage_with_label(&allowed);
	struct reconcile_order release = { .kind = RECONCILE_RELEASE_BACKEND, .backend = STR("grpc") };
	struct buf said = buf_make(512);
	struct conf conf;

	(void)state;
	conf = without_entries(s);
	begin_by(s, &(struct reconcile_config){ .conf = &conf });
	publish(s);
	let_checks_pass(s);
	wait_ms(s, 10000);
	assert_int_equal(s->slots[0]->admin, ACTUAL_READY);
	conf.haproxy.allow_backends.n = 0;
	restart_with(s, &conf, 1000);
	publish(s);
	wait_ms(s, 60000);
	assert_int_equal(s->slots[0]->admin, ACTUAL_READY);
	assert_true(plan_find(reconcile_view(s->r).plan, STR("grpc"))->is_frozen);
	assert_int_equal(reconcile_order(s->r, &release, WALL_MS + s->now_ms, &said, NULL), ERR_OK);
	buf_free(&said);
	wait_ms(s, 10000);
	assert_int_equal(s->slots[0]->admin, ACTUAL_MAINT);
	end(s);
}

static struct str
led_to(void *arg, const struct desired_route *place)
{
	(void)place;
	return str_from_cstr(arg);
}

/* Two services that claim one route. */
static struct stage *
stage_with_contest(void)
{
	static const struct str labels[] = { { "rollcall", 8 } }, any[] = { { "*", 1 } };
	static const struct conf_pair entrypoints[] = { { { "default", 7 }, { "routes.map", 10 } } };
	static const struct taskdef_label rule[] = { { { "rollcall.rule", 13 }, { "Host(`x`)", 9 } } };
	struct stage *s = stage_with(1);
	struct conf *conf = world_first_conf(s->w);

	conf->haproxy.entrypoints = (struct conf_pairs){ entrypoints, 1 };
	conf->haproxy.allow_hosts = (struct conf_list){ any, 1 };
	world_first_source(s->w)->labels = (struct conf_list){ labels, 1 };
	world_slots(s->w, world_backend(s->w, "main-a-app"), 1);
	world_slots(s->w, world_backend(s->w, "main-b-app"), 1);
	for (int i = 0; i < 2; i++) {
		struct taskdef *d = world_definition(s->w, i == 0 ? "a" : "b");
		struct taskdef_container *c = world_publishes(s->w, d, "app", "50051");
		struct roster_task *t = world_task(s->w, i == 0 ? ID_A : ID_B, ROSTER_RUNNING, "10.0.0.1");

		c->labels = rule;
		c->n_labels = 1;
		t->definition = d;
		t->family = d->family;
		t->service = d->family;
		t->started_ms = 1;
	}
	return s;
}

static void
an_age_that_is_told_decides_at_once(void **state)
{
	static const struct roster_service ages[] = { { { "a", 1 }, 100 }, { { "b", 1 }, 200 } };
	static char place[] = "main-b-app";
	struct stage *s = stage_with_contest();
	static const struct str made[] = { { "main-a-app", 10 }, { "main-b-app", 10 } };
	const struct reconcile_config config = {
		.conf = world_conf(s->w), .made = made, .n_made = 2, .leads_to = led_to, .routes_arg = place
	};
	const struct ecs_contest *contest;

	(void)state;
	assert_int_equal(reconcile_new(&config, &s->r, NULL), ERR_OK);
	assert_null(reconcile_contest(s->r));
	s->wake_ms = s->now_ms;
	tick(s);
	assert_false(s->contest);
	publish(s);
	assert_true(s->contest);
	contest = reconcile_contest(s->r);
	assert_int_equal(contest->n, 2);
	assert_true(contest->is_whole);
	assert_str(contest->services[0].source, "eu");
	assert_str(contest->services[0].cluster, "main");
	assert_str(contest->services[0].service, "a");
	assert_str(contest->services[1].service, "b");
	assert_str(reconcile_view(s->r).desired->routes[0].backend, "main-b-app"); /* as it is */
	world_first_cluster(s->w)->services = ages;                                /* and no task is another */
	world_first_cluster(s->w)->n_services = 2;
	publish_same(s, 0, world_first_cluster(s->w));
	wait_ms(s, 1000);
	assert_str(reconcile_view(s->r).desired->routes[0].backend, "main-a-app");
	end(s);
}

/* The map may be read, and found to lead there, when it is derived already. */
static void
a_place_that_leads_elsewhere_than_was_thought_is_decided_anew(void **state)
{
	static const struct str made[] = { { "main-a-app", 10 }, { "main-b-app", 10 } };
	struct stage *s = stage_with_contest();
	char place[20] = "";
	const struct reconcile_config config = {
		.conf = world_conf(s->w), .made = made, .n_made = 2, .leads_to = led_to, .routes_arg = place
	};

	(void)state;
	begin_by(s, &config);
	feed(s, (struct reconcile_event){ .kind = RECONCILE_ROSTER, .roster = world_roster(s->w) });
	assert_true(s->todo.read); /* so it is derived ahead */
	(void)snprintf(place, sizeof(place), "main-b-app");
	answer_all(s);
	assert_str(reconcile_view(s->r).desired->routes[0].backend, "main-b-app");
	(void)snprintf(place, sizeof(place), "main-a-app");
	wait_ms(s, RECONCILE_CALM_MS);
	assert_str(reconcile_view(s->r).desired->routes[0].backend, "main-a-app");
	assert_true(reconcile_view(s->r).desired->routes[0].is_open);
	end(s);
}

/* The first read does not ask for backends of labels: it says nothing of them. */
static void
a_hand_on_a_backend_of_labels_is_found_after_a_restart(void **state)
{
	static const struct str name[] = { { "grpc", 4 } };
	struct conf_list allowed = { name, 1 };
	struct stage *s = stage_with_label(&allowed);
	struct conf conf;

	(void)state;
	conf = without_entries(s);
	begin_by(s, &(struct reconcile_config){ .conf = &conf });
	publish(s);
	let_checks_pass(s);
	wait_ms(s, 10000);
	assert_int_equal(s->slots[0]->admin, ACTUAL_READY);
	set_admin(s->slots[0], ACTUAL_MAINT);
	s->only_asked = true;
	restart_with(s, &conf, 1000);
	publish(s);
	wait_ms(s, 60000);
	assert_int_equal(s->slots[0]->admin, ACTUAL_MAINT);
	assert_int_equal(count_notes(s, "state maint was set on HAProxy's socket"), 1);
	end(s);
}

static void
a_backend_without_slots_is_told_what_to_add(void **state)
{
	struct stage *s = stage_with(0);

	(void)state;
	(void)world_task(s->w, "aaaa1111", ROSTER_RUNNING, "10.0.0.1");
	begin(s);
	publish(s);
	wait_ms(s, 10000);
	assert_int_equal(count_notes(s, "server-template rc_ 1-20"), 1);
	end(s);
}

static void
slots_that_are_used_up_are_said_with_their_count(void **state)
{
	struct stage *s = stage_with(1);
	struct roster_task *first = world_task(s->w, "aaaa1111", ROSTER_RUNNING, "10.0.0.1");

	(void)state;
	(void)world_task(s->w, "bbbb2222", ROSTER_RUNNING, "10.0.0.2");
	(void)world_task(s->w, "cccc3333", ROSTER_RUNNING, "10.0.0.3");
	begin(s);
	publish(s);
	let_checks_pass(s);
	wait_ms(s, 10000);
	assert_int_equal(count_notes(s, "no free slot for 2 task(s), all 1 are in use"), 1);
	first->desired_status = ROSTER_STOPPED;
	publish(s);
	wait_ms(s, 10000);
	assert_int_equal(count_notes(s, "no free slot"), 1);
	assert_non_null(strstr(reconcile_view(s->r).backend_faults[0].err.msg, "no free slot for 1 task(s)"));
	end(s);
}

/* Of what the entry says, what a slot's own line decides; all of it in one sentence. */
static void
keys_that_slots_do_not_heed_are_named(void **state)
{
	struct stage *s = stage_with(1);
	struct conf_backend *entry =
	    (struct conf_backend *)(uintptr_t)conf_backend_by_name(world_conf(s->w), STR("grpc"));

	(void)state;
	entry->policy.set =
	    UINT32_C(1) << CONF_POLICY_PROTO | UINT32_C(1) << CONF_POLICY_SLOWSTART | UINT32_C(1) << CONF_POLICY_WEIGHT;
	(void)world_task(s->w, "aaaa1111", ROSTER_RUNNING, "10.0.0.1");
	begin(s);
	publish(s);
	let_checks_pass(s);
	wait_ms(s, 10000);
	assert_int_equal(count_notes(s, "backend `grpc`: `proto`, `slowstart` without effect on slots"), 1);
	assert_int_equal(s->slots[0]->admin, ACTUAL_READY); /* it serves all the same */
	end(s);
}

static void
more_faults_than_notes_are_all_said(void **state)
{
	enum { MANY = 2 * RECONCILE_NOTES_MAX + 1 };
	struct stage *s = stage_with(1);

	(void)state;
	for (int i = 0; i < MANY; i++) {
		char name[16];

		(void)snprintf(name, sizeof(name), "gone-%d", i);
		(void)world_entry(s->w, name, "none", 0);
		world_backend(s->w, name)->exists = false;
	}
	begin(s);
	publish(s);
	wait_ms(s, 5 * RECONCILE_CALM_MS);
	assert_int_equal(count_notes(s, "is not in HAProxy's configuration"), MANY);
	assert_int_equal(count_notes(s, "`gone-0`"), 1);
	assert_int_equal(count_notes(s, "`gone-32`"), 1);
	end(s);
}

static void
freeing_nothing_is_fine(void **state)
{
	(void)state;
	reconcile_free(NULL);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_reads_first_and_changes_nothing_without_a_roster),
		cmocka_unit_test(nothing_else_is_asked_while_something_is_under_way),
		cmocka_unit_test(a_task_enters_and_serves_once_its_check_passed),
		cmocka_unit_test(a_shadow_plans_and_carries_nothing_out),
		cmocka_unit_test(joining_servers_are_looked_at_often),
		cmocka_unit_test(a_calm_haproxy_is_read_now_and_then_and_asked_who_it_is_in_between),
		cmocka_unit_test(what_somebody_else_changed_of_a_slot_without_a_task_is_put_right_at_the_next_read),
		cmocka_unit_test(a_silent_haproxy_is_asked_again_at_growing_intervals),
		cmocka_unit_test(silence_is_noticed_between_two_reads),
		cmocka_unit_test(a_batch_that_is_cut_short_is_read_back_and_tried_again),
		cmocka_unit_test(another_process_is_noticed_and_read_back_at_once),
		cmocka_unit_test(the_same_pid_with_another_start_is_another_process),
		cmocka_unit_test(two_that_answer_in_turns_are_told_of_once),
		cmocka_unit_test(a_refused_command_is_tried_again_less_and_less_often),
		cmocka_unit_test(labels_do_without_a_name_that_a_frontend_has),
		cmocka_unit_test(a_new_roster_is_acted_on_while_something_is_refused),
		cmocka_unit_test(a_roster_that_arrives_during_a_refused_run_is_acted_on),
		cmocka_unit_test(a_plan_that_changes_nothing_does_not_spin),
		cmocka_unit_test(plans_that_make_headway_have_no_long_breath),
		cmocka_unit_test(it_is_ready_once_every_cluster_is_swept_or_out_of_reach_for_good),
		cmocka_unit_test_prestate(
		    it_is_ready_once_every_cluster_is_swept_or_out_of_reach_for_good, (void *)(uintptr_t) "in part"),
		cmocka_unit_test(that_a_cluster_was_read_is_news_without_another_task),
		cmocka_unit_test(what_an_earlier_run_knew_serves_until_the_cluster_is_read),
		cmocka_unit_test(it_is_not_ready_while_a_server_waits_for_its_first_check),
		cmocka_unit_test(it_is_not_in_step_while_a_server_with_a_held_weight_waits_for_its_first_check),
		cmocka_unit_test(a_roster_that_tells_nothing_new_wakes_nobody),
		cmocka_unit_test(a_task_that_stops_is_taken_out_at_once),
		cmocka_unit_test(the_end_of_a_drain_wakes_it),
		cmocka_unit_test(streams_that_will_not_end_are_no_reason_to_spin),
		cmocka_unit_test(what_is_asked_is_written_before_it_is_sent),
		cmocka_unit_test(the_file_is_kept_young_and_not_written_without_need),
		cmocka_unit_test(a_file_that_cannot_be_written_is_a_fault_and_does_not_stop_the_work),
		cmocka_unit_test(a_shadow_saves_nothing_and_respects_nobody),
		cmocka_unit_test(a_daemon_that_was_killed_takes_over_what_it_finds),
		cmocka_unit_test(a_daemon_that_comes_back_asks_about_all_that_the_last_one_served_until_they_are_known),
		cmocka_unit_test(a_task_that_the_roster_does_not_have_stays_sought_and_its_server_untouched),
		cmocka_unit_test(a_task_that_ended_unseen_and_has_no_address_any_more_takes_its_server_along),
		cmocka_unit_test(a_server_that_nothing_explains_is_sought_by_the_id_in_its_name),
		cmocka_unit_test(a_restart_does_not_begin_a_drain_anew),
		cmocka_unit_test(a_restart_does_not_begin_the_wait_for_a_successor_anew),
		cmocka_unit_test(a_run_that_met_another_process_is_read_back_at_once),
		cmocka_unit_test(streams_that_were_not_shut_are_still_to_be_shut),
		cmocka_unit_test(a_drain_that_began_in_the_future_begins_now),
		cmocka_unit_test(what_was_applied_is_written_as_it_ages_and_by_any_clock),
		cmocka_unit_test(the_process_before_is_trusted_for_a_minute),
		cmocka_unit_test(a_server_of_nobody_goes_once_every_cluster_was_swept_twice),
		cmocka_unit_test(a_foreign_hand_is_respected_until_it_is_taken_back),
		cmocka_unit_test(a_foreign_weight_is_respected_until_it_is_what_it_would_be),
		cmocka_unit_test(an_order_is_written_at_once_and_carried_out),
		cmocka_unit_test(what_cannot_be_held_is_refused_by_name),
		cmocka_unit_test(each_order_says_what_is_so_from_now_on),
		cmocka_unit_test(a_foreign_hand_may_set_state_and_weight_together),
		cmocka_unit_test(a_paused_backend_is_in_step_and_goes_on_when_told),
		cmocka_unit_test(what_is_frozen_goes_when_it_is_released),
		cmocka_unit_test(who_went_on_a_report_counts_for_ten_minutes),
		cmocka_unit_test(a_hold_outlives_haproxy_and_ends_with_its_task),
		cmocka_unit_test(a_backend_that_is_not_there_is_said_once_and_mended_once),
		cmocka_unit_test(a_retired_backend_that_is_not_there_is_no_fault),
		cmocka_unit_test(what_labels_made_stays_ours_with_another_configuration),
		cmocka_unit_test(the_servers_of_an_entry_that_was_dropped_meanwhile_stay_under_the_rules),
		cmocka_unit_test(a_release_lets_a_dropped_backend_go_and_it_is_forgotten),
		cmocka_unit_test(a_dropped_backend_is_looked_for_in_the_next_process_too),
		cmocka_unit_test(what_was_made_and_nobody_asks_for_goes_after_its_routes),
		cmocka_unit_test(what_was_made_stays_while_a_cluster_that_may_ask_for_it_is_not_read),
		cmocka_unit_test(what_haproxys_configuration_names_is_opened_again_and_stays),
		cmocka_unit_test(a_backend_that_a_label_asks_for_newly_is_among_those_that_are_read_next),
		cmocka_unit_test(what_was_derived_ahead_counts_for_what_it_was_derived_with),
		cmocka_unit_test(a_backend_that_labels_may_not_join_any_more_keeps_who_serves),
		cmocka_unit_test(an_age_that_is_told_decides_at_once),
		cmocka_unit_test(a_place_that_leads_elsewhere_than_was_thought_is_decided_anew),
		cmocka_unit_test(a_hand_on_a_backend_of_labels_is_found_after_a_restart),
		cmocka_unit_test(a_backend_without_slots_is_told_what_to_add),
		cmocka_unit_test(slots_that_are_used_up_are_said_with_their_count),
		cmocka_unit_test(keys_that_slots_do_not_heed_are_named),
		cmocka_unit_test(more_faults_than_notes_are_all_said),
		cmocka_unit_test(freeing_nothing_is_fine),
	};

	return cmocka_run_group_tests_name("reconcile", tests, NULL, NULL);
}
