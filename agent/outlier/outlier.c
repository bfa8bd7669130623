/*
 * Who is ejected, and for how long: see outlier.h.  What the calls of each server did
 * is counted in outlier_tally.c.
 *
 * A record is kept of each server that was ejected until its count of ejections has
 * gone back to none.  There are few of them: they are looked through one by one.
 */
#include "config.h"

#include "outlier/outlier.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "outlier/outlier_tally.h"
#include "plan/plan_json.h"

#define RECORDS_MAX  ((size_t)10000)
#define RECORD_ARENA ((size_t)32 << 10)
#define TIMES_MAX    1000u
#define ABSENT_MS    INT64_C(600000) /* no such server for so long: its record is over */

struct record {
	struct outlier_ejection e;
	struct arena *arena; /* its texts */
	bool is_active;
	int64_t until_ms; /* monotonic; INT64_MAX: no end */
	int64_t returned_ms, seen_ms;
};

struct outlier {
	struct outlier_tally *tally;
	struct record *records;
	size_t n_records, cap_records;
	struct plan_ejection *list; /* what outlier_ejections gives; room for cap_records */
	size_t n_list;
	struct outlier_counts counts;
};

static const char *const cause_names[OUTLIER_N_CAUSES] = {
#define X(name, text) [OUTLIER_##name] = text,
	OUTLIER_CAUSES(X)
#undef X
};

const char *
outlier_cause_name(enum outlier_cause c)
{
	return cause_names[c];
}

/* UNKNOWN, INTERNAL, UNAVAILABLE, DATA_LOSS.  Not UNIMPLEMENTED and the like: those are
 * the caller's mistakes. */
static bool
is_failure(int grpc_status)
{
	return grpc_status == 2 || grpc_status == 13 || grpc_status == 14 || grpc_status == 15;
}

/* ---- records ---- */

static struct record *
find_record(const struct outlier *o, const struct overlay_key *key)
{
	for (size_t i = 0; i < o->n_records; i++)
		if (overlay_key_eq(&o->records[i].e.key, key))
			return &o->records[i];
	return NULL;
}

static bool
keep_texts(struct record *r, const struct overlay_key *key, struct str server)
{
	struct overlay_key *k = &r->e.key;

	k->port = key->port;
	return arena_str(r->arena, key->backend, &k->backend) && arena_str(r->arena, key->task_arn, &k->task_arn) &&
	       arena_str(r->arena, key->container, &k->container) && arena_str(r->arena, server, &r->e.server);
}

static bool
make_room(struct outlier *o)
{
	size_t cap = o->cap_records > 0 ? o->cap_records * 2 : 16;
	struct record *bigger;
	struct plan_ejection *list;

	if (o->n_records < o->cap_records)
		return true;
	if (o->n_records >= RECORDS_MAX)
		return false;
	bigger = calloc(cap, sizeof(*bigger));
	list = calloc(cap, sizeof(*list));
	if (bigger == NULL || list == NULL) {
		free(bigger);
		free(list);
		return false;
	}
	if (o->n_records > 0)
		memcpy(bigger, o->records, o->n_records * sizeof(*bigger));
	free(o->records);
	free(o->list);
	o->records = bigger;
	o->list = list;
	o->n_list = 0;
	o->cap_records = cap;
	return true;
}

/* Null: no memory, or too many. */
static struct record *
new_record(struct outlier *o, const struct overlay_key *key, struct str server)
{
	struct record r = { .arena = arena_new(RECORD_ARENA) };

	if (r.arena == NULL || !keep_texts(&r, key, server) || !make_room(o)) {
		arena_free(r.arena);
		return NULL;
	}
	o->records[o->n_records] = r;
	return &o->records[o->n_records++];
}

static void
drop_record(struct outlier *o, size_t i)
{
	arena_free(o->records[i].arena);
	o->records[i] = o->records[--o->n_records];
}

/* A slot may have another name today: shown is the one of now. */
static void
rename_record(struct record *r, struct str server)
{
	if (!str_eq(r->e.server, server) && !arena_str(r->arena, server, &r->e.server))
		r->e.server = STR("");
}

/* ---- life ---- */

enum err_code
outlier_new(struct outlier **ret, struct err *e)
{
	struct outlier *o = calloc(1, sizeof(*o));

	if (o == NULL)
		return err_set(e, ERR_NOMEM, "outlier detection");
	o->tally = outlier_tally_new();
	if (o->tally == NULL) {
		free(o);
		return err_set(e, ERR_NOMEM, "outlier detection");
	}
	*ret = o;
	return ERR_OK;
}

void
outlier_free(struct outlier *o)
{
	if (o == NULL)
		return;
	while (o->n_records > 0)
		drop_record(o, o->n_records - 1);
	outlier_tally_free(o->tally);
	free(o->records);
	free(o->list);
	free(o);
}

const struct outlier_counts *
outlier_counts(const struct outlier *o)
{
	return &o->counts;
}

/* ---- what SPOE tells ---- */

void
outlier_answer(struct outlier *o, struct str backend, struct str server, int grpc_status, unsigned status)
{
	if (status < 500 && is_failure(grpc_status) && outlier_tally_fail(o->tally, backend, server))
		o->counts.events++;
	else
		o->counts.events_ignored++;
}

/* As HAProxy sends numbers: integers as such, headers as texts. */
static bool
take_number(const struct spop_wire_value *v, uint64_t max, uint64_t *ret)
{
	if (v->type == SPOP_WIRE_STRING)
		return str_to_u64(v->text, max, ret);
	if (!spop_wire_is_integer(v) || v->number > max)
		return false;
	*ret = v->number;
	return true;
}

void
outlier_message(struct outlier *o, const struct spop_message *m)
{
	struct str args = m->args, name, backend = STR(""), server = STR("");
	uint64_t status = 0, grpc = UINT16_MAX;
	struct spop_wire_value v;

	while (spop_session_next_arg(&args, &name, &v)) {
		if (str_eq(name, STR("be")) && v.type == SPOP_WIRE_STRING)
			backend = v.text;
		else if (str_eq(name, STR("srv")) && v.type == SPOP_WIRE_STRING)
			server = v.text;
		else if (str_eq(name, STR("st")))
			(void)take_number(&v, UINT16_MAX, &status);
		else if (str_eq(name, STR("gs")))
			(void)take_number(&v, UINT16_MAX, &grpc);
	}
	if (backend.len == 0 || server.len == 0)
		o->counts.events_unread++;
	else
		outlier_answer(o, backend, server, grpc == UINT16_MAX ? -1 : (int)grpc, (unsigned)status);
}

/* ---- notes ---- */

static void
add_note(struct outlier_notes *notes, const struct record *r, bool is_ejection, int64_t for_ms)
{
	struct outlier_note *to;

	if (notes == NULL || notes->n == OUTLIER_NOTES_MAX)
		return;
	to = &notes->items[notes->n++];
	*to = (struct outlier_note){ .backend = r->e.key.backend,
		.server = r->e.server,
		.is_ejection = is_ejection,
		.is_observed = r->e.is_observed,
		.for_ms = for_ms };
	memcpy(to->because, r->e.because, sizeof(to->because));
}

/* ---- in and out ---- */

static int64_t
duration(const struct conf_outlier *policy, unsigned times)
{
	int64_t longest =
	    policy->max_ejection_ms > policy->base_ejection_ms ? policy->max_ejection_ms : policy->base_ejection_ms;

	if (policy->base_ejection_ms > longest / (int64_t)times)
		return longest;
	return policy->base_ejection_ms * (int64_t)times;
}

struct moment {
	int64_t mono_ms, wall_ms;
};

static void
activate(struct record *r, struct moment now, int64_t for_ms)
{
	r->is_active = true;
	r->seen_ms = now.mono_ms;
	r->e.since_wall_ms = now.wall_ms;
	r->e.until_wall_ms = for_ms > 0 ? now.wall_ms + for_ms : 0;
	r->until_ms = for_ms > 0 ? now.mono_ms + for_ms : INT64_MAX;
}

/* How a backend stands, while it is looked at. */
struct stand {
	size_t all, available; /* should serve; takes calls */
	size_t active[2];      /* records: ejected, only observed */
};

/* Never the last, never below the panic threshold, within the share; at least one. */
static bool
has_room(const struct stand *b, const struct conf_outlier *policy, bool is_observed)
{
	size_t active = b->active[is_observed], least = (b->all * policy->panic_threshold_percent + 99) / 100;

	if (active > 0 && (active + 1) * 100 > b->all * policy->max_ejection_percent)
		return false;
	return b->available > 1 && b->available - 1 >= least;
}

static bool
eject(
    struct outlier *o, struct stand *b, const struct outlier_finding *f, struct moment now, struct outlier_notes *notes)
{
	const struct conf_outlier *policy = f->policy;
	struct record *r = find_record(o, &f->key);
	bool is_observed = policy->mode != CONF_OUTLIER_ENFORCE || !f->has_agent;

	o->counts.detected[f->cause]++;
	if (!has_room(b, policy, is_observed)) {
		o->counts.overflow++;
		return false;
	}
	if (r == NULL)
		r = new_record(o, &f->key, f->server);
	if (r == NULL)
		return false;
	r->e.cause = f->cause;
	r->e.is_observed = is_observed;
	memcpy(r->e.because, f->because, sizeof(r->e.because));
	r->e.times += r->e.times < TIMES_MAX ? 1 : 0;
	activate(r, now, duration(policy, r->e.times));
	b->active[is_observed]++;
	b->available -= is_observed ? 0 : 1;
	o->counts.ejected[f->cause] += is_observed ? 0 : 1;
	add_note(notes, r, true, r->until_ms - now.mono_ms);
	return true;
}

static void
put_back(struct outlier *o, struct record *r, int64_t mono_ms, struct outlier_notes *notes)
{
	r->is_active = false;
	r->returned_ms = mono_ms;
	outlier_tally_begin_anew(o->tally, &r->e.key);
	o->counts.returned += r->e.is_observed ? 0 : 1;
	add_note(notes, r, false, 0);
}

/* True: somebody returned. */
static bool
end_what_is_over(struct outlier *o, int64_t mono_ms, struct outlier_notes *notes)
{
	bool changed = false;

	/* First, those of the pass before: the notes of this one borrow their texts. */
	for (size_t i = o->n_records; i-- > 0;)
		if (!o->records[i].is_active &&
		    (o->records[i].e.times == 0 || mono_ms - o->records[i].seen_ms >= ABSENT_MS))
			drop_record(o, i);
	for (size_t i = 0; i < o->n_records; i++) {
		struct record *r = &o->records[i];
		bool is_gone = mono_ms - r->seen_ms >= ABSENT_MS;

		if (!r->is_active || (r->until_ms > mono_ms && !is_gone))
			continue;
		put_back(o, r, mono_ms, notes);
		changed = true;
	}
	return changed;
}

/* A sweep: who behaved for an interval gets one off. */
static void
forgive(struct outlier *o, struct str backend, const struct conf_outlier *policy, int64_t mono_ms)
{
	for (size_t i = 0; i < o->n_records; i++) {
		struct record *r = &o->records[i];

		if (!r->is_active && r->e.times > 0 && str_eq(r->e.key.backend, backend) &&
		    mono_ms - r->returned_ms >= policy->interval_ms)
			r->e.times--;
	}
}

static bool
takes_calls(const struct actual_server *a)
{
	return a->admin == ACTUAL_READY && a->up && !a->agent_down && a->weight > 0;
}

/* What records know beyond HAProxy: an ejection of this second is not read back yet. */
static struct stand
stand_of(struct outlier *o, const struct plan_backend *b, int64_t mono_ms)
{
	struct stand ret = { .all = 0 };

	for (size_t i = 0; i < b->n_servers; i++) {
		const struct plan_server *s = &b->servers[i];
		struct overlay_key key;
		struct record *r;

		if (!outlier_tally_counts(s))
			continue;
		key = overlay_key_of(b->name, s->desired);
		r = o->n_records > 0 ? find_record(o, &key) : NULL;
		ret.all++;
		if (r != NULL) {
			r->seen_ms = mono_ms;
			rename_record(r, s->actual->name);
		}
		if (r != NULL && r->is_active)
			ret.active[r->e.is_observed]++;
		if (takes_calls(s->actual) && (r == NULL || !r->is_active || r->e.is_observed))
			ret.available++;
	}
	return ret;
}

static bool
is_active(const struct outlier *o, const struct overlay_key *key)
{
	const struct record *r = find_record(o, key);

	return r != NULL && r->is_active;
}

static bool
judge_backend(struct outlier *o, const struct plan_backend *b, struct moment now, struct outlier_notes *notes)
{
	struct stand stand = stand_of(o, b, now.mono_ms);
	struct outlier_finding f;
	bool changed = false;

	while (outlier_tally_next(o->tally, b->name, &f))
		if (!is_active(o, &f.key))
			changed = eject(o, &stand, &f, now, notes) || changed;
	return changed;
}

static void
renew_list(struct outlier *o)
{
	o->n_list = 0;
	for (size_t i = 0; i < o->n_records; i++)
		if (o->records[i].is_active && !o->records[i].e.is_observed)
			o->list[o->n_list++] = (struct plan_ejection){ .key = o->records[i].e.key,
				.because = str_from_cstr(o->records[i].e.because) };
}

bool
outlier_pass(struct outlier *o, const struct actual *actual, const struct plan *p, int64_t mono_ms, int64_t wall_ms,
    struct outlier_notes *notes)
{
	const struct moment now = { .mono_ms = mono_ms, .wall_ms = wall_ms };
	bool changed;

	notes->n = 0;
	changed = end_what_is_over(o, mono_ms, notes);
	if (outlier_tally_pass(o->tally, actual, p, mono_ms)) {
		for (size_t i = 0; i < p->n_backends; i++)
			changed = judge_backend(o, &p->backends[i], now, notes) || changed;
		for (size_t i = 0; i < p->n_backends; i++) {
			const struct conf_outlier *policy = outlier_tally_swept(o->tally, p->backends[i].name);

			if (policy != NULL)
				forgive(o, p->backends[i].name, policy, mono_ms);
		}
	}
	outlier_tally_end(o->tally);
	renew_list(o);
	return changed;
}

void
outlier_ejections(const struct outlier *o, struct plan_ejections *ret)
{
	*ret = (struct plan_ejections){ .items = o->list, .n = o->n_list };
}

const struct outlier_ejection *
outlier_find(const struct outlier *o, const struct overlay_key *key)
{
	const struct record *r = find_record(o, key);

	return r != NULL && r->is_active ? &r->e : NULL;
}

/* ---- the operator ---- */

static const struct plan_server *
find_server(const struct plan *p, struct str backend, struct str server)
{
	const struct plan_backend *b = plan_find(p, backend);

	for (size_t i = 0; b != NULL && i < b->n_servers; i++)
		if (str_eq(b->servers[i].actual->name, server))
			return &b->servers[i];
	return NULL;
}

static enum err_code
may_eject(struct outlier *o, const struct plan *p, const struct plan_server *s, int64_t mono_ms, struct err *e)
{
	struct stand b;
	size_t least;

	if (s->desired == NULL)
		return err_set(e, ERR_REFUSED, "no task known explains that server: ejections are kept by task");
	if (!s->actual->has_agent)
		return err_set(e, ERR_REFUSED,
		    "that server has no `agent-check` in HAProxy's configuration, which an ejection needs: use "
		    "`drain`");
	if (!outlier_tally_counts(s))
		return err_set(e, ERR_REFUSED, "that server is leaving already");
	b = stand_of(o, plan_find(p, s->backend), mono_ms);
	least = (b.all * s->desired->policy->outlier.panic_threshold_percent + 99) / 100;
	if (takes_calls(s->actual) && (b.available <= 1 || b.available - 1 < least))
		return err_set(e, ERR_REFUSED,
		    "too few others take calls: %zu of %zu do, panic_threshold is %u %%; use `drain` if it must be",
		    b.available, b.all, s->desired->policy->outlier.panic_threshold_percent);
	return ERR_OK;
}

enum err_code
outlier_eject(struct outlier *o, const struct plan *p, struct str backend, struct str server, int64_t mono_ms,
    int64_t wall_ms, int64_t for_ms, struct buf *said, struct err *e)
{
	const struct plan_server *s = find_server(p, backend, server);
	struct overlay_key key;
	struct record *r;
	enum err_code code;

	if (s == NULL)
		return err_set(e, ERR_ARG, "no such server in that backend; `rollcall servers` lists them");
	code = may_eject(o, p, s, mono_ms, e);
	if (code != ERR_OK)
		return code;
	key = overlay_key_of(backend, s->desired);
	r = find_record(o, &key);
	if (r == NULL)
		r = new_record(o, &key, server);
	if (r == NULL && o->n_records >= RECORDS_MAX)
		return err_set(e, ERR_LIMIT, "too many servers are ejected");
	if (r == NULL)
		return err_set(e, ERR_NOMEM, "%s", err_text(ERR_NOMEM));
	o->counts.ejected[OUTLIER_OPERATOR]++;
	r->e.cause = OUTLIER_OPERATOR;
	r->e.is_observed = false;
	(void)snprintf(r->e.because, sizeof(r->e.because), "an operator asked for it");
	activate(r, (struct moment){ .mono_ms = mono_ms, .wall_ms = wall_ms }, for_ms);
	buf_printf(said, STR_FMT "/" STR_FMT " is ejected: no new call, until it is put back%s", STR_ARG(backend),
	    STR_ARG(server), for_ms > 0 ? " or its time is over" : "");
	renew_list(o);
	return ERR_OK;
}

void
outlier_uneject(struct outlier *o, struct str backend, struct str server, int64_t mono_ms, struct buf *said)
{
	for (size_t i = 0; i < o->n_records; i++) {
		struct record *r = &o->records[i];

		if (!r->is_active || !str_eq(r->e.key.backend, backend) || !str_eq(r->e.server, server))
			continue;
		put_back(o, r, mono_ms, NULL);
		r->e.times = 0;
		buf_printf(said, STR_FMT "/" STR_FMT " is put back", STR_ARG(backend), STR_ARG(server));
		renew_list(o);
		return;
	}
	buf_printf(said, STR_FMT "/" STR_FMT " was not ejected", STR_ARG(backend), STR_ARG(server));
}

/* ---- the file ---- */

#define FILE_KEY     "rollcall_outlier"
#define FILE_VERSION 1

static void
write_record(const struct outlier_ejection *x, struct buf *out)
{
	buf_printf(out, "{\"times\":%u", x->times);
	plan_json_put_text(out, PLAN_JSON_KEY("backend"), x->key.backend);
	plan_json_put_text(out, PLAN_JSON_KEY("server"), x->server);
	plan_json_put_text(out, PLAN_JSON_KEY("task"), x->key.task_arn);
	plan_json_put_text(out, PLAN_JSON_KEY("container"), x->key.container);
	plan_json_put_int(out, PLAN_JSON_KEY("port"), x->key.port);
	plan_json_put_text(out, PLAN_JSON_KEY("cause"), str_from_cstr(cause_names[x->cause]));
	plan_json_put_int(out, PLAN_JSON_KEY("since_ms"), x->since_wall_ms);
	plan_json_put_int(out, PLAN_JSON_KEY("until_ms"), x->until_wall_ms);
	buf_put(out, STR("}"));
}

enum err_code
outlier_write(const struct outlier *o, int64_t wall_ms, struct buf *out, struct err *e)
{
	bool first = true;

	buf_printf(out, "{\"" FILE_KEY "\":%d", FILE_VERSION);
	plan_json_put_int(out, PLAN_JSON_KEY("written_ms"), wall_ms);
	buf_put(out, STR(",\n\"ejections\":["));
	for (size_t i = 0; i < o->n_records; i++) {
		if (!o->records[i].is_active || o->records[i].e.is_observed)
			continue;
		buf_put(out, first ? STR("\n") : STR(",\n"));
		write_record(&o->records[i].e, out);
		first = false;
	}
	buf_put(out, STR("]}\n"));
	return buf_failed(out, e);
}

struct saved {
	struct overlay_key key;
	struct str server;
	unsigned times, cause;
	int64_t since_wall_ms, until_wall_ms;
};

static enum err_code
read_saved(const struct ecs_json *item, struct saved *s, struct err *e)
{
	int64_t times = 1;
	enum err_code code = plan_json_name(item, "backend", &s->key.backend, e);

	if (code == ERR_OK)
		code = plan_json_name(item, "server", &s->server, e);
	if (code == ERR_OK)
		code = ecs_json_word(item, "task", PLAN_JSON_ARN_MAX, &s->key.task_arn, e);
	if (code == ERR_OK)
		code = ecs_json_word(item, "container", PLAN_JSON_CONTAINER_MAX, &s->key.container, e);
	if (code == ERR_OK)
		code = plan_json_port(item, "port", &s->key.port, e);
	if (code == ERR_OK)
		code = plan_json_choice(item, "cause", cause_names, OUTLIER_N_CAUSES, &s->cause, e);
	if (code == ERR_OK)
		code = plan_json_ms(item, "since_ms", &s->since_wall_ms, e);
	if (code == ERR_OK)
		code = plan_json_ms(item, "until_ms", &s->until_wall_ms, e);
	if (code == ERR_OK)
		code = plan_json_ms(item, "times", &times, e);
	if (code == ERR_OK &&
	    (s->key.backend.len == 0 || s->key.task_arn.len == 0 || s->key.port == 0 || times > TIMES_MAX))
		return ecs_json_refuse(item, "backend", e, "not an ejection");
	s->times = code == ERR_OK ? (unsigned)times : 0;
	return code;
}

/* One that is over by now, or that there is no room for, is not resumed. */
static bool
resume(struct outlier *o, const struct saved *s, struct moment now)
{
	int64_t left_ms = s->until_wall_ms > 0 ? s->until_wall_ms - now.wall_ms : 0;
	struct record *r;

	if ((s->until_wall_ms > 0 && left_ms <= 0) || find_record(o, &s->key) != NULL)
		return false;
	r = new_record(o, &s->key, s->server);
	if (r == NULL)
		return false;
	r->e.cause = (enum outlier_cause)s->cause;
	r->e.times = s->times;
	(void)snprintf(r->e.because, sizeof(r->e.because), "as before rollcalld's restart (%s)", cause_names[s->cause]);
	activate(r, now, left_ms);
	r->e.since_wall_ms = s->since_wall_ms;
	return true;
}

static enum err_code
resume_all(struct outlier *o, const struct ecs_json *root, struct moment now, size_t *ret_n, struct err *e)
{
	struct ecs_json list, item;
	int64_t written_ms = 0;
	size_t n = 0;
	enum err_code code = plan_json_ms(root, "written_ms", &written_ms, e);

	if (code == ERR_OK)
		code = ecs_json_list(root, "ejections", RECORDS_MAX, &list, &n, e);
	for (size_t i = 0; code == ERR_OK && i < n; i++) {
		struct saved s = { .key = { .backend = STR(""), .task_arn = STR(""), .container = STR("") },
			.server = STR("") };

		code = ecs_json_item(&list, i, &item, e);
		if (code == ERR_OK)
			code = read_saved(&item, &s, e);
		if (code == ERR_OK && now.wall_ms - written_ms <= OUTLIER_RESUME_MS && now.wall_ms >= written_ms)
			*ret_n += resume(o, &s, now) ? 1 : 0;
	}
	return code;
}

enum err_code
outlier_resume(struct outlier *o, struct str text, int64_t mono_ms, int64_t wall_ms, size_t *ret_n, struct err *e)
{
	json_t *doc CLEANUP(ecs_json_drop_at) = NULL;
	enum err_code code = plan_json_load(text, OUTLIER_TEXT_MAX, FILE_KEY, FILE_VERSION, &doc, e);
	struct ecs_json root;

	*ret_n = 0;
	if (code != ERR_OK)
		return plan_json_refusal(code, e);
	root = ecs_json_root(doc);
	code = resume_all(o, &root, (struct moment){ .mono_ms = mono_ms, .wall_ms = wall_ms }, ret_n, e);
	if (code != ERR_OK) {
		while (o->n_records > 0)
			drop_record(o, o->n_records - 1);
		*ret_n = 0;
	}
	renew_list(o);
	return code == ERR_OK ? ERR_OK : plan_json_refusal(code, e);
}
