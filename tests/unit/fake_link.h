/* hap/hap_link.h that waits for the test: what was asked, and answers by hand. */
#ifndef TESTS_UNIT_FAKE_LINK_H
#define TESTS_UNIT_FAKE_LINK_H

#include "base/buf.h"
#include "hap/hap_link.h"

#define FAKE_LINK_ASKED_MAX 8

struct fake_link_asked {
	struct buf commands; /* one a line */
	size_t n;
	hap_link_gate_fn *gate;
	hap_link_done_fn *done;
	void *arg;
};

struct fake_link {
	struct hap_link link; /* first: the interface is a pointer to it */
	struct fake_link_asked asked[FAKE_LINK_ASKED_MAX];
	size_t n_asked, n_answered;
	int n_closed;
	enum err_code refuses; /* from inside ask; OK: it does not */
};

void fake_link_open(struct fake_link *f);
void fake_link_free(struct fake_link *f);
/* Answers the oldest batch with the first n of these replies; less than were asked
 * for is a fault.  A gate that says no ends it after the first. */
void fake_link_answer(struct fake_link *f, const char *const *replies, size_t n);

#endif
