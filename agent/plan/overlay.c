/*
 * The operator's hand: see overlay.h.
 *
 * Holds and pauses are few, and are found by key: two sorted lists of items that own
 * their texts.
 */
#include "config.h"

#include "plan/overlay.h"

#include <stdlib.h>

#include "base/rfc3339.h"
#include "ecs/arn.h"
#include "plan/desired_verdict.h"
#include "plan/plan_address.h"
#include "plan/plan_json.h"

#define SWEEPS_TO_BELIEVE 2 /* complete ones, before a task that they do not show is taken for gone */
#define FIRST_CAP         ((size_t)16)

struct hold {
	struct overlay_hold value; /* its texts stand behind it */
	char texts[];
};

struct pause {
	struct overlay_pause value;
	char texts[];
};

struct leave {
	struct overlay_leave value;
	char texts[];
};

struct overlay {
	struct hold **holds; /* sorted by key */
	size_t n_holds, cap_holds;
	struct pause **pauses; /* by backend: that of all comes first */
	size_t n_pauses, cap_pauses;
	struct leave **leaves; /* sorted by backend, server, address, port */
	size_t n_leaves, cap_leaves;
};

/* ---- the value ---- */

enum err_code
overlay_new(struct overlay **ret, struct err *e)
{
	struct overlay *o = calloc(1, sizeof(*o));

	if (o == NULL)
		return err_set(e, ERR_NOMEM, "holds: %s", err_text(ERR_NOMEM));
	*ret = o;
	return ERR_OK;
}

void
overlay_free(struct overlay *o)
{
	if (o == NULL)
		return;
	for (size_t i = 0; i < o->n_holds; i++)
		free(o->holds[i]);
	for (size_t i = 0; i < o->n_pauses; i++)
		free(o->pauses[i]);
	for (size_t i = 0; i < o->n_leaves; i++)
		free(o->leaves[i]);
	free(o->holds);
	free(o->pauses);
	free(o->leaves);
	free(o);
}

bool
overlay_key_eq(const struct overlay_key *a, const struct overlay_key *b)
{
	return a->port == b->port && str_eq(a->backend, b->backend) && str_eq(a->task_arn, b->task_arn) &&
	       str_eq(a->container, b->container);
}

struct overlay_key
overlay_key_of(struct str backend, const struct desired_server *d)
{
	return (struct overlay_key){
		.backend = backend,
		.task_arn = d->task->arn,
		.container = d->container,
		.port = d->port,
	};
}

static int
key_cmp(const struct overlay_key *a, const struct overlay_key *b)
{
	int order = str_cmp(a->backend, b->backend);

	if (order == 0)
		order = str_cmp(a->task_arn, b->task_arn);
	if (order == 0)
		order = str_cmp(a->container, b->container);
	return order != 0 ? order : (int)a->port - (int)b->port;
}

/* True: *ret is where it stands; else where it belongs. */
static bool
find_hold(const struct overlay *o, const struct overlay_key *key, size_t *ret)
{
	size_t low = 0, high = o->n_holds;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = key_cmp(&o->holds[middle]->value.key, key);

		if (order == 0) {
			*ret = middle;
			return true;
		}
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	*ret = low;
	return false;
}

const struct overlay_hold *
overlay_find(const struct overlay *o, const struct overlay_key *key)
{
	size_t at;

	return o != NULL && find_hold(o, key, &at) ? &o->holds[at]->value : NULL;
}

size_t
overlay_count(const struct overlay *o)
{
	return o != NULL ? o->n_holds : 0;
}

const struct overlay_hold *
overlay_at(const struct overlay *o, size_t i)
{
	return &o->holds[i]->value;
}

size_t
overlay_count_pauses(const struct overlay *o)
{
	return o != NULL ? o->n_pauses : 0;
}

const struct overlay_pause *
overlay_pause_at(const struct overlay *o, size_t i)
{
	return &o->pauses[i]->value;
}

/* ---- changing it ---- */

/* Copies s behind the item, at *at. */
static struct str
keep_text(char *texts, size_t *at, struct str s)
{
	char *to = texts + *at;

	if (s.len > 0)
		memcpy(to, s.ptr, s.len);
	*at += s.len;
	return str_of(to, s.len);
}

static struct hold *
make_hold(const struct overlay_key *key)
{
	struct hold *h = calloc(1, sizeof(*h) + key->backend.len + key->task_arn.len + key->container.len);
	size_t at = 0;

	if (h == NULL)
		return NULL;
	h->value.key.backend = keep_text(h->texts, &at, key->backend);
	h->value.key.task_arn = keep_text(h->texts, &at, key->task_arn);
	h->value.key.container = keep_text(h->texts, &at, key->container);
	h->value.key.port = key->port;
	return h;
}

/* Makes room for one more pointer. */
static bool
reserve(void *list, size_t n, size_t *cap)
{
	void **items, *bigger;

	if (n < *cap)
		return true;
	memcpy(&items, list, sizeof(items));
	bigger = realloc(items, (*cap == 0 ? FIRST_CAP : *cap * 2) * sizeof(*items));
	if (bigger == NULL)
		return false;
	*cap = *cap == 0 ? FIRST_CAP : *cap * 2;
	memcpy(list, &bigger, sizeof(bigger));
	return true;
}

static void
drop_hold(struct overlay *o, size_t at)
{
	free(o->holds[at]);
	o->n_holds--;
	memmove(&o->holds[at], &o->holds[at + 1], (o->n_holds - at) * sizeof(struct hold *));
}

static bool
says_nothing(const struct overlay_hold *h)
{
	return h->admin == OVERLAY_FREE && !h->has_weight;
}

static enum err_code
check_key(const struct overlay_key *key, struct err *e)
{
	if (!plan_json_is_name(key->backend))
		return err_set(e, ERR_ARG, "not the name of a backend");
	if (key->task_arn.len == 0 || !plan_json_is_word(key->task_arn, PLAN_JSON_ARN_MAX))
		return err_set(e, ERR_ARG, "not the ARN of a task");
	if (!plan_json_is_word(key->container, PLAN_JSON_CONTAINER_MAX))
		return err_set(e, ERR_ARG, "not the name of a container");
	if (key->port == 0)
		return err_set(e, ERR_ARG, "a server without a port");
	return ERR_OK;
}

/* The hold on this server, made if there is none. */
static enum err_code
take_hold(struct overlay *o, const struct overlay_key *key, struct overlay_hold **ret, struct err *e)
{
	enum err_code code = check_key(key, e);
	struct hold *fresh;
	size_t at;

	if (code != ERR_OK)
		return code;
	if (find_hold(o, key, &at)) {
		*ret = &o->holds[at]->value;
		return ERR_OK;
	}
	if (o->n_holds == OVERLAY_HOLDS_MAX)
		return err_set(e, ERR_LIMIT, "%d servers are held already: end some of them first", OVERLAY_HOLDS_MAX);
	fresh = reserve(&o->holds, o->n_holds, &o->cap_holds) ? make_hold(key) : NULL;
	if (fresh == NULL)
		return err_set(e, ERR_NOMEM, "a hold: %s", err_text(ERR_NOMEM));
	memmove(&o->holds[at + 1], &o->holds[at], (o->n_holds - at) * sizeof(struct hold *));
	o->holds[at] = fresh;
	o->n_holds++;
	*ret = &fresh->value;
	return ERR_OK;
}

/* OVERLAY_FREE gives up the say in whether it serves. */
enum err_code
overlay_set_admin(struct overlay *o, const struct overlay_key *key, enum overlay_admin admin, enum overlay_hand by,
    int64_t now_wall_ms, int64_t until_wall_ms, struct err *e)
{
	struct overlay_hold *h = NULL;
	enum err_code code;
	size_t at;

	if (admin == OVERLAY_FREE && !find_hold(o, key, &at))
		return ERR_OK;
	code = take_hold(o, key, &h, e);
	if (code != ERR_OK)
		return code;
	h->admin = admin;
	h->admin_by = by;
	h->admin_until_wall_ms = admin == OVERLAY_FREE ? 0 : until_wall_ms;
	h->since_wall_ms = now_wall_ms;
	if (says_nothing(h) && find_hold(o, key, &at))
		drop_hold(o, at);
	return ERR_OK;
}

enum err_code
overlay_set_weight(struct overlay *o, const struct overlay_key *key, unsigned weight, enum overlay_hand by,
    int64_t now_wall_ms, int64_t until_wall_ms, struct err *e)
{
	struct overlay_hold *h = NULL;
	enum err_code code;

	if (weight > DESIRED_WEIGHT_MAX)
		return err_set(e, ERR_ARG, "a weight of %u: at most %u", weight, DESIRED_WEIGHT_MAX);
	code = take_hold(o, key, &h, e);
	if (code != ERR_OK)
		return code;
	h->has_weight = true;
	h->weight = weight;
	h->weight_by = by;
	h->weight_until_wall_ms = until_wall_ms;
	h->since_wall_ms = now_wall_ms;
	return ERR_OK;
}

static void
free_weight(struct overlay_hold *h)
{
	h->has_weight = false;
	h->weight = 0;
	h->weight_until_wall_ms = 0;
}

void
overlay_clear_weight(struct overlay *o, const struct overlay_key *key)
{
	size_t at;

	if (!find_hold(o, key, &at))
		return;
	free_weight(&o->holds[at]->value);
	if (says_nothing(&o->holds[at]->value))
		drop_hold(o, at);
}

void
overlay_clear(struct overlay *o, const struct overlay_key *key)
{
	size_t at;

	if (find_hold(o, key, &at))
		drop_hold(o, at);
}

/* ---- who left without proof ---- */

static int
leave_cmp(const struct overlay_leave *a, const struct overlay_leave *b)
{
	int order = str_cmp(a->backend, b->backend);

	if (order == 0)
		order = str_cmp(a->server, b->server);
	if (order == 0)
		order = str_cmp(a->address, b->address);
	return order != 0 ? order : (int)a->port - (int)b->port;
}

/* True: *ret is where it stands; else where it belongs. */
static bool
find_leave(const struct overlay *o, const struct overlay_leave *key, size_t *ret)
{
	size_t low = 0, high = o->n_leaves;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = leave_cmp(&o->leaves[middle]->value, key);

		if (order == 0) {
			*ret = middle;
			return true;
		}
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	*ret = low;
	return false;
}

static struct leave *
make_leave(const struct overlay_leave *key)
{
	struct leave *l = calloc(1, sizeof(*l) + key->backend.len + key->server.len + key->address.len);
	size_t used = 0;

	if (l == NULL)
		return NULL;
	l->value.backend = keep_text(l->texts, &used, key->backend);
	l->value.server = keep_text(l->texts, &used, key->server);
	l->value.address = keep_text(l->texts, &used, key->address);
	l->value.port = key->port;
	return l;
}

/* The one of this key, made if there is none. */
static enum err_code
take_leave(struct overlay *o, const struct overlay_leave *key, int64_t now_wall_ms, struct leave **ret, struct err *e)
{
	struct leave *fresh;
	size_t at;

	if (!plan_json_is_name(key->backend) || !plan_json_is_name(key->server) ||
	    !plan_json_is_word(key->address, PLAN_ADDRESS_TEXT_SIZE))
		return err_set(e, ERR_ARG, "not a server that could be remembered");
	if (find_leave(o, key, &at)) {
		*ret = o->leaves[at];
		return ERR_OK;
	}
	if (o->n_leaves == OVERLAY_LEAVES_MAX)
		return err_set(e, ERR_LIMIT, "%d servers left without proof within 10 minutes: no more are let go",
		    OVERLAY_LEAVES_MAX);
	fresh = reserve(&o->leaves, o->n_leaves, &o->cap_leaves) ? make_leave(key) : NULL;
	if (fresh == NULL)
		return err_set(e, ERR_NOMEM, "a server that leaves: %s", err_text(ERR_NOMEM));
	fresh->value.at_wall_ms = now_wall_ms;
	memmove(&o->leaves[at + 1], &o->leaves[at], (o->n_leaves - at) * sizeof(struct leave *));
	o->leaves[at] = fresh;
	o->n_leaves++;
	*ret = fresh;
	return ERR_OK;
}

enum err_code
overlay_note_leave(struct overlay *o, const struct overlay_leave *leave, int64_t now_wall_ms, struct err *e)
{
	struct leave *l = NULL;

	return take_leave(o, leave, now_wall_ms, &l, e);
}

enum err_code
overlay_release(struct overlay *o, const struct overlay_leave *leave, int64_t now_wall_ms, struct err *e)
{
	struct leave *l = NULL;
	enum err_code code = take_leave(o, leave, now_wall_ms, &l, e);

	if (code != ERR_OK)
		return code;
	l->value.is_released = true;
	l->value.at_wall_ms = now_wall_ms;
	return ERR_OK;
}

static enum err_code
copy_leave(struct overlay *to, const struct overlay_leave *leave, struct err *e)
{
	return leave->is_released ? overlay_release(to, leave, leave->at_wall_ms, e)
				  : overlay_note_leave(to, leave, leave->at_wall_ms, e);
}

static void
drop_leave(struct overlay *o, size_t at)
{
	free(o->leaves[at]);
	o->n_leaves--;
	memmove(&o->leaves[at], &o->leaves[at + 1], (o->n_leaves - at) * sizeof(struct leave *));
}

const struct overlay_leave *
overlay_find_leave(const struct overlay *o, struct str backend, struct str server, struct str address, uint16_t port)
{
	const struct overlay_leave key = { .backend = backend, .server = server, .address = address, .port = port };
	size_t at;

	return o != NULL && find_leave(o, &key, &at) ? &o->leaves[at]->value : NULL;
}

size_t
overlay_count_leaves(const struct overlay *o)
{
	return o != NULL ? o->n_leaves : 0;
}

const struct overlay_leave *
overlay_leave_at(const struct overlay *o, size_t i)
{
	return &o->leaves[i]->value;
}

static enum err_code
copy_hold(struct overlay *to, const struct overlay_hold *h, struct err *e)
{
	struct overlay_hold *made = NULL;
	enum err_code code = take_hold(to, &h->key, &made, e);
	struct overlay_key key;

	if (code != ERR_OK)
		return code;
	key = made->key; /* its own texts */
	*made = *h;
	made->key = key;
	return ERR_OK;
}

enum err_code
overlay_copy(const struct overlay *o, struct overlay **ret, struct err *e)
{
	struct overlay *copy CLEANUP(overlay_free_at) = NULL;
	enum err_code code = overlay_new(&copy, e);

	for (size_t i = 0; code == ERR_OK && i < o->n_holds; i++)
		code = copy_hold(copy, &o->holds[i]->value, e);
	for (size_t i = 0; code == ERR_OK && i < o->n_pauses; i++) {
		const struct overlay_pause *p = &o->pauses[i]->value;

		code = overlay_pause(copy, p->backend, p->since_wall_ms, p->until_wall_ms, e);
	}
	for (size_t i = 0; code == ERR_OK && i < o->n_leaves; i++)
		code = copy_leave(copy, &o->leaves[i]->value, e);
	if (code == ERR_OK)
		*ret = MOVE(copy);
	return code;
}

/* ---- pauses ---- */

static bool
find_pause(const struct overlay *o, struct str backend, size_t *ret)
{
	size_t i = 0;

	while (i < o->n_pauses && str_cmp(o->pauses[i]->value.backend, backend) < 0)
		i++;
	*ret = i;
	return i < o->n_pauses && str_eq(o->pauses[i]->value.backend, backend);
}

static void
drop_pause(struct overlay *o, size_t at)
{
	free(o->pauses[at]);
	o->n_pauses--;
	memmove(&o->pauses[at], &o->pauses[at + 1], (o->n_pauses - at) * sizeof(struct pause *));
}

static enum err_code
add_pause(struct overlay *o, struct str backend, size_t at, struct err *e)
{
	struct pause *fresh;
	size_t used = 0;

	if (backend.len > 0 && !plan_json_is_name(backend))
		return err_set(e, ERR_ARG, "not the name of a backend");
	if (o->n_pauses == OVERLAY_PAUSES_MAX)
		return err_set(
		    e, ERR_LIMIT, "%d backends are paused already: resume some of them first", OVERLAY_PAUSES_MAX);
	fresh = reserve(&o->pauses, o->n_pauses, &o->cap_pauses) ? calloc(1, sizeof(*fresh) + backend.len) : NULL;
	if (fresh == NULL)
		return err_set(e, ERR_NOMEM, "a pause: %s", err_text(ERR_NOMEM));
	fresh->value.backend = keep_text(fresh->texts, &used, backend);
	memmove(&o->pauses[at + 1], &o->pauses[at], (o->n_pauses - at) * sizeof(struct pause *));
	o->pauses[at] = fresh;
	o->n_pauses++;
	return ERR_OK;
}

enum err_code
overlay_pause(struct overlay *o, struct str backend, int64_t now_wall_ms, int64_t until_wall_ms, struct err *e)
{
	enum err_code code = ERR_OK;
	size_t at;

	if (!find_pause(o, backend, &at))
		code = add_pause(o, backend, at, e);
	if (code != ERR_OK)
		return code;
	o->pauses[at]->value.since_wall_ms = now_wall_ms;
	o->pauses[at]->value.until_wall_ms = until_wall_ms;
	return ERR_OK;
}

bool
overlay_resume(struct overlay *o, struct str backend)
{
	bool was_paused = o->n_pauses > 0;
	size_t at;

	if (backend.len > 0) {
		was_paused = find_pause(o, backend, &at);
		if (was_paused)
			drop_pause(o, at);
		return was_paused;
	}
	while (o->n_pauses > 0)
		drop_pause(o, o->n_pauses - 1);
	return was_paused;
}

const struct overlay_pause *
overlay_find_pause(const struct overlay *o, struct str backend)
{
	size_t at;

	if (o == NULL)
		return NULL;
	if (find_pause(o, backend, &at) || find_pause(o, STR(""), &at))
		return &o->pauses[at]->value;
	return NULL;
}

/* ---- what is over ---- */

/* May this cluster be the task's?  Old ARNs of tasks do not name theirs. */
static bool
may_hold(const struct roster_cluster *c, struct str task_arn)
{
	struct arn task, cluster;
	struct str task_cluster, task_id, name;

	if (c->arn.len == 0 || !arn_parse_task(task_arn, &task, &task_cluster, &task_id) ||
	    !arn_parse_cluster(c->arn, &cluster, &name))
		return true;
	return str_eq(task.partition, cluster.partition) && str_eq(task.region, cluster.region) &&
	       str_eq(task.account, cluster.account) && (task_cluster.len == 0 || str_eq(task_cluster, name));
}

/* A first look after a start may have been too early for AWS's lists to agree. */
static bool
was_read_whole(const struct roster_cluster *c)
{
	return c->was_read && c->sweeps >= SWEEPS_TO_BELIEVE;
}

/* One that AWS calls MISSING may run on: the hand on it stays until there is proof, or the
 * roster has forgotten it. */
static bool
is_task_over(const struct roster *roster, struct str task_arn)
{
	bool is_known_of = true;

	for (size_t i = 0; roster != NULL && i < roster->n_clusters; i++) {
		const struct roster_cluster *c = &roster->clusters[i];
		const struct roster_task *t = roster_facts_find(c->facts, task_arn);

		if (t != NULL)
			return t->ended_wall_ms != 0 && desired_verdict_is_over(t);
		if (may_hold(c, task_arn) && !was_read_whole(c))
			is_known_of = false;
	}
	return roster != NULL && roster->n_clusters > 0 && is_known_of;
}

static bool
is_over(int64_t until_wall_ms, int64_t now_wall_ms, int64_t *next_wall_ms)
{
	if (until_wall_ms == 0)
		return false;
	if (until_wall_ms <= now_wall_ms)
		return true;
	if (until_wall_ms < *next_wall_ms)
		*next_wall_ms = until_wall_ms;
	return false;
}

static bool
prune_hold(struct overlay_hold *h, int64_t now_wall_ms, int64_t *next_wall_ms)
{
	bool changed = false;

	if (h->admin != OVERLAY_FREE && is_over(h->admin_until_wall_ms, now_wall_ms, next_wall_ms)) {
		h->admin = OVERLAY_FREE;
		h->admin_until_wall_ms = 0;
		changed = true;
	}
	if (h->has_weight && is_over(h->weight_until_wall_ms, now_wall_ms, next_wall_ms)) {
		free_weight(h);
		changed = true;
	}
	return changed;
}

/* A clock that was set back must not keep them for ever. */
static bool
prune_leaves(struct overlay *o, int64_t now_wall_ms, int64_t *next_wall_ms)
{
	bool changed = false;

	for (size_t i = o->n_leaves; i > 0; i--) {
		const int64_t at_ms = o->leaves[i - 1]->value.at_wall_ms;

		if (at_ms <= now_wall_ms && !is_over(at_ms + OVERLAY_LEAVE_KEPT_MS, now_wall_ms, next_wall_ms))
			continue;
		drop_leave(o, i - 1);
		changed = true;
	}
	return changed;
}

bool
overlay_prune(struct overlay *o, const struct roster *roster, int64_t now_wall_ms, int64_t *ret_next_wall_ms)
{
	bool changed = false;

	*ret_next_wall_ms = INT64_MAX;
	for (size_t i = o->n_holds; i > 0; i--) {
		struct overlay_hold *h = &o->holds[i - 1]->value;

		if (prune_hold(h, now_wall_ms, ret_next_wall_ms))
			changed = true;
		if (!says_nothing(h) && !is_task_over(roster, h->key.task_arn))
			continue;
		drop_hold(o, i - 1);
		changed = true;
	}
	for (size_t i = o->n_pauses; i > 0; i--) {
		if (!is_over(o->pauses[i - 1]->value.until_wall_ms, now_wall_ms, ret_next_wall_ms))
			continue;
		drop_pause(o, i - 1);
		changed = true;
	}
	return prune_leaves(o, now_wall_ms, ret_next_wall_ms) || changed;
}

/* ---- words ---- */

static void
say_until(int64_t until_wall_ms, struct buf *out)
{
	char text[RFC3339_SIZE];

	if (until_wall_ms == 0)
		return;
	rfc3339_put(until_wall_ms, text);
	buf_printf(out, " until %s", text);
}

void
overlay_say(const struct overlay_hold *h, struct buf *out)
{
	if (h->admin != OVERLAY_FREE) {
		buf_printf(out, "%s %s", h->admin == OVERLAY_DRAIN ? "drained" : "put into maintenance",
		    h->admin_by == OVERLAY_BY_ROLLCALL ? "by `rollcall drain`" : "on HAProxy's socket");
		say_until(h->admin_until_wall_ms, out);
	}
	if (!h->has_weight)
		return;
	buf_printf(out, "%sweight %u set %s", h->admin != OVERLAY_FREE ? ", " : "", h->weight,
	    h->weight_by == OVERLAY_BY_ROLLCALL ? "by `rollcall weight`" : "on HAProxy's socket");
	say_until(h->weight_until_wall_ms, out);
}
