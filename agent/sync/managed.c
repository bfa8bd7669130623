/*
 * Managed backends: see managed.h.
 *
 * Three texts are kept: `disk`, what backends.cfg says; `good`, what HAProxy is known to
 * take (the settings of its last load, the servers of the last write since); and `want`.
 */
#include "config.h"

#include "sync/managed.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "hap/hap_render.h"
#include "hap/hap_text.h"
#include "sync/managed_file.h"

enum busy { BUSY_NOT, BUSY_WRITING, BUSY_RELOADING };

/* Why HAProxy has to be reloaded. */
enum need { NEED_NOTHING, NEED_BACKEND, NEED_SETTINGS, NEED_SLOTS };

struct managed {
	const struct conf *conf;
	struct buf disk, good, want;
	uint64_t seen;      /* managed_file_mark of what want and need were made of; 0: they are to be made */
	bool is_idle;       /* nothing is managed, and nothing was: the file is left alone */
	bool disk_is_old;   /* the file says something else by now */
	bool has_good_file; /* backends.cfg.good stands there */
	enum busy busy;
	struct buf writing;          /* what disk will say */
	bool keeps_good, drops_good; /* what is being done to backends.cfg.good */
	int64_t write_after_ms;
	unsigned failed_writes;

	uint64_t pid, start_time_s;
	unsigned major, minor;
	enum need need;
	char needed_by[HAP_TEXT_NAME_MAX + 1]; /* the first backend that it is for */
	int64_t need_since_ms, reload_after_ms;
	unsigned failed_reloads;
	uint64_t refused;  /* settings_mark of what HAProxy refused; 0: nothing */
	uint64_t reloaded; /* settings_mark of what our last good reload loaded */
	uint64_t pid_then; /* the process that it was asked of */
	struct fault file_fault, reload_fault;
};

/* ---- life ---- */

bool
managed_is_asked_for(const struct conf *conf)
{
	if (!conf->haproxy.apply || conf->haproxy.managed_mode == CONF_MANAGED_OFF)
		return false;
	for (size_t i = 0; i < conf->n_sources; i++)
		if (conf->sources[i].labels.n > 0)
			return true;
	for (size_t i = 0; i < conf->n_backends; i++)
		if (conf->backends[i].managed)
			return true;
	return false;
}

bool
managed_may_add(const struct conf *conf)
{
	return conf->haproxy.managed_mode == CONF_MANAGED_AUTO || conf->haproxy.managed_mode == CONF_MANAGED_RUNTIME;
}

static bool
may_reload(const struct managed *m)
{
	return m->conf->haproxy.managed_mode != CONF_MANAGED_RUNTIME && m->conf->haproxy.master_socket.len > 0;
}

enum err_code
managed_new(const struct conf *conf, const struct managed_found *found, struct managed **ret, struct err *e)
{
	struct managed *m = calloc(1, sizeof(*m));

	if (m == NULL)
		return err_set(e, ERR_NOMEM, "managed backends");
	m->conf = conf;
	m->disk = buf_make(HAP_RENDER_MAX);
	m->good = buf_make(HAP_RENDER_MAX);
	m->want = buf_make(HAP_RENDER_MAX);
	m->writing = buf_make(HAP_RENDER_MAX);
	buf_put(&m->disk, found->text);
	m->has_good_file = found->has_good;
	buf_put(&m->good, m->has_good_file ? found->good : found->text);
	if (buf_failed(&m->disk, e) != ERR_OK || buf_failed(&m->good, e) != ERR_OK) {
		managed_free(m);
		return err_set(e, ERR_LIMIT, "backends.cfg is over %zu bytes", HAP_RENDER_MAX);
	}
	*ret = m;
	return ERR_OK;
}

void
managed_distrust(struct managed *m)
{
	m->disk_is_old = true;
}

void
managed_free(struct managed *m)
{
	if (m == NULL)
		return;
	buf_free(&m->disk);
	buf_free(&m->good);
	buf_free(&m->want);
	buf_free(&m->writing);
	free(m);
}

struct managed_view
managed_view(const struct managed *m)
{
	return (struct managed_view){ .file_fault = &m->file_fault, .reload_fault = &m->reload_fault };
}

/* ---- what the operator reads ---- */

static void PRINTF_LIKE(3, 4) note(struct managed_actions *out, enum log_level level, const char *fmt, ...)
{
	va_list ap;

	if (out->n_notes == MANAGED_NOTES_MAX)
		return;
	out->notes[out->n_notes].level = level;
	va_start(ap, fmt);
	(void)vsnprintf(out->notes[out->n_notes].text, sizeof(out->notes[0].text), fmt, ap);
	va_end(ap);
	out->n_notes++;
}

static void
note_fault(struct managed_actions *out, struct fault *f, int64_t now_ms, const struct err *e, const char *next)
{
	if (fault_raise(f, now_ms, e))
		note(out, LOG_WARN, "%s; %s", e->msg, next);
}

static void
note_end(struct managed_actions *out, struct fault *f, const char *what)
{
	if (fault_clear(f))
		note(out, LOG_INFO, "%s", what);
}

/* ---- texts ---- */

/* Leaves *to alone if there is no memory: its text is still true then. */
static bool
copy(struct buf *to, const struct buf *from)
{
	struct buf fresh = buf_make(HAP_RENDER_MAX);

	buf_put(&fresh, buf_str(from));
	if (buf_failed(&fresh, NULL) != ERR_OK) {
		buf_free(&fresh);
		return false;
	}
	buf_free(to);
	*to = fresh;
	return true;
}

static bool
is_same(const struct buf *a, const struct buf *b)
{
	return str_eq(buf_str(a), buf_str(b));
}

/* What only a reload can change, as a number; never 0. */
static uint64_t
settings_mark(const struct hap_render_outline *o)
{
	uint64_t mark = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < o->n_sections; i++) {
		mark = (mark ^ o->sections[i].settings) * UINT64_C(0x100000001b3);
		mark = (mark ^ o->sections[i].n_slots) * UINT64_C(0x100000001b3);
	}
	return mark | 1;
}

struct outlines {
	struct arena *arena;
	struct hap_render_outline disk, good, want;
};

static enum err_code
outline(struct outlines *o, const struct buf *text, struct hap_render_outline *ret, struct err *e)
{
	return hap_render_outline(o->arena, buf_str(text), ret, e);
}

/* ---- is a reload needed? ---- */

static enum need
needs(const struct managed *m, const struct outlines *o, const struct reconcile_view *v, struct str name)
{
	const struct plan_backend *p = plan_find(v->plan, name);
	const struct actual_backend *a = actual_find(v->actual, name);
	const struct hap_render_section *good = hap_render_find(&o->good, name),
					*want = hap_render_find(&o->want, name);

	if (p == NULL || want == NULL)
		return NEED_NOTHING;
	if (!p->exists)
		return plan_makes(v->plan, name) ? NEED_NOTHING : NEED_BACKEND;
	if ((good != NULL && good->settings != want->settings) || hap_render_is_left(&o->good, name))
		return NEED_SETTINGS;
	if (m->major < 3 && a != NULL && (p->n_unplaced > 0 || p->strategy == PLAN_STRATEGY_NONE) &&
	    want->n_slots > a->n_slots)
		return NEED_SLOTS;
	return NEED_NOTHING;
}

static void
find_need(struct managed *m, const struct outlines *o, const struct reconcile_view *v, int64_t now_ms)
{
	enum need before = m->need;

	m->need = NEED_NOTHING;
	for (size_t i = 0; i < v->desired->n_backends && m->need == NEED_NOTHING; i++) {
		const struct desired_backend *d = &v->desired->backends[i];

		if (!d->conf->managed || d->conf->retired)
			continue;
		m->need = needs(m, o, v, d->name);
		(void)snprintf(m->needed_by, sizeof(m->needed_by), STR_FMT, STR_ARG(d->name));
	}
	if (before == NEED_NOTHING)
		m->need_since_ms = now_ms;
}

static const char *
need_text(enum need need)
{
	switch (need) {
	case NEED_NOTHING:
		break;
	case NEED_BACKEND:
		return "is not in HAProxy yet";
	case NEED_SETTINGS:
		return "has other settings in HAProxy";
	case NEED_SLOTS:
		return "has no free slot left";
	}
	return "";
}

/* ---- reloads ---- */

static int64_t
grown(int64_t first, unsigned times)
{
	int64_t ms = first;

	while (times-- > 1 && ms < MANAGED_LAST_MS)
		ms *= 2;
	return ms < MANAGED_LAST_MS ? ms : MANAGED_LAST_MS;
}

/* What nobody but the operator can do. */
static void
ask_operator(struct managed *m, int64_t now_ms, struct managed_actions *out)
{
	struct err e = ERR_INIT;
	bool is_old = m->major < 3 || (m->major == 3 && m->minor < 4);

	if (m->conf->haproxy.managed_mode == CONF_MANAGED_RUNTIME && is_old)
		err_fill(&e, ERR_CONF, 0,
		    "backend `%s` %s: haproxy.managed.mode is runtime, which needs HAProxy 3.4, and this is %u.%u: "
		    "use mode auto and name haproxy.master_socket",
		    m->needed_by, need_text(m->need), m->major, m->minor);
	else if (m->conf->haproxy.managed_mode == CONF_MANAGED_RUNTIME)
		err_fill(&e, ERR_CONF, 0,
		    "backend `%s` %s: only a reload of HAProxy can change that, and haproxy.managed.mode is "
		    "runtime: reload HAProxy, or use mode auto",
		    m->needed_by, need_text(m->need));
	else
		err_fill(&e, ERR_CONF, 0,
		    "backend `%s` %s: reload HAProxy (systemctl reload haproxy), or name its master socket as "
		    "haproxy.master_socket",
		    m->needed_by, need_text(m->need));
	note_fault(out, &m->reload_fault, now_ms, &e, "backends.cfg is ready for it");
}

/* It was reloaded, on this very text, and nothing came of it. */
static bool
was_in_vain(const struct managed *m, uint64_t mark)
{
	return m->reloaded == mark && m->pid != m->pid_then && m->need != NEED_NOTHING;
}

static void
give_up_on_reload(struct managed *m, int64_t now_ms, struct managed_actions *out)
{
	struct err e = ERR_INIT;

	err_fill(&e, ERR_CONF, 0,
	    "HAProxy was reloaded, and backend `%s` still %s: is it started with `-f " STR_FMT "/backends.cfg`?",
	    m->needed_by, need_text(m->need), STR_ARG(m->conf->haproxy.managed_dir));
	m->reloaded = 0;
	m->failed_reloads++;
	m->reload_after_ms = now_ms + grown(MANAGED_REFUSED_MS, m->failed_reloads);
	note_fault(out, &m->reload_fault, now_ms, &e, "asking again, less and less often");
}

/* What stands in backends.cfg is what the process before us runs on. */
static void
take_for_good(struct managed *m)
{
	(void)copy(&m->good, &m->disk);
	m->seen = 0;
	m->need = NEED_NOTHING;
	m->refused = 0;
}

static void
meet_process(struct managed *m, const struct actual *a, int64_t now_ms)
{
	bool other = m->pid != 0 && (m->pid != a->pid || m->start_time_s != a->start_time_s);

	m->pid = a->pid;
	m->start_time_s = a->start_time_s;
	m->major = a->major;
	m->minor = a->minor;
	if (!other || m->busy == BUSY_WRITING)
		return;
	take_for_good(m);
	/* Somebody has seen to it, perhaps: what was put off may be tried soon. */
	if (m->reload_after_ms > now_ms + MANAGED_RELOAD_EVERY_MS)
		m->reload_after_ms = now_ms + MANAGED_RELOAD_EVERY_MS;
}

/* ---- what is due ---- */

static void
wake_at(struct managed_actions *out, int64_t now_ms, int64_t at_ms)
{
	int64_t in_ms = at_ms > now_ms ? at_ms - now_ms : 0;

	if (out->wake_in_ms < 0 || in_ms < out->wake_in_ms)
		out->wake_in_ms = in_ms;
}

enum good_file { GOOD_STAYS, GOOD_KEEP, GOOD_DROP };

static void
begin_write(struct managed *m, const struct buf *text, enum good_file good, int64_t now_ms, struct managed_actions *out)
{
	if (!copy(&m->writing, text)) {
		m->write_after_ms = now_ms + MANAGED_WRITE_RETRY_MS;
		wake_at(out, now_ms, m->write_after_ms);
		return;
	}
	m->busy = BUSY_WRITING;
	m->keeps_good = good == GOOD_KEEP;
	m->drops_good = good == GOOD_DROP;
	out->write = true;
	out->files = (struct managed_files){
		.keep_good = m->keeps_good,
		.good = buf_str(&m->good),
		.has_text = m->disk_is_old || !is_same(&m->disk, &m->writing),
		.text = buf_str(&m->writing),
		.drop_good = m->drops_good,
	};
}

static void
write_want(struct managed *m, int64_t now_ms, struct managed_actions *out)
{
	if (now_ms < m->write_after_ms) {
		wake_at(out, now_ms, m->write_after_ms);
		return;
	}
	if (m->need != NEED_NOTHING)
		begin_write(m, &m->want, m->has_good_file ? GOOD_STAYS : GOOD_KEEP, now_ms, out);
	else
		begin_write(m, &m->want, m->has_good_file ? GOOD_DROP : GOOD_STAYS, now_ms, out);
}

static void
reload(struct managed *m, int64_t now_ms, struct managed_actions *out)
{
	int64_t at_ms = m->need_since_ms + MANAGED_RELOAD_WAIT_MS;

	if (!may_reload(m)) {
		ask_operator(m, now_ms, out);
		return;
	}
	if (at_ms < m->reload_after_ms)
		at_ms = m->reload_after_ms;
	if (now_ms < at_ms) {
		wake_at(out, now_ms, at_ms);
		return;
	}
	note(out, LOG_INFO, "reloading HAProxy: backend `%s` %s", m->needed_by, need_text(m->need));
	m->busy = BUSY_RELOADING;
	m->pid_then = m->pid;
	out->reload = true;
}

/* The settings that HAProxy refused stay out of its file until their time comes. */
static bool
is_put_off(const struct managed *m, int64_t now_ms, struct managed_actions *out)
{
	CLEANUP(arena_free_at) struct arena *a = m->refused != 0 ? arena_new(HAP_RENDER_MAX) : NULL;
	struct hap_render_outline want;

	if (a == NULL || hap_render_outline(a, buf_str(&m->want), &want, NULL) != ERR_OK)
		return m->refused != 0;
	if (settings_mark(&want) != m->refused || now_ms >= m->reload_after_ms)
		return false;
	wake_at(out, now_ms, m->reload_after_ms);
	return true;
}

static void
decide(struct managed *m, int64_t now_ms, struct managed_actions *out)
{
	if (m->busy != BUSY_NOT || m->want.len == 0 || m->is_idle || is_put_off(m, now_ms, out))
		return;
	if (m->disk_is_old || !is_same(&m->want, &m->disk)) {
		write_want(m, now_ms, out);
	} else if (m->need != NEED_NOTHING) {
		reload(m, now_ms, out);
	} else if (m->has_good_file) {
		begin_write(m, &m->disk, GOOD_DROP, now_ms, out);
	}
}

/* ---- events ---- */

static bool
all_clusters_known(const struct roster *roster)
{
	for (size_t i = 0; i < roster->n_clusters; i++)
		if (!roster->clusters[i].was_read && !roster->clusters[i].is_read_in_part &&
		    !roster->clusters[i].fault_is_permanent)
			return false;
	return true;
}

static enum err_code
look(struct managed *m, const struct reconcile_view *v, int64_t now_ms, struct managed_actions *out, struct err *e)
{
	CLEANUP(arena_free_at) struct arena *a = arena_new(PLAN_ARENA_MAX);
	struct outlines o = { .arena = a };
	enum err_code code = a != NULL ? ERR_OK : err_set(e, ERR_NOMEM, "backends.cfg");

	m->seen = 0;
	buf_reset(&m->want);
	if (code == ERR_OK)
		code = outline(&o, &m->disk, &o.disk, e);
	if (code == ERR_OK)
		code = managed_file_render(m->conf, v, &o.disk, &m->want, e);
	if (code == ERR_OK)
		code = outline(&o, &m->good, &o.good, e);
	if (code == ERR_OK)
		code = outline(&o, &m->want, &o.want, e);
	if (code != ERR_OK) {
		buf_free(&m->want);
		return err_wrap(e, code, "backends.cfg");
	}
	m->is_idle = o.disk.n_sections == 0 && o.want.n_sections == 0 && !m->has_good_file;
	find_need(m, &o, v, now_ms);
	if (was_in_vain(m, settings_mark(&o.want))) {
		give_up_on_reload(m, now_ms, out);
	} else if (m->need == NEED_NOTHING) {
		note_end(out, &m->reload_fault, "managed backends: HAProxy has them all, as they should be");
		m->failed_reloads = 0;
	}
	m->seen = managed_file_mark(v);
	return ERR_OK;
}

/* A file that forgot what a cluster has not told yet would be a removal without evidence. */
static void
on_passed(struct managed *m, const struct managed_event *ev, struct managed_actions *out)
{
	const struct reconcile_view *v = ev->view;
	struct err e = ERR_INIT;

	if (v->actual == NULL || v->plan == NULL || v->desired == NULL || v->actual->stopping)
		return;
	meet_process(m, v->actual, ev->mono_ms);
	if (!all_clusters_known(v->desired->roster) || m->seen == managed_file_mark(v))
		return;
	if (look(m, v, ev->mono_ms, out, &e) != ERR_OK)
		note_fault(out, &m->file_fault, ev->mono_ms, &e, "the file stays as it is");
}

static void
on_written(struct managed *m, const struct managed_event *ev, struct managed_actions *out)
{
	m->busy = BUSY_NOT;
	if (ev->err->code != ERR_OK) {
		m->failed_writes++;
		m->write_after_ms = ev->mono_ms + grown(MANAGED_WRITE_RETRY_MS, m->failed_writes);
		note_fault(out, &m->file_fault, ev->mono_ms, ev->err,
		    "servers are changed at run time all the same, and a reload of HAProxy starts with the old ones");
		return;
	}
	m->failed_writes = 0;
	m->write_after_ms = ev->mono_ms + MANAGED_WRITE_EVERY_MS;
	note_end(out, &m->file_fault, "backends.cfg is written again");
	(void)copy(&m->disk, &m->writing);
	m->disk_is_old = false;
	m->seen = 0;
	m->has_good_file = (m->has_good_file || m->keeps_good) && !m->drops_good;
	if (m->need == NEED_NOTHING)
		(void)copy(&m->good, &m->disk);
}

static void
on_refused(struct managed *m, const struct managed_event *ev, struct managed_actions *out)
{
	CLEANUP(arena_free_at) struct arena *a = arena_new(HAP_RENDER_MAX);
	struct hap_render_outline disk;
	struct err e = *ev->err;

	m->failed_reloads++;
	m->reload_after_ms = ev->mono_ms + grown(MANAGED_REFUSED_MS, m->failed_reloads);
	err_prefix(&e, "HAProxy could not be reloaded");
	note_fault(out, &m->reload_fault, ev->mono_ms, &e,
	    "the last good backends.cfg is back and HAProxy runs on as it was; trying again when it is reloaded by "
	    "somebody, or later");
	if (a == NULL || hap_render_outline(a, buf_str(&m->disk), &disk, NULL) != ERR_OK)
		return;
	m->refused = settings_mark(&disk);
	begin_write(m, &m->good, GOOD_DROP, ev->mono_ms, out);
}

static void
on_reloaded(struct managed *m, const struct managed_event *ev, struct managed_actions *out)
{
	CLEANUP(arena_free_at) struct arena *a = arena_new(HAP_RENDER_MAX);
	struct hap_render_outline disk;

	m->busy = BUSY_NOT;
	if (ev->err->code == ERR_REFUSED) {
		on_refused(m, ev, out);
		return;
	}
	if (ev->err->code != ERR_OK) {
		m->failed_reloads++;
		m->reload_after_ms = ev->mono_ms + grown(MANAGED_RELOAD_EVERY_MS, m->failed_reloads);
		note_fault(out, &m->reload_fault, ev->mono_ms, ev->err, "asking again, less and less often");
		return;
	}
	m->reload_after_ms = ev->mono_ms + MANAGED_RELOAD_EVERY_MS;
	if (a != NULL && hap_render_outline(a, buf_str(&m->disk), &disk, NULL) == ERR_OK)
		m->reloaded = settings_mark(&disk);
	note(out, LOG_INFO, "HAProxy was reloaded and has loaded backends.cfg");
	take_for_good(m);
}

void
managed_feed(struct managed *m, const struct managed_event *ev, struct managed_actions *ret)
{
	ret->write = ret->reload = false;
	ret->files = (struct managed_files){ 0 };
	ret->wake_in_ms = -1;
	ret->n_notes = 0;
	switch (ev->kind) {
	case MANAGED_PASSED:
		on_passed(m, ev, ret);
		break;
	case MANAGED_WRITTEN:
		on_written(m, ev, ret);
		break;
	case MANAGED_RELOADED:
		on_reloaded(m, ev, ret);
		break;
	case MANAGED_TICK:
		break;
	}
	decide(m, ev->mono_ms, ret);
}

enum err_code
managed_names(const struct managed *m, struct arena *a, const struct str **ret, size_t *ret_n, struct err *e)
{
	struct hap_render_outline disk;
	struct str *names;
	enum err_code code = hap_render_outline(a, buf_str(&m->disk), &disk, e);

	if (code != ERR_OK)
		return code;
	names = ARENA_ARRAY(a, struct str, disk.n_sections + disk.n_left + 1);
	if (names == NULL)
		return err_set(e, ERR_NOMEM, "the names in backends.cfg");
	for (size_t i = 0; i < disk.n_sections; i++)
		names[i] = disk.sections[i].name;
	for (size_t i = 0; i < disk.n_left; i++)
		names[disk.n_sections + i] = disk.left[i];
	*ret = names;
	*ret_n = disk.n_sections + disk.n_left;
	return ERR_OK;
}
