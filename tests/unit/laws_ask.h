/*
 * What the laws ask of a round (laws.h): slow, plain, and written anew.
 */
#ifndef TESTS_UNIT_LAWS_ASK_H
#define TESTS_UNIT_LAWS_ASK_H

#include "laws.h"

struct laws_round {
	const struct desired *desired;
	const struct actual *before;
	struct plan *plan;
	const struct plan_memory *memory;
	const struct plan_rules *rules;
	struct laws_tally *tally;
};

/* Whom a server stands for, and how. */
struct laws_who {
	const struct desired_server *candidate; /* null: nobody explains it */
	bool is_moved;                          /* its name is the candidate's, its address is not */
	bool is_replaced;                       /* the candidate has its address, and another name */
	bool is_begun;                          /* nobody explains it, but its removal had begun on proof */
	enum evidence evidence;                 /* the candidate's, or what replaced or began says */
};

bool laws_same_place(struct str a, uint16_t port_a, struct str b, uint16_t port_b);
bool laws_is_at(const struct desired_server *d, const struct actual_server *s);
bool laws_is_newer(const struct roster_task *a, const struct roster_task *b);
bool laws_takes_calls(const struct actual_server *s);
const struct actual_server *laws_server(const struct actual *a, struct str backend, struct str name);
struct laws_who laws_who(const struct laws_round *r, struct str backend, const struct actual_server *s);
/* A better server stands for the same candidate. */
bool laws_has_better(const struct laws_round *r, struct str backend, const struct actual_server *s);
enum plan_strategy laws_strategy(const struct actual *a, const struct actual_backend *b);
bool laws_is_at_least(const struct actual *a, unsigned major, unsigned minor);
bool laws_has_step(const struct plan *p, struct str backend, struct str server, enum plan_step_kind kind);
enum overlay_admin laws_held(const struct laws_round *r, struct str backend, const struct desired_server *d);
const struct overlay_hold *laws_hold(const struct laws_round *r, struct str backend, const struct desired_server *d);
bool laws_is_paused(const struct laws_round *r, struct str backend);
bool laws_is_trusted(const struct laws_round *r, struct str backend, const struct desired_server *d);
/* It served under the process before, and nothing proven speaks against it: a reload takes nobody away. */
bool laws_comes_back(const struct laws_round *r, struct str backend, const struct desired_server *d);
bool laws_is_stale(const struct laws_round *r, struct str backend, const struct actual_server *s);
bool laws_is_vacant_maint(const struct plan_step *st);
/* Takes a server away, or its calls, and not because an operator or other settings ask for it. */
bool laws_is_removal(const struct plan_step *st);

/* Null, or the law that was broken. */
const char *laws_check_desired(const struct desired *d);
const char *laws_check_plan(const struct laws_round *r); /* before the guard */
const char *laws_check_soft(const struct laws_round *r); /* after it: what is no proof */
/* Do fewer take calls than panic_threshold asks for, before this plan? */
bool laws_is_short(const struct laws_round *r, struct str backend);
/* What is known of a server that no candidate explains. */
enum evidence laws_orphan(const struct laws_round *r, struct str backend, const struct actual_server *s);

#endif
