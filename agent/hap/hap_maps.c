/*
 * Reading and swapping route maps: see hap_maps.h.
 *
 * A swap is three batches: prepare, which answers a version; the lines and the commit;
 * and, if one of these was refused, the dropping of what was prepared.
 */
#include "config.h"

#include "hap/hap_maps.h"

#include <stdlib.h>

#include "base/arena.h"
#include "hap/hap_text.h"

#define TEXT_MAX  (HAP_MAP_MAX + ((size_t)1 << 20))
#define ARENA_MAX ((size_t)64 << 20)
#define INFO_MAX  ((size_t)64 << 10)

struct job {
	struct hap_maps *maps; /* null: not its job yet */
	struct str path;
	struct arena *arena;
	struct hap_map want;
	uint64_t pid, start_time_s;
	unsigned version;
	bool is_other;
	struct err err; /* of a swap that is being dropped */
	hap_maps_show_fn *shown;
	hap_maps_swap_fn *swapped;
	void *arg;
};

struct hap_maps {
	struct hap_link *link;
	struct job *job; /* under way; null: none */
};

enum err_code
hap_maps_new(struct hap_link *link, struct hap_maps **ret, struct err *e)
{
	struct hap_maps *m = calloc(1, sizeof(*m));

	if (m == NULL)
		return err_set(e, ERR_NOMEM, "route maps");
	m->link = link;
	*ret = m;
	return ERR_OK;
}

static void
job_free(struct job *j)
{
	if (j == NULL)
		return;
	if (j->maps != NULL)
		j->maps->job = NULL;
	arena_free(j->arena);
	free(j);
}

/* The link is closed next, and calls back no more: what is under way goes with it. */
void
hap_maps_close(struct hap_maps *m)
{
	if (m == NULL)
		return;
	job_free(m->job);
	free(m);
}

static enum err_code
job_new(struct hap_maps *m, struct str path, void *arg, struct job **ret, struct err *e)
{
	struct job *j;

	if (m->job != NULL)
		return err_set(e, ERR_LIMIT, "route maps: one thing at a time");
	j = calloc(1, sizeof(*j));
	if (j == NULL || (j->arena = arena_new(ARENA_MAX)) == NULL || !arena_str(j->arena, path, &j->path)) {
		job_free(j);
		return err_set(e, ERR_NOMEM, "route maps");
	}
	j->maps = m;
	j->arg = arg;
	m->job = j;
	*ret = j;
	return ERR_OK;
}

/* ---- commands ---- */

struct commands {
	struct buf text;
	struct str *list;
	size_t n, cap;
};

static void
commands_free_at(struct commands *c)
{
	buf_free(&c->text);
	free(c->list);
}

/* The text may move: offsets until all of it is there. */
static enum err_code
mark(struct commands *c, size_t from, struct err *e)
{
	if (c->n == c->cap) {
		size_t cap = c->cap == 0 ? 8 : 2 * c->cap;
		struct str *bigger = realloc(c->list, cap * sizeof(*bigger));

		if (bigger == NULL)
			return err_set(e, ERR_NOMEM, "route maps");
		c->list = bigger;
		c->cap = cap;
	}
	c->list[c->n++] = (struct str){ .ptr = NULL, .len = c->text.len - from };
	return buf_failed(&c->text, e);
}

static enum err_code
ask(struct hap_maps *m, struct commands *c, hap_link_gate_fn *gate, hap_link_done_fn *done, struct job *j,
    struct err *e)
{
	size_t at = 0;

	for (size_t i = 0; i < c->n; i++) {
		c->list[i].ptr = (const char *)c->text.ptr + at;
		at += c->list[i].len;
	}
	return m->link->ask(m->link, c->list, c->n, gate, done, j, e);
}

static enum err_code
put_info(struct commands *c, struct err *e)
{
	buf_put(&c->text, STR("show info"));
	return mark(c, 0, e);
}

static enum err_code
read_info(struct str reply, uint64_t *ret_pid, uint64_t *ret_start_s, struct err *e)
{
	CLEANUP(arena_free_at) struct arena *a = arena_new(INFO_MAX);
	struct hap_text_info info;
	enum err_code code;

	if (a == NULL)
		return err_set(e, ERR_NOMEM, "HAProxy's answer");
	code = hap_text_parse_info(a, reply, &info, e);
	if (code == ERR_OK) {
		*ret_pid = info.pid;
		*ret_start_s = info.start_time_s;
	}
	return code;
}

/* ---- show ---- */

static void
on_shown(void *arg, const struct str *replies, size_t n, const struct err *failed)
{
	struct job *j = arg;
	hap_maps_show_fn *done = j->shown;
	void *done_arg = j->arg;
	struct hap_maps_shown shown = { 0 };
	CLEANUP(arena_free_at) struct arena *keep = NULL;
	struct err e = ERR_INIT;
	enum err_code code = ERR_OK;

	(void)n;
	if (failed == NULL)
		code = read_info(replies[0], &shown.pid, &shown.start_time_s, &e);
	if (failed == NULL && code == ERR_OK)
		code = hap_map_parse(j->arena, replies[1], j->path, &shown.map, &e);
	keep = MOVE(j->arena);
	job_free(j);
	if (failed != NULL)
		done(done_arg, NULL, failed);
	else
		done(done_arg, code == ERR_OK ? &shown : NULL, code == ERR_OK ? NULL : &e);
}

static enum err_code
ask_show(struct hap_maps *m, struct job *j, struct err *e)
{
	struct commands c CLEANUP(commands_free_at) = { .text = buf_make(TEXT_MAX) };
	enum err_code code = put_info(&c, e);
	size_t from = c.text.len;

	if (code == ERR_OK)
		code = hap_map_ask(j->path, &c.text, e);
	if (code == ERR_OK)
		code = mark(&c, from, e);
	return code == ERR_OK ? ask(m, &c, NULL, on_shown, j, e) : code;
}

enum err_code
hap_maps_show(struct hap_maps *m, struct str path, hap_maps_show_fn *done, void *arg, struct err *e)
{
	struct job *j = NULL;
	enum err_code code = job_new(m, path, arg, &j, e);

	if (code != ERR_OK)
		return code;
	j->shown = done;
	code = ask_show(m, j, e);
	if (code != ERR_OK)
		job_free(j);
	return code;
}

/* ---- swap ---- */

static void
end_swap(struct job *j, const struct err *e)
{
	hap_maps_swap_fn *done = j->swapped;
	void *arg = j->arg;
	const struct err copy = *e;

	job_free(j);
	done(arg, &copy);
}

static bool
is_the_one(void *arg, struct str reply)
{
	struct job *j = arg;
	uint64_t pid = 0, start_s = 0;

	j->is_other = read_info(reply, &pid, &start_s, NULL) != ERR_OK || pid != j->pid || start_s != j->start_time_s;
	return !j->is_other;
}

static void
on_dropped(void *arg, const struct str *replies, size_t n, const struct err *failed)
{
	struct job *j = arg;

	(void)replies;
	(void)n;
	(void)failed; /* the swap has failed already, and that is what is told */
	end_swap(j, &j->err);
}

static enum err_code
ask_drop(struct job *j, struct err *e)
{
	struct commands c CLEANUP(commands_free_at) = { .text = buf_make(TEXT_MAX) };
	enum err_code code = put_info(&c, e);
	size_t from = c.text.len;

	hap_map_drop(j->path, j->version, &c.text);
	if (code == ERR_OK)
		code = mark(&c, from, e);
	return code == ERR_OK ? ask(j->maps, &c, is_the_one, on_dropped, j, e) : code;
}

static void
fail_swap(struct job *j, const struct err *why)
{
	j->err = *why;
	if (ask_drop(j, &(struct err){ 0 }) != ERR_OK)
		end_swap(j, why);
}

/* Was the batch answered by the process that it is for?  False: the swap is over, and j is gone. */
static bool
is_answered(struct job *j, const struct err *failed)
{
	struct err e = ERR_INIT;

	if (failed == NULL && !j->is_other)
		return true;
	if (failed == NULL)
		(void)err_set(&e, ERR_CANCELLED, "HAProxy was replaced while its routes were swapped");
	end_swap(j, failed != NULL ? failed : &e);
	return false;
}

static void
on_filled(void *arg, const struct str *replies, size_t n, const struct err *failed)
{
	struct job *j = arg;
	struct err e = ERR_INIT;
	enum err_code code = ERR_OK;

	if (!is_answered(j, failed))
		return;
	for (size_t i = 1; i < n && code == ERR_OK; i++)
		code = hap_map_judge(replies[i], &e);
	if (code != ERR_OK)
		fail_swap(j, &e);
	else
		end_swap(j, &e);
}

static enum err_code
ask_fill(struct job *j, struct err *e)
{
	struct commands c CLEANUP(commands_free_at) = { .text = buf_make(TEXT_MAX) };
	enum err_code code = put_info(&c, e);
	size_t from;

	for (size_t i = 0; code == ERR_OK && i < j->want.n;) {
		from = c.text.len;
		code = hap_map_add(&j->want, i, j->path, j->version, &i, &c.text, e);
		if (code == ERR_OK)
			code = mark(&c, from, e);
	}
	from = c.text.len;
	hap_map_commit(j->path, j->version, &c.text);
	if (code == ERR_OK)
		code = mark(&c, from, e);
	return code == ERR_OK ? ask(j->maps, &c, is_the_one, on_filled, j, e) : code;
}

static void
on_prepared(void *arg, const struct str *replies, size_t n, const struct err *failed)
{
	struct job *j = arg;
	struct err e = ERR_INIT;

	(void)n;
	if (!is_answered(j, failed))
		return;
	if (hap_map_parse_version(replies[1], &j->version, &e) != ERR_OK)
		end_swap(j, &e);
	else if (ask_fill(j, &e) != ERR_OK)
		fail_swap(j, &e);
}

static enum err_code
ask_prepare(struct hap_maps *m, struct job *j, struct err *e)
{
	struct commands c CLEANUP(commands_free_at) = { .text = buf_make(TEXT_MAX) };
	enum err_code code = put_info(&c, e);
	size_t from = c.text.len;

	if (code == ERR_OK)
		code = hap_map_prepare(j->path, &c.text, e);
	if (code == ERR_OK)
		code = mark(&c, from, e);
	return code == ERR_OK ? ask(m, &c, is_the_one, on_prepared, j, e) : code;
}

static bool
copy_map(struct job *j, const struct hap_map *want)
{
	struct hap_map_line *lines = ARENA_ARRAY(j->arena, struct hap_map_line, want->n + 1);

	for (size_t i = 0; lines != NULL && i < want->n; i++)
		if (!arena_str(j->arena, want->lines[i].key, &lines[i].key) ||
		    !arena_str(j->arena, want->lines[i].backend, &lines[i].backend))
			return false;
	j->want = (struct hap_map){ .lines = lines, .n = want->n };
	return lines != NULL;
}

enum err_code
hap_maps_swap(struct hap_maps *m, struct str path, const struct hap_map *want, uint64_t pid, uint64_t start_time_s,
    hap_maps_swap_fn *done, void *arg, struct err *e)
{
	struct job *j = NULL;
	enum err_code code = job_new(m, path, arg, &j, e);

	if (code != ERR_OK)
		return code;
	j->swapped = done;
	j->pid = pid;
	j->start_time_s = start_time_s;
	code = copy_map(j, want) ? ask_prepare(m, j, e) : err_set(e, ERR_NOMEM, "route maps");
	if (code != ERR_OK)
		job_free(j);
	return code;
}
