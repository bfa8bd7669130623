/*
 * Changes as events: see control_track.h.
 *
 * The servers of the pass before are kept as rows, sorted by backend and server.  A slot
 * that another task has now is two changes; one whose task is not known for a while (its
 * cluster was not read yet) is none.
 */
#include "config.h"

#include "control/control_track.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/arena.h"
#include "control/control_backends.h"

#define MESSAGE_MAX ((size_t)2048)

struct row {
	struct str backend, server, task; /* task: its id; empty: none known */
	struct str service, address;
	uint16_t port;
	enum plan_state state;
	enum evidence evidence;
	bool is_told; /* that it has this state, with told_evidence */
	enum evidence told_evidence;
	const struct plan_server *now; /* of this pass only */
};

struct rows {
	struct row *items;
	size_t n;
	struct arena *arena; /* null: none were ever taken down */
};

struct control_track {
	struct rows rows;
	uint64_t mark; /* of rows, as the pass had them; 0: a plan has changed something since */
	uint64_t pid, start_time_s;
	size_t n_frozen; /* backends, in the pass before */
	struct control_track_counts counts;
};

enum err_code
control_track_new(struct control_track **ret, struct err *e)
{
	*ret = calloc(1, sizeof(**ret));
	return *ret != NULL ? ERR_OK : err_set(e, ERR_NOMEM, "the list of changes");
}

void
control_track_free(struct control_track *t)
{
	if (t == NULL)
		return;
	arena_free(t->rows.arena);
	free(t);
}

const struct control_track_counts *
control_track_counts(const struct control_track *t)
{
	return &t->counts;
}

/* ---- rows ---- */

static struct row
row_of(const struct plan_server *s)
{
	const struct desired_server *d = s->desired;

	return (struct row){
		.backend = s->backend,
		.server = s->actual->name,
		.task = d != NULL ? d->task->id : STR(""),
		.service = d != NULL ? d->task->group : STR(""),
		.address = s->actual->address,
		.port = s->actual->port,
		.state = s->state,
		.evidence = s->evidence,
		.now = s,
	};
}

static int
compare_places(const struct row *a, struct str backend, struct str server)
{
	int order = str_cmp(a->backend, backend);

	return order != 0 ? order : str_cmp(a->server, server);
}

static int
compare_rows(const void *left, const void *right)
{
	const struct row *a = left, *b = right;

	return compare_places(a, b->backend, b->server);
}

static bool
is_another_task(const struct row *a, const struct row *b)
{
	return a->task.len > 0 && b->task.len > 0 && !str_eq(a->task, b->task);
}

static bool
keep_texts(struct arena *a, struct row *r)
{
	return arena_str(a, r->backend, &r->backend) && arena_str(a, r->server, &r->server) &&
	       arena_str(a, r->task, &r->task) && arena_str(a, r->service, &r->service) &&
	       arena_str(a, r->address, &r->address);
}

static uint64_t
hash_text(uint64_t hash, struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		hash = (hash ^ (unsigned char)s.ptr[i]) * UINT64_C(0x100000001b3);
	return (hash ^ 256) * UINT64_C(0x100000001b3);
}

/* All servers as a number, in whatever order (FNV-1a, summed): mostly nothing has changed,
 * and then nothing is copied and sorted. */
static uint64_t
mark_of(const struct plan *p)
{
	uint64_t sum = 1;

	for (size_t i = 0; i < p->n_backends; i++)
		for (size_t j = 0; j < p->backends[i].n_servers; j++) {
			const struct row r = row_of(&p->backends[i].servers[j]);
			uint64_t hash = UINT64_C(0xcbf29ce484222325) ^ ((uint64_t)r.state * 16 + r.evidence);

			hash = hash_text(hash_text(hash_text(hash, r.backend), r.server), r.task);
			sum += hash_text(hash ^ r.port, r.address);
		}
	return sum;
}

static size_t
count_servers(const struct plan *p)
{
	size_t n = 0;

	for (size_t i = 0; i < p->n_backends; i++)
		n += p->backends[i].n_servers;
	return n;
}

/* Without memory the arena is null, and the rows before stay. */
static struct rows
take_down(const struct plan *p)
{
	struct rows rows = { .arena = arena_new(CONTROL_TRACK_ARENA_MAX) };
	bool kept = true;

	if (rows.arena != NULL)
		rows.items = ARENA_ARRAY(rows.arena, struct row, count_servers(p) + 1);
	for (size_t i = 0; rows.items != NULL && i < p->n_backends; i++)
		for (size_t j = 0; kept && j < p->backends[i].n_servers; j++) {
			rows.items[rows.n] = row_of(&p->backends[i].servers[j]);
			kept = keep_texts(rows.arena, &rows.items[rows.n++]);
		}
	if (rows.items == NULL || !kept) {
		arena_free(rows.arena);
		return (struct rows){ .arena = NULL };
	}
	qsort(rows.items, rows.n, sizeof(rows.items[0]), compare_rows);
	return rows;
}

/* ---- what is said of a change ---- */

static const char *
ready_text(const struct row *before)
{
	if (before == NULL || before->state == PLAN_STATE_JOINING)
		return "takes calls";
	if (before->state == PLAN_STATE_HELD)
		return "takes calls again: nobody holds it any more";
	return "takes calls again";
}

static void
say_state(struct buf *out, const struct row *r, const struct row *before)
{
	switch (r->state) {
	case PLAN_STATE_JOINING:
		buf_put(out, STR("joins; it takes no call before its first passed check"));
		break;
	case PLAN_STATE_UP:
		buf_put(out, str_from_cstr(ready_text(before)));
		break;
	case PLAN_STATE_DOWN:
		buf_printf(out, "takes no call: HAProxy's health check fails (" STR_FMT ")",
		    STR_ARG(r->now->actual->last_check.len > 0 ? r->now->actual->last_check : r->now->actual->status));
		break;
	case PLAN_STATE_DRAINING:
		buf_printf(out, "drains: no new call, what is in flight goes on; %s",
		    control_backends_leaving_text(r->evidence));
		break;
	case PLAN_STATE_EJECTED:
		buf_put(out, STR("ejected: its calls failed; no new call goes to it for a while"));
		break;
	case PLAN_STATE_HELD:
		if (r->now->hold != NULL)
			overlay_say(r->now->hold, out);
		else
			buf_printf(out, "somebody set it to %s in HAProxy: left to that hand",
			    actual_admin_name(r->now->actual->admin));
		break;
	}
}

static void
say_task(struct buf *out, const struct row *r)
{
	if (r->task.len > 0)
		buf_printf(out, "; task " STR_FMT " of " STR_FMT " at " STR_FMT ":%u", STR_ARG(r->task),
		    STR_ARG(r->service), STR_ARG(r->address), r->port);
}

static void
add_event(const struct control_track_sink *to, int64_t wall_ms, const struct row *r, const char *from, const char *what,
    const struct buf *message)
{
	const struct control_event draft = {
		.at_wall_ms = wall_ms,
		.kind = "server",
		.from = from,
		.to = what,
		.evidence = evidence_name(r->evidence),
		.backend = r->backend,
		.server = r->server,
		.task = r->task,
		.message = buf_str(message),
	};

	to->add(to->arg, LOG_INFO, &draft);
}

static void
tell_state(const struct control_track_sink *to, int64_t wall_ms, const struct row *r, const struct row *before)
{
	struct buf message = buf_make(MESSAGE_MAX);

	say_state(&message, r, before);
	say_task(&message, r);
	buf_printf(&message, ", evidence %s", evidence_name(r->evidence));
	add_event(
	    to, wall_ms, r, before != NULL ? plan_state_name(before->state) : "", plan_state_name(r->state), &message);
	buf_free(&message);
}

static void
tell_gone(const struct control_track_sink *to, int64_t wall_ms, const struct row *before, bool is_other_process)
{
	struct buf message = buf_make(MESSAGE_MAX);

	if (is_other_process)
		buf_put(&message, STR("is not in the new process of HAProxy"));
	else if (str_has_prefix(before->server, STR("rc_")) && actual_slot_number(before->server, &(unsigned){ 0 }))
		buf_put(&message, STR("is gone: its slot is free"));
	else
		buf_put(&message, STR("is gone from HAProxy"));
	say_task(&message, before);
	add_event(to, wall_ms, before, plan_state_name(before->state), "gone", &message);
	buf_free(&message);
}

/* ---- from pass to pass ---- */

static void
note_told(struct row *r)
{
	r->is_told = true;
	r->told_evidence = r->evidence;
}

static void
tell_new(struct control_track *t, struct row *now, int64_t wall_ms, const struct control_track_sink *to)
{
	t->counts.added++;
	tell_state(to, wall_ms, now, NULL);
	note_told(now);
}

/* The same server in both passes. */
static void
compare_one(struct control_track *t, const struct row *before, struct row *now, struct arena *a, int64_t wall_ms,
    const struct control_track_sink *to)
{
	if (is_another_task(before, now)) {
		tell_gone(to, wall_ms, before, false);
		tell_new(t, now, wall_ms, to);
		return;
	}
	if (now->task.len == 0) {
		struct row known = *now;

		known.task = before->task;
		known.service = before->service;
		if (keep_texts(a, &known))
			*now = known;
	}
	now->is_told = before->is_told;
	now->told_evidence = before->told_evidence;
	if (before->state == now->state)
		return;
	tell_state(to, wall_ms, now, before);
	note_told(now);
}

static void
compare_all(struct control_track *t, const struct rows *now, bool is_other_process, int64_t wall_ms,
    const struct control_track_sink *to)
{
	const struct rows *then = &t->rows;
	size_t i = 0, j = 0;

	while (i < then->n || j < now->n) {
		int order = i == then->n ? 1 : j == now->n ? -1 : compare_rows(&then->items[i], &now->items[j]);

		if (order < 0)
			tell_gone(to, wall_ms, &then->items[i], is_other_process);
		else if (order > 0)
			tell_new(t, &now->items[j], wall_ms, to);
		else
			compare_one(t, &then->items[i], &now->items[j], now->arena, wall_ms, to);
		i += order <= 0;
		j += order >= 0;
	}
}

/* One that thaws in the very pass in which another freezes hides it: rare, and of no harm. */
static void
count_freezes(struct control_track *t, const struct plan *p)
{
	size_t n = 0;

	for (size_t i = 0; i < p->n_backends; i++)
		n += p->backends[i].is_frozen;
	if (n > t->n_frozen)
		t->counts.freezes += n - t->n_frozen;
	t->n_frozen = n;
}

void
control_track_passed(
    struct control_track *t, const struct reconcile_view *v, int64_t wall_ms, const struct control_track_sink *to)
{
	const bool is_other = t->pid != 0 && v->actual != NULL &&
			      (t->pid != v->actual->pid || t->start_time_s != v->actual->start_time_s);
	struct rows now;
	uint64_t mark;

	if (v->plan == NULL || v->actual == NULL)
		return;
	t->counts.passes++;
	t->counts.processes += is_other;
	t->pid = v->actual->pid;
	t->start_time_s = v->actual->start_time_s;
	count_freezes(t, v->plan);
	mark = mark_of(v->plan);
	if (t->rows.arena != NULL && mark == t->mark)
		return;
	now = take_down(v->plan);
	if (now.arena == NULL)
		return;
	if (t->rows.arena != NULL)
		compare_all(t, &now, is_other, wall_ms, to);
	for (size_t i = 0; i < now.n; i++)
		now.items[i].now = NULL;
	arena_free(t->rows.arena);
	t->rows = now;
	t->mark = mark;
}

/* ---- what a plan did ---- */

static struct row *
find_row(const struct rows *rows, struct str backend, struct str server)
{
	size_t low = 0, high = rows->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = compare_places(&rows->items[middle], backend, server);

		if (order == 0)
			return &rows->items[middle];
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

static void
tell_step(const struct control_track_sink *to, int64_t wall_ms, const struct plan_step *st, const struct row *r,
    const char *kind, const char *text)
{
	struct buf message = buf_make(MESSAGE_MAX);
	struct control_event draft = {
		.at_wall_ms = wall_ms,
		.kind = kind,
		.backend = st->backend,
		.server = st->server,
		.evidence = st->server.len > 0 ? evidence_name(st->evidence) : "",
	};

	if (st->kind == PLAN_CA)
		buf_printf(&message, "certificate authority " STR_FMT " ", STR_ARG(st->ca->path));
	buf_put(&message, str_from_cstr(text));
	if (r != NULL) {
		say_task(&message, r);
		draft.task = r->task;
	}
	draft.message = buf_str(&message);
	to->add(to->arg, LOG_INFO, &draft);
	buf_free(&message);
}

static const char *
maint_text(const struct plan_step *st)
{
	if (st->by_operator)
		return "in maintenance: an operator asked for it";
	if (st->is_respec)
		return "drains, to come back with the settings that the configuration has now";
	return "drains: no new call, what is in flight goes on; ";
}

static void
tell_maint(struct control_track *t, const struct plan_step *st, int64_t wall_ms, const struct control_track_sink *to)
{
	struct row *r = find_row(&t->rows, st->backend, st->server);
	struct buf message = buf_make(MESSAGE_MAX);
	const char *from;
	bool is_told;

	if (st->is_vacant || r == NULL) {
		tell_step(to, wall_ms, st, r, "server", "has no address: closed, as it would fail each of its calls");
		return;
	}
	from = plan_state_name(r->state);
	/* Who leaves before its first check was seen to drain already. */
	is_told = r->state == PLAN_STATE_DRAINING && r->is_told && r->told_evidence == st->evidence && !st->is_respec &&
		  !st->by_operator;
	t->mark = 0;
	r->evidence = st->evidence;
	r->state = st->by_operator ? PLAN_STATE_HELD : PLAN_STATE_DRAINING;
	if (r->state == PLAN_STATE_DRAINING && !st->is_respec)
		t->counts.removals[st->evidence]++;
	if (is_told)
		return;
	note_told(r);
	buf_put(&message, str_from_cstr(maint_text(st)));
	if (r->state == PLAN_STATE_DRAINING && !st->is_respec)
		buf_put(&message, str_from_cstr(control_backends_leaving_text(st->evidence)));
	say_task(&message, r);
	buf_printf(&message, ", evidence %s", evidence_name(st->evidence));
	add_event(to, wall_ms, r, from, plan_state_name(r->state), &message);
	buf_free(&message);
}

static void
tell_done(struct control_track *t, const struct plan_step *st, int64_t wall_ms, const struct control_track_sink *to)
{
	switch (st->kind) {
	case PLAN_BACKEND:
		tell_step(to, wall_ms, st, NULL, "backend", "is made");
		break;
	case PLAN_PUBLISH:
		tell_step(to, wall_ms, st, NULL, "backend", "is open for calls");
		break;
	case PLAN_UNPUBLISH:
		tell_step(to, wall_ms, st, NULL, "backend", "is closed: it has no server and no route any more");
		break;
	case PLAN_UNMAKE:
		tell_step(to, wall_ms, st, NULL, "backend", "is taken out of HAProxy");
		break;
	case PLAN_CA:
		tell_step(to, wall_ms, st, NULL, "haproxy", "is loaded");
		break;
	case PLAN_MAINT:
		tell_maint(t, st, wall_ms, to);
		break;
	case PLAN_SHUTDOWN:
		tell_step(to, wall_ms, st, find_row(&t->rows, st->backend, st->server), "shutdown",
		    "its last streams are shut");
		break;
	case PLAN_ADD: /* these are seen by the next read-back */
	case PLAN_JOIN:
	case PLAN_READY:
	case PLAN_DRAIN:
	case PLAN_DELETE:
	case PLAN_CHECK:
	case PLAN_AGENT:
	case PLAN_EJECT:
	case PLAN_UNEJECT:
	case PLAN_GATE:
	case PLAN_ADDRESS:
	case PLAN_WEIGHT:
	case PLAN_MAXCONN:
		break;
	}
}

static bool
was_refused(const struct hap_exec_report *report, const struct plan_step *st)
{
	for (size_t i = 0; i < report->n_refusals; i++)
		if (report->refusals[i].step == st)
			return true;
	return false;
}

/* The report lists no more than the first refusals: is each of them in it? */
static bool
lists_all_refusals(const struct hap_exec_report *report)
{
	return report->refused + report->gone == report->n_refusals;
}

static void
tell_partly(
    const struct plan *p, const struct hap_exec_report *report, int64_t wall_ms, const struct control_track_sink *to)
{
	struct buf message = buf_make(MESSAGE_MAX);
	struct control_event draft = { .at_wall_ms = wall_ms, .kind = "haproxy" };

	if (report->is_other)
		buf_printf(&message, "HAProxy was replaced before it was told of %zu changes; it is read back first",
		    p->n_steps);
	else
		buf_printf(&message, "HAProxy carried out %zu of %zu commands", report->done, p->n_steps);
	draft.message = buf_str(&message);
	to->add(to->arg, LOG_INFO, &draft);
	buf_free(&message);
}

void
control_track_ran(struct control_track *t, const struct plan *p, const struct hap_exec_report *report, int64_t run_ms,
    int64_t wall_ms, const struct control_track_sink *to)
{
	t->counts.runs++;
	t->counts.run_ms += run_ms;
	t->counts.commands += report->done;
	t->counts.refusals += report->refused;
	if (report->err.code != ERR_OK || report->is_other)
		t->counts.failed_runs++;
	if (report->err.code != ERR_OK)
		return; /* the reconciler says what is wrong */
	if (report->is_other || !lists_all_refusals(report)) {
		tell_partly(p, report, wall_ms, to);
		return;
	}
	for (size_t i = 0; i < p->n_steps; i++)
		if (!was_refused(report, &p->steps[i]))
			tell_done(t, &p->steps[i], wall_ms, to);
}
