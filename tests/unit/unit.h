/*
 * What the tests of base/ and sync/ share: cmocka with the headers that it wants
 * before it, and checks that read well in a table.
 */
#ifndef UNIT_UNIT_H
#define UNIT_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/str.h"

#define N_OF(array) (sizeof(array) / sizeof((array)[0]))

/* Says which row of a table it was, and fails unless ok. */
#define CHECK_ROW(ok, row, what)                                                        \
	do {                                                                            \
		if (!(ok))                                                              \
			fail_msg("row %zu: \"%s\"", (size_t)(row), (const char *)what); \
	} while (0)

#define assert_str(got, want)                                                                                  \
	do {                                                                                                   \
		const struct str got_ = (got);                                                                 \
		const struct str want_ = str_from_cstr(want);                                                  \
		if (!str_eq(got_, want_))                                                                      \
			fail_msg("\"" STR_FMT "\" instead of \"" STR_FMT "\"", STR_ARG(got_), STR_ARG(want_)); \
	} while (0)

#endif
