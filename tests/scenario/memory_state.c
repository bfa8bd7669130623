/* The state directory in memory: see memory_state.h. */
#include "config.h"

#include "memory_state.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#define FILES_MAX 8

struct file {
	char name[64];
	char *text; /* null: there is none */
	size_t len;
};

struct app_state {
	struct file *files; /* FILES_MAX: behind the handle, as a directory is */
	bool is_full;
};

struct app_state *
memory_state_new(void)
{
	struct app_state *s = calloc(1, sizeof(*s));

	assert(s != NULL);
	s->files = calloc(FILES_MAX, sizeof(*s->files));
	assert(s->files != NULL);
	return s;
}

static struct file *
find(const struct app_state *s, const char *name)
{
	struct file *free_one = NULL;

	for (size_t i = 0; i < FILES_MAX; i++) {
		if (strcmp(s->files[i].name, name) == 0)
			return &s->files[i];
		if (s->files[i].name[0] == '\0' && free_one == NULL)
			free_one = &s->files[i];
	}
	assert(free_one != NULL);
	(void)snprintf(free_one->name, sizeof(free_one->name), "%s", name);
	return free_one;
}

static void
drop(struct file *f)
{
	free(f->text);
	f->text = NULL;
	f->len = 0;
}

static bool
is_meant(const struct file *f, const char *name)
{
	return f->text != NULL && (strcmp(name, "*") == 0 || strcmp(f->name, name) == 0);
}

void
memory_state_lose(const struct app_state *s, const char *name)
{
	for (size_t i = 0; i < FILES_MAX; i++)
		if (is_meant(&s->files[i], name))
			drop(&s->files[i]);
}

void
memory_state_damage(const struct app_state *s, const char *name)
{
	for (size_t i = 0; i < FILES_MAX; i++)
		if (is_meant(&s->files[i], name))
			s->files[i].len /= 2;
}

void
memory_state_fill(struct app_state *s, bool is_full)
{
	s->is_full = is_full;
}

/* ---- app_state.h ---- */

enum err_code
app_state_open(struct str dir, struct app_state **ret, struct err *e)
{
	(void)dir;
	(void)e;
	*ret = memory_state_new();
	return ERR_OK;
}

enum err_code
app_state_look(struct str dir, struct app_state **ret, struct err *e)
{
	return app_state_open(dir, ret, e);
}

enum err_code
app_state_read(const struct app_state *s, const char *name, struct buf *out, struct err *e)
{
	for (size_t i = 0; i < FILES_MAX; i++)
		if (is_meant(&s->files[i], name))
			buf_put(out, str_of(s->files[i].text, s->files[i].len));
	return buf_failed(out, e);
}

enum err_code
app_state_write(const struct app_state *s, const char *name, struct str text, struct err *e)
{
	struct file *f;

	if (s->is_full)
		return err_set(e, ERR_IO, "state_dir: %s: no space left on device", name);
	f = find(s, name);
	drop(f);
	f->text = malloc(text.len + 1);
	assert(f->text != NULL);
	memcpy(f->text, text.ptr, text.len);
	f->len = text.len;
	return ERR_OK;
}

enum err_code
app_state_write_in_turn(const struct app_state *s, const char *name, struct str text, struct err *e)
{
	return app_state_write(s, name, text, e);
}

enum err_code
app_state_set_aside(const struct app_state *s, const char *name, struct err *e)
{
	(void)e;
	memory_state_lose(s, name);
	return ERR_OK;
}

void
app_state_close(struct app_state *s)
{
	if (s == NULL)
		return;
	for (size_t i = 0; i < FILES_MAX; i++)
		drop(&s->files[i]);
	free(s->files);
	free(s);
}
