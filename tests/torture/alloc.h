/*
 * What alloc.c runs without memory.  A scenario is a story of our own, told to its end whatever
 * fails in it; a text comes from the corpus of a fuzz target.
 */
#ifndef TESTS_TORTURE_ALLOC_H
#define TESTS_TORTURE_ALLOC_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/str.h"

struct torture_scenario {
	const char *name;
	void *(*set_up)(void); /* null: no argument.  Memory does not run out in it, nor in tear_down */
	/* OK if there is all the memory it wants; CANCELLED: it does not recover. */
	enum err_code (*act)(void *arg);
	void (*tear_down)(void *arg);
};

struct torture_part {
	const struct torture_scenario *scenarios;
	size_t n;
};

/* Of each file in tests/fuzz/corpus/CORPUS. */
struct torture_text {
	const char *corpus;
	enum err_code (*read)(struct str text);
};

/* The test's own requests do not fail meanwhile; what it was before. */
bool torture_pause(bool paused);

/* set_up and tear_down of a scenario that is told of a struct control_story. */
void *torture_story_set_up(void);
void torture_story_tear_down(void *arg);

extern const struct torture_part torture_plan;    /* alloc_plan.c */
extern const struct torture_part torture_control; /* alloc_control.c */
extern const struct torture_text torture_texts[]; /* alloc_text.c */
extern const size_t torture_n_texts;

#endif
