/*
 * An answer in slices: a long one never holds the loop for its whole length.  Pure.
 *
 * A view puts one item after another, until its slice is full, and says so; called again it
 * goes on from where it was.  Whoever calls it sees to it that the facts are the same
 * ones (control_view.h), so that places in them hold.
 */
#ifndef CONTROL_CONTROL_SLICE_H
#define CONTROL_CONTROL_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "control/control_json.h"
#include "control/control_path.h"

#define CONTROL_SLICE_SIZE ((size_t)192 << 10) /* bytes of text: about a millisecond */

struct control_slice {
	struct str arg;             /* what stands where the route has "*", decoded; else empty */
	struct control_query query; /* what was asked for */
	const void *of;             /* what else the view needs to know: whoever started it has it */
	struct control_json w;      /* into the answer's body */
	size_t until;               /* the slice is full with so many bytes of it */
	bool is_hurried;            /* it is to be the last one, however long */
	/* Where the view goes on; all zero at first. */
	bool has_begun;
	size_t stage, outer, inner;
	uint64_t after_id;
	void *memo; /* what it has worked out; freed by free() */
};

static inline bool
control_slice_is_full(const struct control_slice *s)
{
	return s->w.out->len >= s->until;
}

/* True once: before the view puts its first byte. */
static inline bool
control_slice_begins(struct control_slice *s)
{
	bool is_first = !s->has_begun;

	s->has_begun = true;
	return is_first;
}

#endif
