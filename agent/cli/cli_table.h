/*
 * A table for a terminal: columns as wide as what is in them, narrowed to fit.
 * Pure.  Cells may hold any bytes (cli_text_put cleans them).
 */
#ifndef CLI_CLI_TABLE_H
#define CLI_CLI_TABLE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/str.h"
#include "cli/cli_text.h"

#define CLI_TABLE_COLUMNS_MAX 16
#define CLI_TABLE_NARROWEST   6 /* no column is narrowed below it */
#define CLI_TABLE_BYTES_MAX   ((size_t)512 << 20)

struct cli_table_column {
	const char *title;
	bool right;  /* numbers */
	bool yields; /* may be narrowed where the terminal is */
	bool drops;  /* may be left out where it is narrower still; the rightmost goes first */
};

struct cli_table;

/* columns must outlive it; at most CLI_TABLE_COLUMNS_MAX.  Null: no memory. */
NODISCARD struct cli_table *cli_table_new(const struct cli_table_column *columns, size_t n);
void cli_table_free(struct cli_table *t); /* null is fine */
CLEANUP_DEFINE(struct cli_table, cli_table_free);
/* Row by row, from left to right.  What fails is told by cli_table_render. */
void cli_table_cell(struct cli_table *t, enum cli_text_tone tone, struct str text);
void cli_table_number(struct cli_table *t, int64_t value);
NODISCARD enum err_code cli_table_render(
    const struct cli_table *t, const struct cli_text_style *style, struct buf *out, struct err *e);

#endif
