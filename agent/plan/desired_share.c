/* Weights and shares: see desired_share.h. */
#include "config.h"

#include "plan/desired_share.h"

#include <stdint.h>

#include "plan/weights.h"

#define FULL 100000000u /* what all raw weights add up to, nearly */

struct party {                               /* those who divide one share */
	const struct desired_draft *speaker; /* its most recently created task says how much; null: the rest */
	unsigned revision;                   /* of a latest; else 0 */
	uint64_t weight;                     /* of all its tasks */
	uint64_t percent_milli;
	uint64_t reached; /* the sum of what its tasks got */
};

struct sharing {
	struct desired_draft *const *serving;
	size_t n;
	struct party *parties; /* the first one is the rest */
	size_t n_parties;
	size_t *party_of; /* by serving */
};

static bool
is_one_service(const struct desired_draft *a, const struct desired_draft *b)
{
	const struct roster_task *x = a->server.task, *y = b->server.task;

	return a->server.cluster == b->server.cluster && str_eq(x->service, y->service) &&
	       (x->service.len > 0 || str_eq(x->family, y->family));
}

static bool
has_share(const struct desired_draft *d)
{
	return conf_policy_has(d->server.policy, CONF_POLICY_SHARE);
}

static bool
is_newer(const struct desired_draft *a, const struct desired_draft *b)
{
	return a->server.task->created_ms > b->server.task->created_ms;
}

/* What its service's newest task says, for all of its tasks. */
static const struct desired_draft *
speaker_of(const struct sharing *s, const struct desired_draft *d)
{
	const struct desired_draft *newest = d;

	for (size_t i = 0; i < s->n; i++)
		if (is_one_service(s->serving[i], d) && is_newer(s->serving[i], newest))
			newest = s->serving[i];
	return newest;
}

static bool
is_of_latest(const struct sharing *s, const struct desired_draft *d)
{
	for (size_t i = 0; i < s->n; i++)
		if (is_one_service(s->serving[i], d) && s->serving[i]->server.task->revision > d->server.task->revision)
			return false;
	return true;
}

static size_t
find_party(struct sharing *s, const struct desired_draft *speaker, unsigned revision)
{
	for (size_t i = 1; i < s->n_parties; i++)
		if (s->parties[i].revision == revision && is_one_service(s->parties[i].speaker, speaker))
			return i;
	s->parties[s->n_parties] = (struct party){
		.speaker = speaker,
		.revision = revision,
		.percent_milli = (uint64_t)speaker->server.policy->share_percent * 1000,
	};
	return s->n_parties++;
}

static void
assign(struct sharing *s)
{
	for (size_t i = 0; i < s->n; i++) {
		const struct desired_draft *d = s->serving[i], *speaker = speaker_of(s, d);
		bool is_latest = speaker->server.policy->share_latest;

		s->party_of[i] = 0;
		if (has_share(speaker) && (!is_latest || is_of_latest(s, d)))
			s->party_of[i] = find_party(s, speaker, is_latest ? d->server.task->revision : 0);
		s->parties[s->party_of[i]].weight += d->raw_weight;
	}
}

/* More than all is all, in proportion; what is left is the rest's. */
static void
divide(struct sharing *s)
{
	uint64_t sum = 0;

	for (size_t i = 1; i < s->n_parties; i++)
		if (s->parties[i].weight > 0)
			sum += s->parties[i].percent_milli;
	s->parties[0].percent_milli = sum < 100000 ? 100000 - sum : 0;
	for (size_t i = 1; i < s->n_parties && sum > 100000; i++)
		s->parties[i].percent_milli = s->parties[i].percent_milli * 100000 / sum;
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
	if (s.parties == NULL || s.party_of == NULL)
		return false;
	assign(&s);
	divide(&s);
	for (size_t i = 0; i < n; i++)
		ret_weights[i] = raw_of(&s.parties[s.party_of[i]], serving[i]->raw_weight);
	weights_scale(ret_weights, n, DESIRED_WEIGHT_MAX);
	return tell(&s, a, ret_weights, ret_shares, ret_n_shares);
}
