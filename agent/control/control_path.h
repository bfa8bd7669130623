/*
 * The target of a request, taken apart: the segments of its path and the parameters
 * of its query.  Pure.
 *
 * Both are split first and percent-decoded then, once, so that an encoded slash (a
 * task's ARN has several) stays inside its segment.  An escape that is none, and an
 * encoded NUL, make the whole bad.
 */
#ifndef CONTROL_CONTROL_PATH_H
#define CONTROL_CONTROL_PATH_H

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"

#define CONTROL_PATH_MAX            4096 /* bytes of a path; more is a 400 */
#define CONTROL_PATH_QUERY_MAX      1024 /* likewise, of a query */
#define CONTROL_PATH_SEGMENTS_MAX   8    /* more are counted as so many, which no route has */
#define CONTROL_PATH_PARAMETERS_MAX 8
#define CONTROL_PATH_NAMES_MAX      2 /* "*" of one pattern */

struct control_path {
	struct str segments[CONTROL_PATH_SEGMENTS_MAX];
	size_t n;
	char text[CONTROL_PATH_MAX]; /* what segments point into: not to be copied */
};

struct control_query {
	struct {
		struct str name, value;
	} parameters[CONTROL_PATH_PARAMETERS_MAX];
	size_t n;
	char text[CONTROL_PATH_QUERY_MAX];
};

/* What stands where a pattern has "*"; the others are empty. */
struct control_path_names {
	struct str s[CONTROL_PATH_NAMES_MAX];
};

/* False: it is none, or too long. */
bool control_path_parse(struct str path, struct control_path *ret);
/* "/v1/backends/" and "*": any segment but an empty one. */
bool control_path_matches(const char *pattern, const struct control_path *path, struct control_path_names *ret);
/* What stands behind the question mark: "a=1&b"; one without "=" has no value.  Empty
 * pieces are passed over.  False: as above, or too many. */
bool control_path_parse_query(struct str query, struct control_query *ret);

#endif
