/*
 * Small worlds for the tests of plan/: a configuration, a roster and a HAProxy, put
 * together by calls that read like a story.  What a call returns may be changed
 * until the world is used.
 *
 * Unless told otherwise there is one source "eu" with one cluster "main", and a
 * task is of service "rng" in subnet "net-1", listed, with one container "app" that
 * publishes 50051.
 */
#ifndef TESTS_UNIT_WORLDS_H
#define TESTS_UNIT_WORLDS_H

#include "conf/conf.h"
#include "ecs/roster.h"
#include "plan/actual.h"
#include "plan/desired.h"
#include "plan/plan.h"

#define WORLD_PARTS_MAX 64 /* of each kind but tasks and servers, of which there may be any number */

struct world;

struct world *world_new(void);
void world_free(struct world *w);
CLEANUP_DEFINE(struct world, world_free);

/* ---- the configuration ---- */

struct conf_source *world_source(struct world *w, const char *name);
struct conf_source *world_first_source(struct world *w); /* "eu" */
struct conf *world_first_conf(struct world *w);          /* to change before it is used */
/* port 0: not given. */
struct conf_backend *world_entry(struct world *w, const char *backend, const char *service, uint16_t port);

/* ---- the roster ---- */

/* Later tasks are of this cluster. */
struct roster_cluster *world_cluster(struct world *w, const char *source, const char *name);
struct roster_cluster *world_first_cluster(struct world *w); /* "main" */
struct taskdef *world_definition(struct world *w, const char *family);
/* ports: "50051 8080/udp" */
struct taskdef_container *world_publishes(struct world *w, struct taskdef *d, const char *container, const char *ports);
/* ipv4 empty: no address; desired status RUNNING up to RUNNING, STOPPED after it. */
struct roster_task *world_task(struct world *w, const char *id, enum roster_status status, const char *ipv4);
/* One more container of the task (none yet: of a task made by world_bare_task). */
struct roster_container *world_container(struct world *w, struct roster_task *t, const char *name, const char *ipv4);
struct roster_task *world_bare_task(struct world *w, const char *id, enum roster_status status);

/* ---- HAProxy ---- */

struct actual_backend *world_backend(struct world *w, const char *name);
/* at: "10.0.0.1:50051", or empty.  READY slots are up with their check passed. */
struct actual_server *world_server(
    struct world *w, struct actual_backend *b, const char *name, enum actual_admin admin, const char *at);
/* Slots rc_1 .. rc_N in maintenance, without an address. */
void world_slots(struct world *w, struct actual_backend *b, unsigned n);

void world_empty(struct world *w, struct actual_backend *b); /* of all its servers */
/* What else is read of HAProxy (version, process, CAs); the backends are put in.  2.6.12 unless changed. */
struct actual *world_haproxy(struct world *w);
void world_version(struct world *w, unsigned major, unsigned minor);

/* ---- the rest of what a plan is made from ---- */

struct plan_rules *world_rules(struct world *w); /* to change before it is used; now_ms is set by world_plan */
struct overlay *world_overlay(struct world *w);  /* nobody's hand so far; in the rules from then on */
/* Of the process that world_haproxy tells; server null: not known by name.  It may be changed until
 * the world is used. */
struct applied_server *world_applied(struct world *w, const char *backend, const char *server, const char *at);
/* Of the process before, which is in the rules from then on. */
struct applied_server *world_former(struct world *w, const char *backend, const char *server, const char *at);
/* Whom it is about: a task of the cluster main, container "app". */
void world_applied_for(struct world *w, struct applied_server *s, const char *task_id);

/* ---- the values ---- */

const struct conf *world_conf(struct world *w);
struct roster *world_roster(struct world *w); /* the world's */
struct desired *world_desired(struct world *w);
struct actual *world_actual(struct world *w);
struct plan_rules world_all_rules(struct world *w); /* with what was applied */
/* Derives, reads and plans, all of it the world's; memory null: none. */
struct plan *world_plan(struct world *w, int64_t now_ms, const struct plan_memory *memory);
/* The steps of a plan: "rc_1: address 10.0.0.1:50051; rc_1: join; rc_2: maint (stopped)". */
const char *world_steps(struct world *w, const struct plan *p);
struct str world_str(struct world *w, const char *text); /* a copy that lives as long as the world */

#endif
