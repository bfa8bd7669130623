/* Weights and shares: see desired_share.h. */
#include "config.h"

#include "plan/desired_share.h"

#include <stdint.h>
#include <stdlib.h>

#include "plan/weights.h"

#define FULL 100000000u /* what the raw weights of a share of 100 % add up to, nearly */

struct party {                               /* those who divide one share */
	const struct desired_draft *speaker; /* its most recently created task says how much; null: the rest */
	unsigned revision;                   /* of a latest; else 0 */
	uint64_t weight;                     /* of all its tasks */
	uint64_t percent_milli;
	uint64_t reached; /* the sum of what its tasks got */
};

struct entry {
	const struct desired_draft *draft;
	size_t at; /* of serving */
};

struct sharing {
	struct desired_draft *const *serving;
	size_t n;
	struct party *parties; /* the first one is the rest */
	size_t n_parties;
	size_t *party_of;      /* by serving */
	struct entry *entries; /* by service */
};

static bool
has_share(const struct desired_draft *d)
{
	return conf_policy_has(d->server.policy, CONF_POLICY_SHARE);
}

static int
by_service(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;
	const struct roster_task *s = x->draft->server.task, *t = y->draft->server.task;
	int order = (x->draft->server.cluster > y->draft->server.cluster) -
		    (x->draft->server.cluster < y->draft->server.cluster);

	if (order == 0)
		order = str_cmp(s->service, t->service);
	if (order == 0 && s->service.len == 0)
		order = str_cmp(s->family, t->family);
	return order;
}

/* What a service's most recently created task says holds for all of its tasks. */
static const struct desired_draft *
speaker_of(const struct entry *group, size_t n)
{
	const struct desired_draft *newest = group[0].draft;

	for (size_t i = 1; i < n; i++) {
		const struct roster_task *t = group[i].draft->server.task, *best = newest->server.task;

		if (t->created_ms > best->created_ms ||
		    (t->created_ms == best->created_ms && str_cmp(t->arn, best->arn) > 0))
			newest = group[i].draft;
	}
	return newest;
}

static unsigned
latest_of(const struct entry *group, size_t n)
{
	unsigned latest = 0;

	for (size_t i = 0; i < n; i++)
		if (group[i].draft->server.task->revision > latest)
			latest = group[i].draft->server.task->revision;
	return latest;
}

/* One service; or, of a canary, its latest revision, and the others are with the rest. */
static void
assign_group(struct sharing *s, const struct entry *group, size_t n)
{
	const struct desired_draft *speaker = speaker_of(group, n);
	bool is_canary = speaker->server.policy->share_latest, shares = has_share(speaker);
	unsigned latest = is_canary ? latest_of(group, n) : 0;
	size_t party = s->n_parties;

	if (shares)
		s->parties[s->n_parties++] = (struct party){
			.speaker = speaker,
			.revision = latest,
			.percent_milli = (uint64_t)speaker->server.policy->share_percent * 1000,
		};
	for (size_t i = 0; i < n; i++) {
		const struct desired_draft *d = group[i].draft;
		bool is_in = shares && (!is_canary || d->server.task->revision == latest);

		s->party_of[group[i].at] = is_in ? party : 0;
		s->parties[is_in ? party : 0].weight += d->raw_weight;
	}
}

static void
assign(struct sharing *s)
{
	for (size_t i = 0; i < s->n; i++)
		s->entries[i] = (struct entry){ s->serving[i], i };
	qsort(s->entries, s->n, sizeof(*s->entries), by_service);
	for (size_t i = 0, end; i < s->n; i = end) {
		for (end = i + 1; end < s->n && by_service(&s->entries[i], &s->entries[end]) == 0;)
			end++;
		assign_group(s, s->entries + i, end - i);
	}
}

/* What is left is the rest's; of more than all each gets its part, as weights are in proportion. */
static void
divide(struct sharing *s)
{
	uint64_t sum = 0;

	for (size_t i = 1; i < s->n_parties; i++)
		if (s->parties[i].weight > 0)
			sum += s->parties[i].percent_milli;
	s->parties[0].percent_milli = sum < 100000 ? 100000 - sum : 0;
}

static unsigned
raw_of(const struct party *p, unsigned weight)
{
	uint64_t raw;

	if (weight == 0 || p->weight == 0 || (p->percent_milli == 0 && p->speaker != NULL))
		return 0;
	raw = p->percent_milli * (FULL / 100000) * weight / p->weight;
	return raw > 0 ? (unsigned)raw : 1;
}

static bool
tell(struct sharing *s, struct arena *a, const unsigned *weights, const struct desired_share **ret, size_t *ret_n)
{
	struct desired_share *shares = ARENA_ARRAY(a, struct desired_share, s->n_parties);
	uint64_t total = 0;

	if (shares == NULL)
		return false;
	for (size_t i = 0; i < s->n; i++) {
		s->parties[s->party_of[i]].reached += weights[i];
		total += weights[i];
	}
	for (size_t i = 1; i < s->n_parties; i++) {
		const struct party *p = &s->parties[i];
		const struct roster_task *t = p->speaker->server.task;

		shares[(*ret_n)++] = (struct desired_share){
			.cluster = p->speaker->server.cluster,
			.service = t->service.len > 0 ? t->service : t->family,
			.revision = p->revision,
			.percent = p->speaker->server.policy->share_percent,
			.reached_milli = total > 0 ? (unsigned)(p->reached * 100000 / total) : 0,
		};
	}
	*ret = shares;
	return true;
}

static bool
anyone_shares(struct desired_draft *const *serving, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (has_share(serving[i]))
			return true;
	return false;
}

bool
desired_share_weigh(struct arena *a, struct arena *scratch, struct desired_draft *const *serving, size_t n,
    unsigned *ret_weights, const struct desired_share **ret_shares, size_t *ret_n_shares)
{
	struct sharing s = { .serving = serving, .n = n, .n_parties = 1 };

	if (!anyone_shares(serving, n)) {
		for (size_t i = 0; i < n; i++)
			ret_weights[i] = serving[i]->raw_weight;
		weights_scale(ret_weights, n, DESIRED_WEIGHT_MAX);
		return true;
	}
	s.parties = ARENA_ARRAY(scratch, struct party, n + 1);
	s.party_of = ARENA_ARRAY(scratch, size_t, n);
	s.entries = ARENA_ARRAY(scratch, struct entry, n);
	if (s.parties == NULL || s.party_of == NULL || s.entries == NULL)
		return false;
	assign(&s);
	divide(&s);
	for (size_t i = 0; i < n; i++)
		ret_weights[i] = raw_of(&s.parties[s.party_of[i]], serving[i]->raw_weight);
	weights_scale(ret_weights, n, DESIRED_WEIGHT_MAX);
	return tell(&s, a, ret_weights, ret_shares, ret_n_shares);
}
