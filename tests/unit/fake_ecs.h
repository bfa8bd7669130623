/*
 * A small ECS for the tests of the sweep: tasks as a table, answers as JSON, and
 * faults by the number of the call.  What it says of whom is on record, so that a
 * test can tell evidence from imagination.
 */
#ifndef FAKE_ECS_H
#define FAKE_ECS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

#define FAKE_ECS_ACCOUNT "123456789012"
#define FAKE_ECS_PREFIX  "arn:aws:ecs:eu-west-1:" FAKE_ECS_ACCOUNT ":"
#define FAKE_ECS_FAULTS  8

struct fake_task {
	char id[33];
	const char *last, *desired, *health;
	unsigned version, definition; /* revision of family "shop" */
	bool unlisted;                /* ListTasks forgets it */
	bool forgotten;               /* DescribeTasks calls it MISSING, and ListTasks forgets it, too */
	bool has_address;
	bool unreadable;  /* its description holds what no JSON reader takes: with it the whole answer */
	bool told_ending; /* an answer said that it ends, has ended, or is MISSING */
};

struct fake_service {
	const char *name;
	int64_t created_ms;
};

enum fake_fault_kind {
	FAKE_NONE,
	FAKE_UNREACHABLE, /* the call fails in passing */
	FAKE_DENIED,
	FAKE_CUT,       /* half of the answer */
	FAKE_EMPTY,     /* {} */
	FAKE_NOTHING,   /* no tasks or services, no failures, no token */
	FAKE_TOKEN,     /* ListTasks: the token of the page before again */
	FAKE_FOREIGN,   /* the same from another account */
	FAKE_ELSEWHERE, /* the same of another cluster */
	FAKE_OMIT,      /* DescribeTasks: the first task is left out, from here on: */
	FAKE_MANGLE,    /* is malformed */
	FAKE_TROUBLE,   /* is a failure with another reason than MISSING */
	FAKE_MISSING,   /* is MISSING, though it is there */
	FAKE_STRANGER,  /* is joined by one that nobody asked for */
	FAKE_TWICE,     /* comes twice, the second time as STOPPED */
	FAKE_N_KINDS
};

struct fake_fault {
	const char *action;
	unsigned nth; /* of these calls, from 1; 0: all of them */
	enum fake_fault_kind kind;
};

struct fake_ecs {
	struct fake_task *tasks;
	size_t n_tasks, page_size; /* 0: 100 */
	struct fake_fault faults[FAKE_ECS_FAULTS];
	unsigned lists, describes, defines, proofs; /* calls; set to 0 at will */
	size_t described;                           /* ARNs asked about */
	unsigned defined_last;                      /* revision */
	const char *clusters[4]; /* of ListClusters, a page each; "empty..." have no tasks, nor has "default" */
	unsigned cluster_lists;
	struct fake_service *services; /* of DescribeServices; of cluster "prod" */
	size_t n_services;
	unsigned service_describes;
	size_t described_services; /* names asked about */
	bool bad_definitions;
};

/* n tasks, RUNNING and HEALTHY, of one revision. */
void fake_ecs_init(struct fake_ecs *f, size_t n);
void fake_ecs_free(struct fake_ecs *f);
/* The call's answer in *out, or an error: the call failed. */
enum err_code fake_ecs_answer(struct fake_ecs *f, const char *action, struct str body, struct buf *out, struct err *e);
void fake_ecs_arn(const struct fake_task *t, char ret[128]);

#endif
