/* Tables: see cli_table.h. */
#include "config.h"

#include "cli/cli_table.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"

#define GAP 2 /* columns between two columns */

struct cell {
	struct str text; /* clean */
	size_t columns;
	enum cli_text_tone tone;
};

struct cli_table {
	const struct cli_table_column *columns;
	size_t n_columns;
	struct cell *cells; /* row by row */
	size_t n_cells, cap;
	struct arena *texts;
	bool failed;
};

struct layout {
	size_t width[CLI_TABLE_COLUMNS_MAX];
	bool hidden[CLI_TABLE_COLUMNS_MAX];
	size_t room; /* of a line */
};

struct cli_table *
cli_table_new(const struct cli_table_column *columns, size_t n)
{
	struct cli_table *t = calloc(1, sizeof(*t));

	assert(n > 0 && n <= CLI_TABLE_COLUMNS_MAX);
	if (t == NULL)
		return NULL;
	t->columns = columns;
	t->n_columns = n;
	t->texts = arena_new(CLI_TABLE_BYTES_MAX);
	t->failed = t->texts == NULL;
	return t;
}

void
cli_table_free(struct cli_table *t)
{
	if (t == NULL)
		return;
	arena_free(t->texts);
	free(t->cells);
	free(t);
}

static bool
make_room(struct cli_table *t)
{
	size_t cap = t->cap > 0 ? t->cap * 2 : 64;
	struct cell *cells;

	if (t->n_cells < t->cap)
		return true;
	if (cap > CLI_TABLE_BYTES_MAX / sizeof(*cells))
		return false;
	cells = realloc(t->cells, cap * sizeof(*cells));
	if (cells == NULL)
		return false;
	t->cells = cells;
	t->cap = cap;
	return true;
}

static bool
keep_clean(struct arena *a, struct str text, struct str *ret)
{
	struct buf clean = buf_make(CLI_TABLE_BYTES_MAX);
	bool ok;

	cli_text_put(&clean, text);
	ok = buf_failed(&clean, NULL) == ERR_OK && arena_str(a, buf_str(&clean), ret);
	buf_free(&clean);
	return ok;
}

void
cli_table_cell(struct cli_table *t, enum cli_text_tone tone, struct str text)
{
	struct cell cell = { .tone = tone };

	if (t->failed)
		return;
	if (!make_room(t) || !keep_clean(t->texts, text, &cell.text)) {
		t->failed = true;
		return;
	}
	cell.columns = cli_text_columns(cell.text);
	t->cells[t->n_cells++] = cell;
}

void
cli_table_number(struct cli_table *t, int64_t value)
{
	char text[24] = "";

	(void)snprintf(text, sizeof(text), "%" PRId64, value);
	cli_table_cell(t, CLI_TEXT_PLAIN, str_from_cstr(text));
}

/* ---- how wide each column is ---- */

static void
widen(size_t *width, size_t columns)
{
	if (columns > *width)
		*width = columns;
}

static size_t
total(const struct cli_table *t, const struct layout *l)
{
	size_t sum = 0, n = 0;

	for (size_t i = 0; i < t->n_columns; i++) {
		sum += l->hidden[i] ? 0 : l->width[i];
		n += l->hidden[i] ? 0 : 1;
	}
	return sum + (n > 1 ? GAP * (n - 1) : 0);
}

static size_t
narrowest(const struct cli_table_column *c)
{
	size_t title = cli_text_columns(str_from_cstr(c->title));

	return title > CLI_TABLE_NARROWEST ? title : CLI_TABLE_NARROWEST;
}

/* Narrows the widest columns of one sort, a column at a time, until all fits or
 * none of them gives way. */
static void
narrow(const struct cli_table *t, struct layout *l, bool drops)
{
	while (total(t, l) > l->room) {
		size_t best = t->n_columns;

		for (size_t i = 0; i < t->n_columns; i++) {
			const struct cli_table_column *c = &t->columns[i];

			if (l->hidden[i] || !c->yields || c->drops != drops || l->width[i] <= narrowest(c))
				continue;
			if (best == t->n_columns || l->width[i] > l->width[best])
				best = i;
		}
		if (best == t->n_columns)
			return;
		l->width[best]--;
	}
}

static void
drop(const struct cli_table *t, struct layout *l)
{
	for (size_t i = t->n_columns; i-- > 0 && total(t, l) > l->room;)
		l->hidden[i] = t->columns[i].drops;
}

/* What may be left out gives way before what tells which row it is. */
static struct layout
lay_out(const struct cli_table *t, unsigned width)
{
	struct layout l = { .room = width > 0 ? width : SIZE_MAX };

	assert(t->n_columns > 0);
	for (size_t i = 0; i < t->n_columns; i++)
		l.width[i] = cli_text_columns(str_from_cstr(t->columns[i].title));
	for (size_t i = 0; i < t->n_cells; i++)
		widen(&l.width[i % t->n_columns], t->cells[i].columns);
	narrow(t, &l, true);
	drop(t, &l);
	narrow(t, &l, false);
	return l;
}

/* ---- writing it ---- */

static void
put_blanks(struct buf *out, size_t n)
{
	while (n-- > 0)
		buf_put_u8(out, ' ');
}

/* text in width columns; *pad: blanks that are still owed before it, so that no
 * line ends in blanks. */
static void
put_cell(
    struct buf *out, const struct cli_text_style *style, const struct cell *cell, bool right, size_t width, size_t *pad)
{
	struct buf shown = buf_make(CLI_TABLE_BYTES_MAX);
	size_t columns;

	cli_text_put_cut(&shown, cell->text, width, &columns);
	if (right)
		*pad += width - columns;
	if (columns > 0) {
		put_blanks(out, *pad);
		*pad = 0;
		cli_text_put_toned(out, style, cell->tone, buf_str(&shown));
	}
	*pad += right ? 0 : width - columns;
	if (buf_failed(&shown, NULL) != ERR_OK)
		out->failed = shown.failed;
	buf_free(&shown);
}

/* row: n_columns cells.  What does not even fit narrowed falls off the right edge. */
static void
put_row(struct buf *out, const struct cli_table *t, const struct layout *l, const struct cli_text_style *style,
    const struct cell *row)
{
	size_t room = l->room, pad = 0;

	for (size_t i = 0; i < t->n_columns && room > 0; i++) {
		size_t width = l->width[i] < room ? l->width[i] : room;

		if (l->hidden[i])
			continue;
		put_cell(out, style, &row[i], t->columns[i].right, width, &pad);
		room -= width;
		pad += GAP;
		room -= room < GAP ? room : GAP;
	}
	buf_put_u8(out, '\n');
}

static void
put_titles(struct buf *out, const struct cli_table *t, const struct layout *l, const struct cli_text_style *style)
{
	struct cell titles[CLI_TABLE_COLUMNS_MAX] = { 0 };

	for (size_t i = 0; i < t->n_columns; i++)
		titles[i] = (struct cell){ .text = str_from_cstr(t->columns[i].title), .tone = CLI_TEXT_TITLE };
	put_row(out, t, l, style, titles);
}

enum err_code
cli_table_render(const struct cli_table *t, const struct cli_text_style *style, struct buf *out, struct err *e)
{
	struct layout l;

	if (t->failed)
		return err_set(e, ERR_NOMEM, "no memory for a table");
	l = lay_out(t, style->width);
	put_titles(out, t, &l, style);
	for (size_t i = 0; i + t->n_columns <= t->n_cells; i += t->n_columns)
		put_row(out, t, &l, style, &t->cells[i]);
	return buf_failed(out, e);
}
