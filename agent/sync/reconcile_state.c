/* What the reconciler remembers: see reconcile_state.h. */
#include "config.h"

#include "sync/reconcile_state.h"

#include <stdlib.h>

enum err_code
reconcile_state_init(struct reconcile_state *s, const struct reconcile_config *config, struct err *e)
{
	enum err_code code = ERR_OK;

	*s = (struct reconcile_state){ .next_end_wall_ms = INT64_MAX, .planned_is_old = true };
	if (config->overlay == NULL)
		code = overlay_new(&s->overlay, e);
	if (code != ERR_OK)
		return code;
	if (config->overlay != NULL)
		s->overlay = config->overlay;
	s->applied = s->written = config->applied;
	s->written_wall_ms = config->applied != NULL ? config->applied->seen_wall_ms : 0;
	return ERR_OK;
}

void
reconcile_state_free(struct reconcile_state *s)
{
	if (s->written != s->applied && s->written != s->former)
		applied_free(s->written);
	applied_free(s->applied);
	applied_free(s->former);
	overlay_free(s->overlay);
	overlay_free(s->planned);
}

/* ---- what was applied ---- */

static void
drop(struct reconcile_state *s, struct applied *a)
{
	if (a != s->applied && a != s->former && a != s->written)
		applied_free(a);
}

static void
set_applied(struct reconcile_state *s, struct applied *fresh)
{
	struct applied *old = s->applied;

	s->applied = fresh;
	drop(s, old);
}

static void
meet_process(struct reconcile_state *s, const struct actual *actual)
{
	struct applied *old = s->former;

	if (s->applied == NULL || applied_is_of(s->applied, actual))
		return;
	s->former = MOVE(s->applied);
	drop(s, old);
}

enum err_code
reconcile_state_observe(struct reconcile_state *s, const struct actual *actual, int64_t now_wall_ms,
    struct applied_findings *ret, struct err *e)
{
	struct applied *fresh = NULL;
	enum err_code code;

	*ret = (struct applied_findings){ .n = 0 };
	meet_process(s, actual);
	if (s->applied == NULL)
		return ERR_OK;
	code = applied_observe(s->applied, actual, now_wall_ms, &fresh, ret, e);
	if (code == ERR_OK)
		set_applied(s, fresh);
	return code;
}

enum err_code
reconcile_state_expect(
    struct reconcile_state *s, const struct actual *actual, const struct plan *p, int64_t now_wall_ms, struct err *e)
{
	const struct applied *former = applied_is_trusted(s->former, now_wall_ms) ? s->former : NULL;
	struct applied *fresh = NULL;
	enum err_code code = applied_expect(s->applied, former, actual, p, now_wall_ms, &fresh, e);

	if (code == ERR_OK)
		set_applied(s, fresh);
	return code;
}

/* On the clock of this run. */
static int64_t
then_ms(int64_t then_wall_ms, int64_t now_wall_ms, int64_t now_ms)
{
	return now_wall_ms > then_wall_ms ? now_ms - (now_wall_ms - then_wall_ms) : now_ms;
}

/* What was applied is replaced before the plan is made: the texts are copied. */
static bool
copy_place(struct arena *a, const struct applied_server *server, struct plan_memory_entry *ret)
{
	return arena_str(a, server->backend, &ret->backend) && arena_str(a, server->server, &ret->server) &&
	       arena_str(a, server->address, &ret->address);
}

struct plan_memory
reconcile_state_drains(const struct reconcile_state *s, struct arena *a, int64_t now_wall_ms, int64_t now_ms)
{
	const size_t n = s->applied != NULL ? s->applied->n_servers : 0;
	struct plan_memory_entry *entries = ARENA_ARRAY(a, struct plan_memory_entry, n);
	struct plan_memory memory = { .entries = entries };

	for (size_t i = 0; entries != NULL && i < n; i++) {
		const struct applied_server *server = &s->applied->servers[i];
		bool drains = server->drain_since_wall_ms != 0;
		int64_t since_wall_ms = drains ? server->drain_since_wall_ms : server->wait_since_wall_ms;
		struct plan_memory_entry entry = { .port = server->port, .is_serving = !drains };

		if (since_wall_ms == 0 || !copy_place(a, server, &entry))
			continue;
		entry.drain_since_ms = then_ms(since_wall_ms, now_wall_ms, now_ms);
		entries[memory.n++] = entry;
	}
	return memory;
}

/* ---- the operator's hand ---- */

static void
overlay_changed(struct reconcile_state *s)
{
	s->overlay_is_new = true;
	s->planned_is_old = true;
}

static enum err_code
respect_admin(struct reconcile_state *s, const struct applied_finding *f, int64_t now_wall_ms, struct err *e)
{
	enum overlay_admin admin = OVERLAY_FREE;

	switch (f->admin) {
	case ACTUAL_READY:
		break;
	case ACTUAL_DRAIN:
		admin = OVERLAY_DRAIN;
		break;
	case ACTUAL_MAINT:
		admin = OVERLAY_MAINT;
		break;
	}
	return overlay_set_admin(s->overlay, &f->key, admin, OVERLAY_BY_HAPROXY, now_wall_ms, 0, e);
}

static void
say_finding(const struct applied_finding *f, struct buf *said)
{
	bool is_held = (f->has_admin && f->admin != ACTUAL_READY) || (f->has_weight && !f->weight_is_auto);

	buf_printf(said, STR_FMT "/" STR_FMT ", task " STR_FMT ":", STR_ARG(f->key.backend), STR_ARG(f->server),
	    STR_ARG(str_after_last(f->key.task_arn, '/')));
	if (f->has_admin)
		buf_printf(said, " state %s%s", actual_admin_name(f->admin), f->has_weight ? " and" : "");
	if (f->has_weight)
		buf_printf(said, " weight %u", f->weight);
	buf_put(said, STR(" was set on HAProxy's socket; "));
	if (is_held)
		buf_printf(said, "this is respected until `rollcall ready " STR_FMT "/" STR_FMT "`",
		    STR_ARG(f->key.backend), STR_ARG(f->server));
	else
		buf_put(said, STR("it is rollcall's again"));
}

enum err_code
reconcile_state_respect(
    struct reconcile_state *s, const struct applied_finding *f, int64_t now_wall_ms, struct buf *said, struct err *e)
{
	enum err_code code = ERR_OK;

	if (f->has_admin)
		code = respect_admin(s, f, now_wall_ms, e);
	if (code == ERR_OK && f->has_weight && f->weight_is_auto)
		overlay_clear_weight(s->overlay, &f->key);
	else if (code == ERR_OK && f->has_weight)
		code = overlay_set_weight(s->overlay, &f->key, f->weight, OVERLAY_BY_HAPROXY, now_wall_ms, 0, e);
	overlay_changed(s);
	say_finding(f, said);
	return code;
}

static enum err_code
renew_planned(struct reconcile_state *s, struct err *e)
{
	struct overlay *copy = NULL;
	enum err_code code;

	if (!s->planned_is_old)
		return ERR_OK;
	code = overlay_copy(s->overlay, &copy, e);
	if (code != ERR_OK)
		return code;
	overlay_free(s->planned);
	s->planned = copy;
	s->planned_is_old = false;
	return ERR_OK;
}

enum err_code
reconcile_state_rules(struct reconcile_state *s, const struct roster *roster, int64_t now_wall_ms,
    struct plan_rules *rules, struct err *e)
{
	enum err_code code;

	if (overlay_prune(s->overlay, roster, now_wall_ms, &s->next_end_wall_ms))
		overlay_changed(s);
	code = renew_planned(s, e);
	rules->applied = s->applied;
	rules->former = applied_is_trusted(s->former, now_wall_ms) ? s->former : NULL;
	rules->overlay = s->planned;
	return code;
}

/* ---- who leaves without proof ---- */

static struct overlay_leave
leave_of(struct str backend, const struct actual_server *a)
{
	return (struct overlay_leave){
		.backend = backend,
		.server = a->name,
		.address = a->address,
		.port = a->port,
	};
}

enum err_code
reconcile_state_note_leaves(struct reconcile_state *s, const struct plan *p, int64_t now_wall_ms, struct err *e)
{
	enum err_code code = ERR_OK;

	for (size_t i = 0; i < p->n_steps && code == ERR_OK; i++) {
		const struct plan_step *st = &p->steps[i];
		struct overlay_leave leave;

		if (st->kind != PLAN_MAINT || st->actual == NULL || !evidence_is_reported(st->evidence))
			continue;
		leave = leave_of(st->backend, st->actual);
		code = overlay_note_leave(s->overlay, &leave, now_wall_ms, e);
		overlay_changed(s);
	}
	return code;
}

/* ---- the files ---- */

static bool
applied_is_due(const struct reconcile_state *s, int64_t now_wall_ms)
{
	if (s->applied == NULL)
		return false;
	return s->applied_is_unsaved || now_wall_ms - s->written_wall_ms >= APPLIED_SEEN_EVERY_MS ||
	       now_wall_ms < s->written_wall_ms || applied_differs(s->applied, s->written);
}

static void
save_applied(struct reconcile_state *s, int64_t now_wall_ms, struct reconcile_actions *out)
{
	struct applied *old = s->written;

	out->save_applied = s->applied;
	s->written = s->applied;
	s->written_wall_ms = now_wall_ms;
	s->applied_is_unsaved = false;
	drop(s, old);
}

void
reconcile_state_save(struct reconcile_state *s, bool is_pass, int64_t now_wall_ms, struct reconcile_actions *out)
{
	if (is_pass && applied_is_due(s, now_wall_ms))
		save_applied(s, now_wall_ms, out);
	if (!s->overlay_is_new && !(is_pass && s->overlay_is_unsaved))
		return;
	out->save_overlay = s->overlay;
	s->overlay_is_new = s->overlay_is_unsaved = false;
}

/* ---- orders ---- */

struct order {
	const struct reconcile_order *o;
	struct overlay_key key;
	int64_t now_wall_ms, until_wall_ms;
};

static enum err_code
refuse_server(const struct actual *actual, const struct reconcile_order *o, struct err *e)
{
	const struct actual_backend *b = actual != NULL ? actual_find(actual, o->backend) : NULL;

	for (size_t i = 0; b != NULL && i < b->n_servers; i++) {
		if (!str_eq(b->servers[i].name, o->server))
			continue;
		if (!b->servers[i].is_ours)
			return err_set(e, ERR_REFUSED,
			    "server " STR_FMT "/" STR_FMT " is not rollcall's: use HAProxy's own socket",
			    STR_ARG(o->backend), STR_ARG(o->server));
		return err_set(e, ERR_REFUSED, "server " STR_FMT "/" STR_FMT " has no task: there is nothing to hold",
		    STR_ARG(o->backend), STR_ARG(o->server));
	}
	return err_set(e, ERR_ARG, "no such server in that backend; `rollcall servers` lists them");
}

static enum err_code
find_key(const struct actual *actual, const struct plan *plan, const struct reconcile_order *o, struct overlay_key *ret,
    struct err *e)
{
	const struct plan_backend *b = plan != NULL ? plan_find(plan, o->backend) : NULL;

	if (plan == NULL)
		return err_set(e, ERR_REFUSED, "what HAProxy holds is not known yet: try again in a moment");
	if (b == NULL)
		return err_set(e, ERR_ARG, "no such backend; `rollcall backends` lists them");
	for (size_t i = 0; i < b->n_servers; i++) {
		const struct plan_server *v = &b->servers[i];

		if (!str_eq(v->actual->name, o->server))
			continue;
		if (v->desired == NULL)
			return err_set(e, ERR_REFUSED,
			    "no task known explains server " STR_FMT "/" STR_FMT ": holds are kept by task",
			    STR_ARG(o->backend), STR_ARG(o->server));
		*ret = overlay_key_of(b->name, v->desired);
		return ERR_OK;
	}
	return refuse_server(actual, o, e);
}

static void
say_server(const struct order *x, const char *what, struct buf *said)
{
	buf_printf(said, STR_FMT "/" STR_FMT " (task " STR_FMT ") %s", STR_ARG(x->o->backend), STR_ARG(x->o->server),
	    STR_ARG(str_after_last(x->key.task_arn, '/')), what);
}

static void
say_hold(struct reconcile_state *s, const struct order *x, struct buf *said)
{
	const struct overlay_hold *h = overlay_find(s->overlay, &x->key);

	say_server(x, h != NULL ? "is held: " : "is not held", said);
	if (h != NULL)
		overlay_say(h, said);
}

static enum err_code
weigh(struct reconcile_state *s, const struct order *x, struct buf *said, struct err *e)
{
	enum err_code code = ERR_OK;

	if (x->o->weight_is_auto)
		overlay_clear_weight(s->overlay, &x->key);
	else
		code = overlay_set_weight(
		    s->overlay, &x->key, x->o->weight, OVERLAY_BY_ROLLCALL, x->now_wall_ms, x->until_wall_ms, e);
	if (code == ERR_OK && x->o->weight_is_auto)
		say_server(x, "has the weight that rollcall gives it", said);
	else if (code == ERR_OK)
		say_hold(s, x, said);
	return code;
}

static enum err_code
pause_backend(struct reconcile_state *s, const struct order *x, struct buf *said, struct err *e)
{
	enum err_code code = overlay_pause(s->overlay, x->o->backend, x->now_wall_ms, x->until_wall_ms, e);

	if (code != ERR_OK)
		return code;
	if (x->o->backend.len == 0)
		buf_put(said, STR("all backends are"));
	else
		buf_printf(said, "backend " STR_FMT " is", STR_ARG(x->o->backend));
	buf_put(said, STR(" paused: only what is proven to end is touched"));
	return ERR_OK;
}

static enum err_code
resume_backend(struct reconcile_state *s, const struct order *x, struct buf *said)
{
	bool was_paused = overlay_resume(s->overlay, x->o->backend);

	if (x->o->backend.len == 0)
		buf_put(said, was_paused ? STR("all backends go on") : STR("nothing was paused"));
	else if (overlay_find_pause(s->overlay, x->o->backend) != NULL)
		buf_put(said, STR("all backends are paused still: resume all of them"));
	else
		buf_printf(
		    said, "backend " STR_FMT " %s", STR_ARG(x->o->backend), was_paused ? "goes on" : "was not paused");
	return ERR_OK;
}

/* Those that are in service: the others have left. */
static bool
may_be_released(const struct plan_server *v, bool only_unexposed)
{
	bool leaves = v->is_orphan || (v->desired != NULL && v->desired->want == DESIRED_LEAVE);

	return leaves && v->actual->admin != ACTUAL_MAINT &&
	       (only_unexposed ? v->evidence == EVIDENCE_UNEXPOSED : evidence_is_reported(v->evidence));
}

static enum err_code
release(struct reconcile_state *s, const struct plan *plan, const struct order *x, struct buf *said, struct err *e)
{
	const struct plan_backend *b = plan != NULL ? plan_find(plan, x->o->backend) : NULL;
	enum err_code code = ERR_OK;
	size_t n = 0;

	if (plan == NULL)
		return err_set(e, ERR_REFUSED, "what HAProxy holds is not known yet: try again in a moment");
	for (size_t i = 0; b != NULL && i < b->n_servers && code == ERR_OK; i++) {
		struct overlay_leave leave = leave_of(b->name, b->servers[i].actual);

		if (!may_be_released(&b->servers[i], x->o->only_unexposed))
			continue;
		code = overlay_release(s->overlay, &leave, x->now_wall_ms, e);
		n++;
	}
	if (code != ERR_OK)
		return code;
	if (n == 0)
		buf_printf(said, "backend " STR_FMT " holds nothing back", STR_ARG(x->o->backend));
	else
		buf_printf(said,
		    "backend " STR_FMT " is released: %zu server%s %s may go, for 10 minutes "
		    "from now; others that are reported later may not",
		    STR_ARG(x->o->backend), n, n == 1 ? "" : "s",
		    x->o->only_unexposed ? "not exposed any more" : "reported missing or not exposed");
	return ERR_OK;
}

static enum err_code
carry_out(struct reconcile_state *s, const struct plan *plan, const struct order *x, struct buf *said, struct err *e)
{
	enum err_code code = ERR_OK;

	switch (x->o->kind) {
	case RECONCILE_DRAIN_SERVER:
		code = overlay_set_admin(
		    s->overlay, &x->key, OVERLAY_DRAIN, OVERLAY_BY_ROLLCALL, x->now_wall_ms, x->until_wall_ms, e);
		if (code == ERR_OK)
			say_hold(s, x, said);
		return code;
	case RECONCILE_READY_SERVER:
		say_server(x, overlay_find(s->overlay, &x->key) != NULL ? "is held no more" : "was not held", said);
		overlay_clear(s->overlay, &x->key);
		return ERR_OK;
	case RECONCILE_WEIGH_SERVER:
		return weigh(s, x, said, e);
	case RECONCILE_PAUSE_BACKEND:
		return pause_backend(s, x, said, e);
	case RECONCILE_RESUME_BACKEND:
		return resume_backend(s, x, said);
	case RECONCILE_RELEASE_BACKEND:
		return release(s, plan, x, said, e);
	case RECONCILE_EJECT_SERVER:
	case RECONCILE_UNEJECT_SERVER:
		return err_set(e, ERR_ARG, "not an order of this kind");
	}
	return code;
}

static bool
is_about_a_server(enum reconcile_order_kind k)
{
	return k == RECONCILE_DRAIN_SERVER || k == RECONCILE_READY_SERVER || k == RECONCILE_WEIGH_SERVER;
}

static bool
has_backend(const struct conf *conf, const struct plan *plan, struct str name)
{
	return name.len == 0 || conf_backend_by_name(conf, name) != NULL ||
	       (plan != NULL && plan_find(plan, name) != NULL);
}

static enum err_code
check_order(const struct conf *conf, const struct plan *plan, const struct reconcile_order *o, struct err *e)
{
	if (!conf->haproxy.apply)
		return err_set(e, ERR_REFUSED, "haproxy.apply is false: rollcall only watches, and changes nothing");
	if (o->for_ms < 0)
		return err_set(e, ERR_ARG, "a duration below zero");
	if (!is_about_a_server(o->kind) && !has_backend(conf, plan, o->backend))
		return err_set(e, ERR_ARG, "no such backend; `rollcall backends` lists them");
	return ERR_OK;
}

enum err_code
reconcile_state_order(struct reconcile_state *s, const struct conf *conf, const struct actual *actual,
    const struct plan *plan, const struct reconcile_order *o, int64_t now_wall_ms, struct buf *ret_said, struct err *e)
{
	struct order x = { .o = o, .now_wall_ms = now_wall_ms };
	enum err_code code = check_order(conf, plan, o, e);

	if (code == ERR_OK && o->for_ms > 0)
		x.until_wall_ms =
		    o->for_ms > RECONCILE_FOR_MAX_MS ? now_wall_ms + RECONCILE_FOR_MAX_MS : now_wall_ms + o->for_ms;
	if (code == ERR_OK && is_about_a_server(o->kind))
		code = find_key(actual, plan, o, &x.key, e);
	if (code == ERR_OK)
		code = carry_out(s, plan, &x, ret_said, e);
	if (code == ERR_OK)
		overlay_changed(s);
	return code;
}
