/*
 * No removal without evidence: see plan.h and design.md, section 6.  What takes calls
 * away from a server goes on with proof, by the operator's hand, or because the server
 * comes back at once with other settings.  On what is only reported servers go within
 * removal_limit, all of a backend or none; for their health as far as a share stays.
 * Neither takes the last one.
 *
 * Proof is weighed first: who is left of it decides about the rest.
 */
#include "config.h"

#include "base/arena_say.h"
#include "plan/plan.h"

static bool
is_proven(const struct plan_step *st)
{
	if (!plan_step_removes(st->kind))
		return true;
	if (st->kind == PLAN_MAINT && st->is_vacant)
		return true;
	if (st->by_operator)
		return st->why != NULL && (st->kind == PLAN_DRAIN || st->kind == PLAN_MAINT);
	if (st->is_respec)
		return st->kind != PLAN_DRAIN;
	if (st->kind == PLAN_EJECT) /* on what its calls did: may_go_now looks at who is left */
		return st->why != NULL;
	return (st->why != NULL || st->is_begun || st->is_orphan) && evidence_is_proven(st->evidence);
}

static bool
is_reported(const struct plan_step *st)
{
	return (st->why != NULL || st->is_orphan) && !st->by_operator && evidence_is_reported(st->evidence);
}

/* Out of service, and no more: it comes back. */
static bool
is_for_health(const struct plan_step *st)
{
	return st->why != NULL && !st->by_operator && st->kind == PLAN_MAINT && st->evidence == EVIDENCE_UNHEALTHY;
}

/* ---- make before break ---- */

struct tally {          /* of one backend */
	size_t up;      /* take calls now, after the removals so far */
	size_t all;     /* should serve: ejected, down and joining ones, too */
	size_t target;  /* take calls and should, or will */
	size_t coming;  /* of these: once their check has passed */
	size_t waiting; /* of these: once a slot is free */
	size_t at_most; /* to keep, whatever target asks for */
	size_t room;    /* slots that are free once who leaves has left */
	bool makes_room;
	size_t lasting; /* of up: those whose end is not proven */
	size_t steady;  /* of up: those that have their place, whatever ECS calls their health */
};

static bool
should_serve(const struct plan_server *s)
{
	return s->desired != NULL && s->desired->want == DESIRED_SERVE && s->evidence != EVIDENCE_REPLACED;
}

static bool
is_kept_out(const struct plan_server *s)
{
	return s->hold != NULL && s->hold->admin != OVERLAY_FREE;
}

static bool
is_in_service(const struct actual_server *s)
{
	return s->admin == ACTUAL_READY && s->up;
}

/* HAProxy calls a server of weight 0 up, and gives it none. */
static bool
takes_calls(const struct actual_server *s)
{
	return is_in_service(s) && s->weight > 0;
}

/* By what HAProxy does with it: a hold that sets a weight hides the state. */
static bool
is_coming(const struct plan_server *s)
{
	const struct actual_server *a = s->actual;

	if (is_in_service(a) || a->check == ACTUAL_CHECK_FAILED)
		return false;
	if (s->hold != NULL && s->hold->has_weight && s->hold->weight == 0)
		return false;
	if (s->state == PLAN_STATE_HELD)
		return a->admin != ACTUAL_READY || a->check == ACTUAL_CHECK_PENDING;
	return s->state == PLAN_STATE_JOINING;
}

static bool
is_steady(const struct plan_server *s)
{
	if (!takes_calls(s->actual) || s->desired == NULL || s->evidence == EVIDENCE_REPLACED || is_kept_out(s))
		return false;
	return s->desired->want != DESIRED_LEAVE || s->evidence == EVIDENCE_UNHEALTHY;
}

static void
count_server(struct tally *t, const struct plan_server *s, bool is_closed)
{
	bool counts = should_serve(s) && !is_kept_out(s), comes;

	/* Where nobody enters, only a server comes that is ready once its check has passed. */
	comes = counts && is_coming(s) && (!is_closed || s->actual->admin == ACTUAL_READY);
	t->all += should_serve(s) ? 1 : 0;
	t->up += takes_calls(s->actual) ? 1 : 0;
	t->lasting += takes_calls(s->actual) && !evidence_is_proven(s->evidence) ? 1 : 0;
	t->steady += is_steady(s) ? 1 : 0;
	t->coming += comes ? 1 : 0;
	t->target += comes || (counts && takes_calls(s->actual)) ? 1 : 0;
	/* One that nothing explains stays where it is. */
	if (!s->actual->is_slot || s->desired == NULL || !evidence_is_proven(s->evidence))
		return;
	t->room++;
	t->makes_room = t->makes_room || s->state == PLAN_STATE_DRAINING;
}

/* Those who wait for a slot get one only from those who leave: while no slot is on
 * its way to be free, one has to go. */
static void
count_waiting(struct tally *t, const struct plan_backend *b)
{
	t->waiting = b->is_closed ? 0 : b->n_unplaced;
	if (t->waiting > t->room)
		t->waiting = t->room; /* the others wait for more slots */
	t->target += t->waiting;
	t->at_most = t->up;
	if (t->waiting > 0 && t->coming == 0 && !t->makes_room && t->up > 0)
		t->at_most--;
}

/* Null: not a backend of this plan. */
static struct tally *
tally_of(const struct plan *p, struct tally *tallies, struct str backend)
{
	const struct plan_backend *b = plan_find(p, backend);

	return b != NULL ? &tallies[b - p->backends] : NULL;
}

static void
count_entering(const struct plan *p, struct tally *tallies)
{
	for (size_t i = 0; i < p->n_steps; i++) {
		const struct plan_step *st = &p->steps[i];
		struct tally *t = tally_of(p, tallies, st->backend);

		if (t != NULL && !st->by_operator && (st->kind == PLAN_ADDRESS || st->kind == PLAN_ADD)) {
			t->coming++;
			t->target++;
		}
	}
}

static struct tally *
count_backends(const struct plan *p)
{
	struct tally *tallies = ARENA_ARRAY(p->arena, struct tally, p->n_backends);

	if (tallies == NULL)
		return NULL;
	for (size_t i = 0; i < p->n_backends; i++)
		for (size_t j = 0; j < p->backends[i].n_servers; j++)
			count_server(&tallies[i], &p->backends[i].servers[j], p->backends[i].is_closed);
	count_entering(p, tallies); /* they hold no address yet */
	for (size_t i = 0; i < p->n_backends; i++)
		count_waiting(&tallies[i], &p->backends[i]);
	return tallies;
}

static size_t
least_to_keep(const struct plan *p, struct str backend, const struct tally *t)
{
	size_t share = (t->target * plan_find(p, backend)->keep_percent + 99) / 100;

	if (share == 0)
		share = 1;
	return share < t->at_most ? share : t->at_most;
}

/* Whatever ejections ask for: the panic threshold, of all that should serve. */
static size_t
least_available(const struct plan *p, struct str backend, const struct tally *t)
{
	size_t share = (t->all * plan_find(p, backend)->keep_percent + 99) / 100;

	return share > 0 ? share : 1;
}

/* What a server that still takes calls may wait for: others that join; one that would
 * come back, always for another that serves.  Not a task that is gone, nor the hand
 * of an operator. */
static bool
must_wait(const struct plan *p, const struct plan_step *st, const struct tally *t)
{
	if (st->kind == PLAN_EJECT)
		return t->up <= least_available(p, st->backend, t);
	if (st->is_respec)
		return t->up <= 1;
	if (st->by_operator || st->is_overdue || t->coming + t->waiting == 0)
		return false;
	if (st->evidence != EVIDENCE_STOPPING && st->evidence != EVIDENCE_REPLACED)
		return false;
	return t->up <= least_to_keep(p, st->backend, t);
}

/* ---- what is only reported ---- */

static const struct overlay_leave *
leave_of(const struct plan_rules *rules, struct str backend, const struct actual_server *a)
{
	return overlay_find_leave(rules->overlay, backend, a->name, a->address, a->port);
}

static bool
is_released(const struct plan_rules *rules, struct str backend, const struct actual_server *a)
{
	const struct overlay_leave *l = leave_of(rules, backend, a);

	return l != NULL && l->is_released;
}

static bool
is_reported_against(const struct plan_server *s)
{
	if (!evidence_is_reported(s->evidence) || is_kept_out(s))
		return false;
	return s->is_orphan || (s->desired != NULL && s->desired->want == DESIRED_LEAVE);
}

/* In service, as far as we are concerned; not one that joins, nor one that leaves on proof. */
static bool
counts_for_limit(const struct plan_rules *rules, const struct plan_server *s)
{
	return s->actual->admin == ACTUAL_READY && s->state != PLAN_STATE_JOINING && !evidence_is_proven(s->evidence) &&
	       !is_released(rules, s->backend, s->actual);
}

/* Who left so within the window, and has not come back. */
static size_t
count_left(const struct plan_rules *rules, const struct plan_backend *b)
{
	size_t n = 0, n_back = 0;

	for (size_t i = 0; i < overlay_count_leaves(rules->overlay); i++) {
		const struct overlay_leave *l = overlay_leave_at(rules->overlay, i);

		n += !l->is_released && str_eq(l->backend, b->name) ? 1 : 0;
	}
	for (size_t i = 0; n > 0 && i < b->n_servers; i++) {
		const struct actual_server *a = b->servers[i].actual;
		const struct overlay_leave *l = a->admin == ACTUAL_READY ? leave_of(rules, b->name, a) : NULL;

		n_back += l != NULL && !l->is_released ? 1 : 0;
	}
	return n - n_back;
}

static void
judge_limit(const struct plan_rules *rules, struct plan_backend *b)
{
	size_t n_left = count_left(rules, b), n_now = 0;

	b->n_counted = n_left;
	for (size_t i = 0; i < b->n_servers; i++) {
		if (!counts_for_limit(rules, &b->servers[i]))
			continue;
		b->n_counted++;
		n_now += is_reported_against(&b->servers[i]) ? 1 : 0;
	}
	/* That nobody asks for the backend is said against all that are in it, read or not. */
	if (b->is_retired && n_now > 0)
		n_now = b->n_counted - n_left;
	b->n_reported = n_left + n_now;
	b->is_frozen = n_now > 0 && b->n_reported * 100 > b->n_counted * b->removal_limit;
}

/* An operator let it go, and it runs on, or is in a backend that nobody asks for: nothing else will ever
 * take it away. */
static bool
may_be_last(const struct plan_rules *rules, const struct plan *p, const struct plan_step *st)
{
	const struct plan_backend *b = plan_find(p, st->backend);

	return st->kind == PLAN_MAINT && st->actual != NULL && is_reported(st) &&
	       (st->evidence == EVIDENCE_UNEXPOSED || (b != NULL && b->is_retired)) &&
	       is_released(rules, st->backend, st->actual);
}

enum hold_back { MAY_GO, NO_EVIDENCE, OVER_LIMIT, THE_LAST, TOO_FEW };

/* The last is kept even where HAProxy's checks say that it is down: they may be wrong.  One
 * that is about to end, and only waits, is no other. */
static enum hold_back
judge_reported(const struct plan_rules *rules, const struct plan *p, const struct plan_step *st, const struct tally *t)
{
	const struct plan_backend *b = plan_find(p, st->backend);
	const struct actual_server *a = st->actual;
	const size_t others = t->lasting - (st->takes_calls && t->lasting > 0 ? 1 : 0);

	if (a == NULL || st->kind == PLAN_DRAIN)
		return NO_EVIDENCE;
	if (st->kind == PLAN_DELETE) /* in maintenance and without streams: nothing is lost */
		return MAY_GO;
	if (st->kind == PLAN_SHUTDOWN)
		return b->is_frozen && leave_of(rules, b->name, a) == NULL ? OVER_LIMIT : MAY_GO;
	if (b->is_frozen && !is_released(rules, b->name, a))
		return OVER_LIMIT;
	return others > 0 || may_be_last(rules, p, st) ? MAY_GO : THE_LAST;
}

static enum hold_back
judge_health(const struct plan_backend *b, const struct plan_step *st, const struct tally *t)
{
	const size_t stay = t->steady - (st->takes_calls && t->steady > 0 ? 1 : 0);

	if (stay > 0 && stay >= b->n_needed)
		return MAY_GO;
	return stay == 0 ? THE_LAST : TOO_FEW;
}

static enum hold_back
judge_soft(const struct plan_rules *rules, const struct plan *p, const struct plan_step *st, const struct tally *t)
{
	const struct plan_backend *b = plan_find(p, st->backend);

	if (b == NULL || t == NULL)
		return NO_EVIDENCE;
	if (is_for_health(st))
		return judge_health(b, st, t);
	return is_reported(st) ? judge_reported(rules, p, st, t) : NO_EVIDENCE;
}

static void
count_gone(struct tally *t, const struct plan_step *st)
{
	bool was_steady = st->is_respec || st->kind == PLAN_EJECT || is_for_health(st); /* others leave, or are held */

	if (t == NULL || !st->takes_calls)
		return;
	t->up -= t->up > 0 ? 1 : 0;
	t->lasting -= !evidence_is_proven(st->evidence) && t->lasting > 0 ? 1 : 0;
	t->steady -= was_steady && t->steady > 0 ? 1 : 0;
}

/* ---- what is held ---- */

static const char *
what_is_known(const struct plan_step *st)
{
	if (st->kind == PLAN_EJECT)
		return "is an outlier; not ejected, as too few others take calls (panic_threshold)";
	switch (st->evidence) {
	case EVIDENCE_MISSING:
		return st->is_orphan && st->task == NULL ? "of no known task" : "is called MISSING by AWS";
	case EVIDENCE_UNHEALTHY:
		return "is called UNHEALTHY by ECS";
	case EVIDENCE_UNEXPOSED:
		return "is not exposed any more";
	case EVIDENCE_STOPPING:
		return "is stopping; kept in service until a task that joins has passed its check";
	case EVIDENCE_REPLACED:
		return "has a server that another one replaces; kept in service until that has passed its check";
	case EVIDENCE_NONE:
	case EVIDENCE_RUNNING:
	case EVIDENCE_STOPPED:
		break;
	}
	return "may still run; kept";
}

static bool
say_soft(struct arena *a, const struct plan *p, const struct plan_step *st, enum hold_back why, struct str whom,
    struct str *ret)
{
	const struct plan_backend *b = plan_find(p, st->backend);
	const char *what = what_is_known(st);

	switch (why) {
	case OVER_LIMIT:
		return arena_say(a, ret,
		    STR_FMT " %s; held: removal_limit: %zu of %zu servers are reported so within 10 minutes, more than "
			    "%u %%: the backend is frozen until there is proof, or `rollcall release " STR_FMT "`",
		    STR_ARG(whom), what, b->n_reported, b->n_counted, b->removal_limit, STR_ARG(b->name));
	case THE_LAST:
		return arena_say(a, ret,
		    STR_FMT " %s; held: never the last: no other server of the backend takes calls", STR_ARG(whom),
		    what);
	case TOO_FEW:
		return arena_say(a, ret,
		    STR_FMT " %s; held: panic_threshold: at least %u %% of the backend stays in service, HAProxy's own "
			    "checks decide",
		    STR_ARG(whom), what, b->keep_percent);
	case MAY_GO:
	case NO_EVIDENCE:
		break;
	}
	return arena_say(a, ret, STR_FMT " %s", STR_ARG(whom), what);
}

static bool
hold(const struct plan *p, const struct plan_step *st, enum hold_back why, struct plan_held *ret)
{
	const struct roster_task *t = st->why != NULL ? st->why->task : st->task;
	struct str whom = STR("the server");

	*ret = (struct plan_held){ .backend = st->backend, .server = st->server, .evidence = st->evidence };
	if (t != NULL || !st->is_orphan) {
		struct str id = t != NULL ? t->id : STR("unknown");

		if (!arena_say(p->arena, &whom, "task " STR_FMT, STR_ARG(id)))
			return false;
	}
	if (st->is_respec)
		return arena_say(p->arena, &ret->message,
		    STR_FMT " has other settings now; kept as it is until another one serves", STR_ARG(whom));
	return say_soft(p->arena, p, st, why, whom, &ret->message);
}

/* ---- all of it ---- */

/* Counts a removal that goes on: the next one finds one fewer. */
static bool
may_go_now(const struct plan *p, const struct plan_step *st, struct tally *tallies)
{
	struct tally *t = tally_of(p, tallies, st->backend);

	if (t == NULL || !st->takes_calls)
		return true;
	if (must_wait(p, st, t))
		return false;
	count_gone(t, st);
	return true;
}

/* In this order: each finds those gone that go before it, whatever it is. */
enum turn { OF_PROOF, OF_RELEASED, OF_THE_REST, N_TURNS };

static enum turn
turn_of(const struct plan_rules *rules, const struct plan *p, const struct plan_step *st)
{
	if (is_proven(st))
		return OF_PROOF;
	return may_be_last(rules, p, st) ? OF_RELEASED : OF_THE_REST;
}

static void
judge_step(const struct plan_rules *rules, const struct plan *p, const struct plan_step *st, struct tally *tallies,
    enum hold_back *ret)
{
	struct tally *t = tally_of(p, tallies, st->backend);

	if (is_proven(st)) {
		*ret = may_go_now(p, st, tallies) ? MAY_GO : NO_EVIDENCE;
		return;
	}
	*ret = judge_soft(rules, p, st, t);
	if (*ret == MAY_GO)
		count_gone(t, st);
}

static void
judge(const struct plan_rules *rules, const struct plan *p, struct tally *tallies, enum hold_back *ret)
{
	for (enum turn turn = OF_PROOF; turn < N_TURNS; turn++)
		for (size_t i = 0; i < p->n_steps; i++)
			if (turn_of(rules, p, &p->steps[i]) == turn)
				judge_step(rules, p, &p->steps[i], tallies, &ret[i]);
}

/* Parts the steps, in place as far as those that go on are concerned. */
static bool
part(struct plan *p, const enum hold_back *verdicts, struct plan_step *steps, struct plan_held *held)
{
	size_t n_steps = 0, n_held = p->n_held;

	for (size_t i = 0; i < p->n_steps; i++) {
		const struct plan_step *st = &p->steps[i];

		if (verdicts[i] == MAY_GO)
			steps[n_steps++] = *st;
		else if (!hold(p, st, verdicts[i], &held[n_held++]))
			return false;
	}
	p->steps = steps;
	p->n_steps = n_steps;
	p->held = held;
	p->n_held = n_held;
	return true;
}

/* With the limit of each judged. */
static struct plan_backend *
judge_backends(const struct plan_rules *rules, const struct plan *p)
{
	struct plan_backend *backends = ARENA_ARRAY(p->arena, struct plan_backend, p->n_backends);

	for (size_t i = 0; backends != NULL && i < p->n_backends; i++) {
		backends[i] = p->backends[i];
		judge_limit(rules, &backends[i]);
	}
	return backends;
}

enum err_code
plan_guard(const struct plan_rules *rules, struct plan *p, struct err *e)
{
	struct plan_step *steps = ARENA_ARRAY(p->arena, struct plan_step, p->n_steps);
	struct plan_held *held = ARENA_ARRAY(p->arena, struct plan_held, p->n_held + p->n_steps);
	enum hold_back *verdicts = ARENA_ARRAY(p->arena, enum hold_back, p->n_steps);
	const struct plan_backend *asked = p->backends;
	struct plan_backend *backends = judge_backends(rules, p);
	struct tally *tallies = count_backends(p);

	if (steps == NULL || held == NULL || verdicts == NULL || tallies == NULL || backends == NULL)
		return err_set(e, ERR_NOMEM, "guard a plan: %s", err_text(ERR_NOMEM));
	if (p->n_held > 0)
		memcpy(held, p->held, p->n_held * sizeof(*held));
	p->backends = backends;
	judge(rules, p, tallies, verdicts);
	if (part(p, verdicts, steps, held))
		return ERR_OK;
	p->backends = asked;
	return err_set(e, ERR_NOMEM, "guard a plan: %s", err_text(ERR_NOMEM));
}
