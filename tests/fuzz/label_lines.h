/* Labels as the corpus of fuzz_label has them: NAME=VALUE, a line each. */
#ifndef TESTS_FUZZ_LABEL_LINES_H
#define TESTS_FUZZ_LABEL_LINES_H

#include <stddef.h>

#include "base/str.h"
#include "ecs/taskdef.h"

#define LABEL_LINES_MAX 150

/* How many, of which labels has room for LABEL_LINES_MAX; borrows the text. */
static inline size_t
label_lines_split(struct str text, struct taskdef_label *labels)
{
	struct str line;
	size_t n = 0, at;

	while (n < LABEL_LINES_MAX && str_next(&text, '\n', &line)) {
		if (!str_find(line, '=', &at))
			at = line.len;
		labels[n++] = (struct taskdef_label){ str_first(line, at), str_skip(line, at + 1) };
	}
	return n;
}

#endif
