/*
 * The last roster as text: who ran when clusters were last read, for a start while
 * AWS cannot be asked (design.md, section 4).  Pure.
 *
 * A header with the version and the checksum of all that follows, then lines of JSON:
 * a cluster, the task definitions that its tasks need, its tasks.  Definitions and
 * tasks have the shapes that ECS itself gives them, and are read back by what reads its
 * answers, as strictly.  Only tasks that were listed, running and not unhealthy are in
 * it: whoever reads it may learn who may serve, and never that somebody must go.
 */
#ifndef ECS_ROSTER_FILE_H
#define ECS_ROSTER_FILE_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "ecs/roster.h"

#define ROSTER_FILE_TEXT_MAX        ((size_t)128 << 20)
#define ROSTER_FILE_ARENA_MAX       ((size_t)256 << 20)
#define ROSTER_FILE_CLUSTERS_MAX    ((size_t)10000)
#define ROSTER_FILE_TASKS_MAX       ((size_t)100000) /* of a cluster */
#define ROSTER_FILE_DEFINITIONS_MAX ((size_t)20000)  /* of the file */

struct roster_file_cluster {
	struct str source, name, arn, account; /* as of roster_cluster */
	int64_t read_wall_ms;                  /* when AWS said so */
	struct roster_facts *facts;            /* a reference, of what was read back */
	const struct roster_service *services; /* as of roster_cluster; of a file those whose age is known */
	size_t n_services;
};

struct roster_file {
	int64_t saved_wall_ms;
	const struct roster_file_cluster *clusters;
	size_t n_clusters;
	struct arena *arena; /* owns all but facts, this struct included */
};

void roster_file_free(struct roster_file *f); /* null is fine */
CLEANUP_DEFINE(struct roster_file, roster_file_free);
/* Appends to out; facts are borrowed, and may be null. */
NODISCARD enum err_code roster_file_write(
    const struct roster_file_cluster *clusters, size_t n, int64_t now_wall_ms, struct buf *out, struct err *e);
/* Hostile text: refused whole.  ERR_PARSE: damaged; ERR_REFUSED: of another version.  Its tasks
 * are is_remembered, and not listed. */
NODISCARD enum err_code roster_file_read(struct str text, struct roster_file **ret, struct err *e);

#endif
