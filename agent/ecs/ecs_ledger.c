/* What one pass has learnt, against what was known: see ecs_ledger.h. */
#include "config.h"

#include "ecs/ecs_ledger.h"

#include <assert.h>
#include <stdlib.h>

#include "ecs/ecs_told.h"

#define ARENA_MAX     ECS_LEDGER_FACTS_MAX
#define MISSING_PROOF 2 /* passes that must agree before a task counts as gone */

struct ecs_ledger {
	struct roster_facts *before;
	struct arena *arena; /* listed ARNs and news */
	struct str *listed;  /* grows; sorted and without repeats once settled */
	size_t n_listed, cap_listed;
	struct ecs_ledger_entry *entries; /* sorted by ARN; then, likewise, those that are sought */
	size_t n_entries, n_sought;
	bool settled, whole;
};

static enum err_code
out_of_memory(struct err *e)
{
	return err_set(e, ERR_NOMEM, "note the tasks of a cluster: %s", err_text(ERR_NOMEM));
}

enum err_code
ecs_ledger_new(struct roster_facts *before, struct ecs_ledger **ret, struct err *e)
{
	struct ecs_ledger *l = calloc(1, sizeof(*l));

	if (l != NULL)
		l->arena = arena_new(ARENA_MAX);
	if (l == NULL || l->arena == NULL) {
		free(l);
		return out_of_memory(e);
	}
	l->before = before != NULL ? roster_facts_ref(before) : NULL;
	*ret = l;
	return ERR_OK;
}

void
ecs_ledger_free(struct ecs_ledger *l)
{
	if (l == NULL)
		return;
	roster_facts_unref(l->before);
	arena_free(l->arena);
	free(l->listed);
	free(l->entries);
	free(l);
}

/* ---- the list ---- */

static bool
make_room(struct ecs_ledger *l, size_t n)
{
	size_t cap = l->cap_listed == 0 ? 128 : l->cap_listed;
	struct str *bigger;

	while (cap - l->n_listed < n)
		cap *= 2;
	if (cap == l->cap_listed)
		return true;
	bigger = reallocarray(l->listed, cap, sizeof(*bigger));
	if (bigger == NULL)
		return false;
	l->listed = bigger;
	l->cap_listed = cap;
	return true;
}

enum err_code
ecs_ledger_list(struct ecs_ledger *l, const struct str *arns, size_t n, struct err *e)
{
	assert(!l->settled);
	if (!make_room(l, n))
		return out_of_memory(e);
	for (size_t i = 0; i < n; i++) {
		if (!arena_str(l->arena, arns[i], &l->listed[l->n_listed]))
			return out_of_memory(e);
		l->n_listed++;
	}
	return ERR_OK;
}

static int
by_text(const void *a, const void *b)
{
	const struct str *x = a, *y = b;

	return str_cmp(*x, *y);
}

static void
sort_listed(struct ecs_ledger *l)
{
	size_t n = 0;

	if (l->n_listed == 0)
		return;
	qsort(l->listed, l->n_listed, sizeof(*l->listed), by_text);
	for (size_t i = 0; i < l->n_listed; i++)
		if (n == 0 || !str_eq(l->listed[n - 1], l->listed[i]))
			l->listed[n++] = l->listed[i];
	l->n_listed = n;
}

static size_t
count_before(const struct ecs_ledger *l)
{
	return l->before != NULL ? l->before->n_tasks : 0;
}

static struct str
id_of(struct str arn)
{
	return str_after_last(arn, '/');
}

/* Both are sorted, so that one walk over the two finds who is in which. */
static void
merge(struct ecs_ledger *l)
{
	size_t i = 0, j = 0, n_before = count_before(l);

	while (i < n_before || j < l->n_listed) {
		struct ecs_ledger_entry *entry = &l->entries[l->n_entries++];
		int order = i == n_before ? 1 : j == l->n_listed ? -1 : str_cmp(l->before->tasks[i].arn, l->listed[j]);

		*entry = (struct ecs_ledger_entry){ .listed = order >= 0 };
		if (order <= 0)
			entry->before = &l->before->tasks[i++];
		entry->arn = order <= 0 ? entry->before->arn : l->listed[j];
		if (order >= 0)
			j++;
	}
}

/* Of all entries, sorted: listed or known. */
static struct str *
list_ids(const struct ecs_ledger *l)
{
	struct str *ids = calloc(l->n_entries + 1, sizeof(*ids));

	for (size_t i = 0; ids != NULL && i < l->n_entries; i++)
		ids[i] = id_of(l->entries[i].arn);
	if (ids != NULL)
		qsort(ids, l->n_entries, sizeof(*ids), by_text);
	return ids;
}

static enum err_code
add_sought(struct ecs_ledger *l, const struct ecs_sought *sought, struct err *e)
{
	struct str *ids;
	enum err_code code = ERR_OK;

	if (sought == NULL || sought->n == 0)
		return ERR_OK;
	ids = list_ids(l);
	if (ids == NULL)
		return out_of_memory(e);
	for (size_t i = 0; i < sought->n && code == ERR_OK; i++) {
		struct ecs_ledger_entry *entry = &l->entries[l->n_entries + l->n_sought];

		if (bsearch(&sought->tasks[i].id, ids, l->n_entries, sizeof(*ids), by_text) != NULL)
			continue;
		entry->sought = true;
		code = arena_str(l->arena, sought->tasks[i].id, &entry->arn) ? ERR_OK : out_of_memory(e);
		l->n_sought++;
	}
	free(ids);
	return code;
}

enum err_code
ecs_ledger_settle(struct ecs_ledger *l, bool whole, const struct ecs_sought *sought, struct err *e)
{
	size_t most;

	assert(!l->settled);
	sort_listed(l);
	most = count_before(l) + l->n_listed + (sought != NULL ? sought->n : 0);
	l->entries = calloc(most > 0 ? most : 1, sizeof(*l->entries));
	if (l->entries == NULL)
		return out_of_memory(e);
	merge(l);
	l->settled = true;
	l->whole = whole;
	return add_sought(l, sought, e);
}

/* ---- entries ---- */

size_t
ecs_ledger_count(const struct ecs_ledger *l)
{
	return l->n_entries + l->n_sought;
}

struct ecs_ledger_entry *
ecs_ledger_entry(struct ecs_ledger *l, size_t i)
{
	assert(i < ecs_ledger_count(l));
	return &l->entries[i];
}

static int
by_arn(const void *a, const void *b)
{
	const struct ecs_ledger_entry *x = a, *y = b;

	return str_cmp(x->arn, y->arn);
}

struct ecs_ledger_entry *
ecs_ledger_find(struct ecs_ledger *l, struct str arn)
{
	struct ecs_ledger_entry key = { .arn = arn }, *found = NULL;

	if (l->n_entries > 0)
		found = bsearch(&key, l->entries, l->n_entries, sizeof(key), by_arn);
	if (found != NULL || l->n_sought == 0)
		return found;
	key.arn = id_of(arn);
	return bsearch(&key, l->entries + l->n_entries, l->n_sought, sizeof(key), by_arn);
}

const struct roster_task *
ecs_ledger_task(const struct ecs_ledger_entry *entry)
{
	return entry->now != NULL ? entry->now : entry->before;
}

bool
ecs_ledger_is_vanished(const struct ecs_ledger *l, const struct ecs_ledger_entry *entry)
{
	return l->whole && !entry->listed && entry->before != NULL && entry->before->ended_wall_ms == 0;
}

/* ---- what answers say ---- */

/*
 * AWS counts a task's changes, and answers can come from a replica that lags.  A
 * lower count is older.  An equal one may still bring a new health, which is not
 * counted; but a task never goes back in its life, so one that seems to is old, too.
 */
static bool
is_old_news(const struct roster_task *known, const struct roster_task *told)
{
	if (known->version == 0 || told->version == 0)
		return false; /* not counted: there is nothing to compare */
	if (told->version != known->version)
		return told->version < known->version;
	return told->last_status < known->last_status || told->desired_status < known->desired_status;
}

/* Whoever can write to a queue can claim an end, and any version. */
static bool
is_outvoted(const struct roster_task *known, int64_t wall_ms)
{
	return known->is_by_event && wall_ms - known->described_wall_ms > ECS_TOLD_OUTVOTED_MS;
}

static bool
has_place(const struct roster_container *c)
{
	return c->ipv4.len > 0 || c->ipv6.len > 0 || c->n_bindings > 0;
}

static const struct roster_container *
find_container(const struct roster_task *t, struct str name)
{
	for (size_t i = 0; i < t->n_containers; i++)
		if (str_eq(t->containers[i].name, name))
			return &t->containers[i];
	return NULL;
}

/*
 * A task's network interface goes before the task does, and later answers may tell
 * no address any more.  Where it was reached stays known: that is what its server in
 * HAProxy is recognised by.
 */
static bool
keep_places(struct arena *a, const struct roster_task *known, struct roster_task *told)
{
	size_t n = told->n_containers > 0 ? told->n_containers : known->n_containers;
	const struct roster_container *from = told->n_containers > 0 ? told->containers : known->containers;
	struct roster_container *containers = ARENA_ARRAY(a, struct roster_container, n);

	if (containers == NULL)
		return false;
	for (size_t i = 0; i < n; i++) {
		const struct roster_container *was = find_container(known, from[i].name);

		containers[i] = has_place(&from[i]) || was == NULL ? from[i] : *was;
	}
	told->containers = containers;
	told->n_containers = n;
	if (told->subnet.len == 0)
		told->subnet = known->subnet;
	if (told->container_instance_arn.len == 0)
		told->container_instance_arn = known->container_instance_arn;
	return true;
}

/* What the answer says, in our own memory.  A revision never changes, so the
 * definition that was read for it still holds. */
static enum err_code
take_news(struct ecs_ledger *l, struct ecs_ledger_entry *entry, const struct roster_task *t, struct err *e)
{
	struct roster_task *news = ARENA_NEW(l->arena, struct roster_task);

	if (news == NULL || !roster_task_copy(l->arena, t, news))
		return out_of_memory(e);
	if (entry->before != NULL && str_eq(entry->before->definition_arn, t->definition_arn))
		news->definition = entry->before->definition;
	if (entry->before != NULL && str_eq(entry->before->container_instance_arn, t->container_instance_arn)) {
		news->host_ipv4 = entry->before->host_ipv4;
		news->host_ipv6 = entry->before->host_ipv6;
	}
	entry->now = news;
	return ERR_OK;
}

enum err_code
ecs_ledger_describe(
    struct ecs_ledger *l, struct ecs_ledger_entry *entry, const struct roster_task *t, int64_t wall_ms, struct err *e)
{
	const struct roster_task *known = entry->before;
	struct roster_task told = *t;
	bool is_old = known != NULL && is_old_news(known, t) && !is_outvoted(known, wall_ms);
	enum err_code code = ERR_OK;

	/* Before it is compared: that the address is still not told is no news. */
	if (known != NULL && roster_task_is_ending(t) && !keep_places(l->arena, known, &told))
		return out_of_memory(e);
	if (known == NULL || (!is_old && (known->is_by_event || !roster_task_same(known, &told))))
		code = take_news(l, entry, &told, e);
	if (code != ERR_OK)
		return code;
	entry->described = true;
	entry->described_wall_ms = wall_ms;
	return ERR_OK;
}

/* ---- new facts ---- */

static unsigned
count_missing(const struct ecs_ledger *l, const struct ecs_ledger_entry *entry, const struct ecs_ledger_close *close)
{
	unsigned before = entry->before != NULL ? entry->before->missing : 0;

	if (entry->described || entry->listed)
		return 0;
	if (!entry->missing || !l->whole || !close->counts_missing || before >= MISSING_PROOF)
		return before;
	return close->origin->proved && ecs_origin_has(close->origin, entry->arn) ? before + 1 : before;
}

static bool
is_over(const struct roster_task *t)
{
	return t->last_status == ROSTER_STOPPED || t->last_status == ROSTER_DELETED || t->missing >= MISSING_PROOF;
}

/* What its machine is reached by; once known, it stays known of this task. */
static void
place_on_host(const struct ecs_ledger_close *close, struct roster_task *t)
{
	const struct ecs_host *host = NULL;

	if (close->hosts != NULL && taskdef_is_on_host(t->definition) && t->container_instance_arn.len > 0)
		host = ecs_hosts_find(close->hosts, t->container_instance_arn);
	if (host == NULL || (host->ipv4.len == 0 && host->ipv6.len == 0))
		return;
	t->host_ipv4 = host->ipv4;
	t->host_ipv6 = host->ipv6;
}

static bool
is_contradicted(const struct ecs_ledger_entry *entry)
{
	const struct roster_task *before = entry->before, *now = entry->now;

	if (before == NULL)
		return false;
	return before->is_contradicted || (before->is_by_event && now != NULL && !roster_task_is_ending(now));
}

/* False: there is nothing to tell of it, or no longer. */
static bool
conclude(const struct ecs_ledger *l, const struct ecs_ledger_entry *entry, const struct ecs_ledger_close *close,
    struct roster_task *ret)
{
	const struct roster_task *told = ecs_ledger_task(entry);

	if (told == NULL)
		return false;
	*ret = *told;
	if (entry->before == NULL || l->whole)
		ret->listed = entry->listed;
	else
		ret->listed = entry->before->listed;
	ret->is_contradicted = is_contradicted(entry);
	ret->missing = count_missing(l, entry, close);
	ret->ended_wall_ms = entry->before != NULL ? entry->before->ended_wall_ms : 0;
	if (!is_over(ret))
		ret->ended_wall_ms = 0;
	else if (ret->ended_wall_ms == 0)
		ret->ended_wall_ms = close->wall_ms;
	if (ret->definition == NULL)
		ret->definition = entry->definition;
	place_on_host(close, ret);
	if (entry->now != NULL)
		ret->described_wall_ms = entry->described_wall_ms;
	if (ret->ended_wall_ms == 0 || close->wall_ms - ret->ended_wall_ms <= ROSTER_ENDED_KEPT_MS)
		return true;
	return close->is_held != NULL && close->is_held(close->arg, ret);
}

static bool
is_unchanged(const struct ecs_ledger_entry *entry, const struct roster_task *t)
{
	const struct roster_task *before = entry->before;

	return entry->now == NULL && before->definition == t->definition && before->listed == t->listed &&
	       before->missing == t->missing && before->ended_wall_ms == t->ended_wall_ms &&
	       str_eq(before->host_ipv4, t->host_ipv4) && str_eq(before->host_ipv6, t->host_ipv6);
}

enum err_code
ecs_ledger_facts(struct ecs_ledger *l, const struct ecs_ledger_close *close, struct roster_facts **ret, struct err *e)
{
	const size_t n_entries = ecs_ledger_count(l);
	struct roster_task *tasks;
	size_t n = 0, n_unchanged = 0;
	enum err_code code = ERR_OK;

	assert(l->settled);
	tasks = calloc(n_entries > 0 ? n_entries : 1, sizeof(*tasks));
	if (tasks == NULL)
		return out_of_memory(e);
	for (size_t i = 0; i < n_entries; i++) {
		if (!conclude(l, &l->entries[i], close, &tasks[n]))
			continue;
		n_unchanged += is_unchanged(&l->entries[i], &tasks[n]);
		n++;
	}
	if (l->before != NULL && n == n_unchanged && n == l->before->n_tasks)
		*ret = roster_facts_ref(l->before);
	else if (l->before == NULL && n == 0 && !l->whole)
		*ret = NULL;
	else
		code = roster_facts_make(tasks, n, ECS_LEDGER_FACTS_MAX, ret, e);
	free(tasks);
	return code;
}
