/*
 * backends.cfg: the managed backends, as HAProxy's configuration has them.  Pure.
 *
 * HAProxy reads the file at each start and reload, before anybody can tell it
 * anything at run time.  So it holds what serves now, as static servers, which are up from the first
 * moment: a reload loses no call.  On HAProxy before 3.0, where servers that were
 * added at run time reuse no connection, empty slots stand behind them.
 *
 * A text may be compared with another: the same input gives the same bytes.  What a
 * backend's section says besides its servers are its settings; only a reload can
 * change those.  Servers and slots of a text are one line each, and nothing else
 * begins with the words `server` and `server-template`.
 */
#ifndef HAP_HAP_RENDER_H
#define HAP_HAP_RENDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "plan/plan.h"

#define HAP_RENDER_MAX      ((size_t)32 << 20)
#define HAP_RENDER_LINE_MAX 2000 /* HAProxy 2.6 refuses lines of 2048 bytes */

struct hap_render_server {
	struct str name, address; /* the address numeric */
	uint16_t port;
	const struct conf_policy *policy;
	unsigned weight;  /* 0..256 */
	bool is_disabled; /* in maintenance from the start */
	bool is_down;     /* failed its checks: where HAProxy can, it stays down until one passes */
};

struct hap_render_backend {
	const struct conf_backend *conf;
	const struct hap_render_server *servers; /* in the order to write */
	size_t n_servers;
	unsigned n_slots; /* rc_1 ... */
};

struct hap_render_file {
	struct str defaults; /* the named defaults section that each backend is from */
	unsigned major, minor;
	const struct hap_render_backend *backends;
	size_t n_backends;
	const struct str *left; /* names that HAProxy has until its next reload, and the file no more: a remark */
	size_t n_left;
};

/* Appends the file's text; nothing on failure.  ERR_ARG: a value that would need quoting,
 * which names it; ERR_LIMIT: a line, or the whole, too long for HAProxy. */
NODISCARD enum err_code hap_render(const struct hap_render_file *f, struct buf *out, struct err *e);

/* What a text says of one backend. */
struct hap_render_section {
	struct str name;
	struct str text;   /* all of it, from its `backend` line on */
	uint64_t settings; /* a number for the lines that are no server's: the same for the same lines */
	unsigned n_slots;
	size_t first_server; /* into hap_render_outline.servers */
	size_t n_servers;
};

/* An outline of a text that we wrote, or that somebody edited: borrows from it. */
struct hap_render_outline {
	const struct hap_render_section *sections; /* as they stand */
	size_t n_sections;
	const struct str *servers; /* names, sorted within each section */
	size_t n_servers;
	const struct str *left; /* as hap_render_file has them */
	size_t n_left;
};

/* Any bytes; what is no section of ours is passed over. */
NODISCARD enum err_code hap_render_outline(
    struct arena *a, struct str text, struct hap_render_outline *ret, struct err *e);
const struct hap_render_section *hap_render_find(const struct hap_render_outline *o, struct str backend); /* or null */
bool hap_render_is_left(const struct hap_render_outline *o, struct str backend);
bool hap_render_names(const struct hap_render_outline *o, const struct hap_render_section *s, struct str server);

#endif
