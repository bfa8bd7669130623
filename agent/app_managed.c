/* Drives managed backends: see app_managed.h. */
#include "config.h"

#include "app_managed.h"

#include <stdio.h>
#include <stdlib.h>

#include "hap/hap_files.h"
#include "hap/hap_master.h"
#include "hap/hap_render.h"

#define APP_MANAGED_PATH_MAX 1200

struct app_managed {
	struct clk clk;
	struct managed *machine;
	struct hap_files *files;
	struct hap_master *master; /* null: HAProxy can't be reloaded */
	struct loop_timer *wake;
	struct managed_actions todo;
};

static void feed(struct app_managed *a, struct managed_event ev);

static void
on_written(void *arg, const struct err *e)
{
	feed(arg, (struct managed_event){ .kind = MANAGED_WRITTEN, .err = e });
}

static void
on_reloaded(void *arg, const struct err *e)
{
	feed(arg, (struct managed_event){ .kind = MANAGED_RELOADED, .err = e });
}

static void
on_wake(void *arg)
{
	feed(arg, (struct managed_event){ .kind = MANAGED_TICK });
}

static enum err_code
write_files(struct app_managed *a, const struct managed_files *f, struct err *e)
{
	struct hap_files_change changes[HAP_FILES_MAX];
	size_t n = 0;

	if (f->keep_good)
		changes[n++] = (struct hap_files_change){ .name = APP_MANAGED_GOOD, .text = f->good };
	if (f->has_text)
		changes[n++] = (struct hap_files_change){ .name = APP_MANAGED_FILE, .text = f->text };
	if (f->drop_good)
		changes[n++] = (struct hap_files_change){ .name = APP_MANAGED_GOOD, .is_removed = true };
	return hap_files_write(a->files, changes, n, on_written, a, e);
}

static void
feed(struct app_managed *a, struct managed_event ev)
{
	struct managed_actions *todo = &a->todo;
	struct err e = ERR_INIT;

	ev.mono_ms = clk_mono_ms(&a->clk);
	managed_feed(a->machine, &ev, todo);
	for (size_t i = 0; i < todo->n_notes; i++)
		log_at(todo->notes[i].level, "managed", "%s", todo->notes[i].text);
	if (todo->wake_in_ms >= 0)
		loop_timer_arm(a->wake, todo->wake_in_ms);
	else
		loop_timer_disarm(a->wake);
	/* What can't even begin has failed, and is not tried again at once. */
	if (todo->write && write_files(a, &todo->files, &e) != ERR_OK)
		feed(a, (struct managed_event){ .kind = MANAGED_WRITTEN, .err = &e });
	else if (todo->reload && hap_master_reload(a->master, on_reloaded, a, &e) != ERR_OK)
		feed(a, (struct managed_event){ .kind = MANAGED_RELOADED, .err = &e });
}

void
app_managed_passed(struct app_managed *a, const struct reconcile_view *v)
{
	if (a != NULL)
		feed(a, (struct managed_event){ .kind = MANAGED_PASSED, .view = v });
}

enum err_code
app_managed_names(
    const struct app_managed *a, struct arena *arena, const struct str **ret, size_t *ret_n, struct err *e)
{
	*ret = NULL;
	*ret_n = 0;
	return a != NULL ? managed_names(a->machine, arena, ret, ret_n, e) : ERR_OK;
}

struct managed_view
app_managed_view(const struct app_managed *a)
{
	return a != NULL ? managed_view(a->machine) : (struct managed_view){ 0 };
}

/* ---- life ---- */

/* What can't be read is as if it were not there, but for a word about it. */
static bool
find(const struct conf *conf, const char *name, struct buf *out)
{
	char path[APP_MANAGED_PATH_MAX];
	struct err e = ERR_INIT;
	bool is_there = false;

	(void)snprintf(path, sizeof(path), STR_FMT "/%s", STR_ARG(conf->haproxy.managed_dir), name);
	if (hap_files_get(path, out, &is_there, &e) == ERR_OK)
		return is_there;
	log_warn("managed", "%s; it is written anew", e.msg);
	buf_free(out);
	return false;
}

static enum err_code
make_machine(struct app_managed *a, const struct conf *conf, struct err *e)
{
	struct buf text = buf_make(HAP_RENDER_MAX), good = buf_make(HAP_RENDER_MAX);
	struct managed_found found = { 0 };
	enum err_code code;

	(void)find(conf, APP_MANAGED_FILE, &text);
	found.has_good = find(conf, APP_MANAGED_GOOD, &good);
	found.text = buf_str(&text);
	found.good = buf_str(&good);
	code = managed_new(conf, &found, &a->machine, e);
	buf_free(&text);
	buf_free(&good);
	return code;
}

enum err_code
app_managed_new(struct loop *l, const struct conf *conf, struct app_managed **ret, struct err *e)
{
	struct app_managed *a;
	enum err_code code;

	*ret = NULL;
	if (!managed_is_asked_for(conf))
		return ERR_OK;
	a = calloc(1, sizeof(*a));
	if (a == NULL)
		return err_set(e, ERR_NOMEM, "managed backends");
	a->clk = loop_clk(l);
	code = make_machine(a, conf, e);
	if (code == ERR_OK)
		code = hap_files_new(l, conf->haproxy.managed_dir, &a->files, e);
	if (code == ERR_OK && conf->haproxy.master_socket.len > 0)
		code = hap_master_new(l, conf->haproxy.master_socket, &hap_master_default_limits, &a->master, e);
	if (code == ERR_OK)
		code = loop_timer_new(l, on_wake, a, &a->wake, e);
	if (code != ERR_OK) {
		app_managed_close(a);
		return code;
	}
	*ret = a;
	return ERR_OK;
}

void
app_managed_inherit(struct app_managed *a, struct app_managed *before)
{
	if (a != NULL && before != NULL && hap_files_follow(a->files, before->files))
		managed_distrust(a->machine);
}

void
app_managed_close(struct app_managed *a)
{
	if (a == NULL)
		return;
	loop_timer_close(a->wake);
	hap_master_close(a->master);
	hap_files_close(a->files);
	managed_free(a->machine);
	free(a);
}
