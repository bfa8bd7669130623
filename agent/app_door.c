/* The read-only door: see app_door.h. */
#include "config.h"

#include "app_door.h"

#include <stdlib.h>

#include "base/arena.h"
#include "base/log.h"

struct app_door {
	struct loop *loop;
	struct clk clk;
	struct arena *texts; /* of where: the door outlives the configuration it comes from */
	struct conf_listen where;
	struct control_server_daemon daemon;
	struct control_server *server; /* null: it could not be opened */
	struct loop_timer *retry;
	struct fault fault;
};

static void
open_door(void *arg)
{
	struct app_door *d = arg;
	struct err e = ERR_INIT;

	if (control_server_new(d->loop, &d->where, &d->daemon, &d->server, &e) != ERR_OK) {
		d->server = NULL;
		if (fault_raise(&d->fault, clk_mono_ms(&d->clk), &e))
			log_warn("control", "%s; trying again every %d s, all else works", e.msg,
			    (int)(APP_DOOR_RETRY_MS / 1000));
		loop_timer_arm(d->retry, APP_DOOR_RETRY_MS);
		return;
	}
	(void)fault_clear(&d->fault);
	log_info("control", "control.listen: " STR_FMT " is open, for reading only", STR_ARG(d->where.address));
}

static enum err_code
copy_place(struct app_door *d, const struct conf *conf, struct err *e)
{
	d->where.mode = conf->control.mode;
	d->texts = arena_new(CONF_ARENA_MAX);
	if (d->texts == NULL || !arena_str(d->texts, conf->control_readonly, &d->where.address) ||
	    !arena_str(d->texts, conf->control.group, &d->where.group))
		return err_set(e, ERR_NOMEM, "control.listen");
	return ERR_OK;
}

enum err_code
app_door_new(struct loop *l, const struct conf *conf, const struct control_server_daemon *daemon, struct app_door **ret,
    struct err *e)
{
	struct app_door *d;
	enum err_code code;

	*ret = NULL;
	if (conf->control_readonly.len == 0)
		return ERR_OK;
	d = calloc(1, sizeof(*d));
	if (d == NULL)
		return err_set(e, ERR_NOMEM, "control.listen");
	d->loop = l;
	d->clk = loop_clk(l);
	d->daemon = (struct control_server_daemon){ .facts = daemon->facts, .look = daemon->look, .arg = daemon->arg };
	code = copy_place(d, conf, e);
	if (code == ERR_OK)
		code = loop_timer_new(l, open_door, d, &d->retry, e);
	if (code != ERR_OK) {
		arena_free(d->texts);
		free(d);
		return code;
	}
	open_door(d);
	*ret = d;
	return ERR_OK;
}

void
app_door_wake(struct app_door *d)
{
	if (d != NULL)
		control_server_wake(d->server);
}

const struct fault *
app_door_fault(const struct app_door *d)
{
	return d != NULL ? &d->fault : NULL;
}

void
app_door_close(struct app_door *d)
{
	if (d == NULL)
		return;
	control_server_close(d->server);
	loop_timer_close(d->retry);
	arena_free(d->texts);
	free(d);
}
