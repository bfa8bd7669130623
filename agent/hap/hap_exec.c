/*
 * Reading back, carrying out, asking who is there: see hap_exec.h.
 *
 * Each request is one batch on the link, and begins with `show info`, so that what
 * comes back names its process; a plan's commands follow only if it is the one that
 * the plan was made for.  Two take more than one batch: a plan that loads a CA, and
 * a reading of a backend whose name a frontend has, too: `show stat NAME` then means
 * the frontend, and a second batch asks by number.  Requests under way are kept in a
 * list only so that closing can free them.
 */
#include "config.h"

#include "hap/hap_exec.h"

#include <stdlib.h>

#include "base/arena.h"
#include "base/buf.h"

#define COMMANDS_MAX   ((size_t)8 << 20) /* bytes, all commands of a batch */
#define INFO_ARENA_MAX ((size_t)64 << 10)

/* The commands of one batch: one text, and where each ends. */
struct commands {
	struct buf text;
	size_t *ends;
	size_t n, cap;
};

/* A backend that is to be asked for by number, and what it answered already. */
struct shadowed {
	struct str id; /* empty: it is not */
	struct str servers_reply;
};

struct reading {
	struct actual *actual;           /* owns all of it */
	struct actual_backend *backends; /* actual->backends, while it is filled */
	struct shadowed *shadowed;       /* per backend */
	struct hap_text_layout *layout;  /* of `show stat`, once it is known; actual's */
	bool cas;                        /* asked for: the last reply */
	hap_exec_read_fn *done;
};

/*
 * A plan is one batch, but for its CAs: HAProxy keeps the pieces of one in a
 * transaction, of which it has one, and `commit` would take what there is of them.  So a batch
 * ends with the pieces of a CA, and the next begins with `commit`, or `abort`.
 */
struct running {
	const struct plan *plan;
	uint64_t pid, start_time_s; /* whom it is for */
	unsigned major, minor;
	size_t from, to;             /* steps of the batch under way */
	size_t *n_sent;              /* per step: its commands in that batch */
	bool begins_open, ends_open; /* with a CA whose pieces were sent before; with one whose pieces go now */
	bool is_whole;               /* that HAProxy took all pieces of the former */
	struct hap_exec_report report;
	hap_exec_run_fn *done;
};

struct probing {
	hap_exec_probe_fn *done;
};

enum request_kind { REQUEST_READ, REQUEST_RUN, REQUEST_PROBE };

struct request {
	struct hap_exec *exec;
	struct request *next, **at; /* in exec->requests */
	enum request_kind kind;
	void *arg;
	union {
		struct reading read;
		struct running run;
		struct probing probe;
	} u;
};

struct hap_exec {
	struct hap_link *link;
	struct clk clk;
	struct request *requests;
};

/* ---- commands ---- */

static void
commands_free(struct commands *c)
{
	buf_free(&c->text);
	free(c->ends);
}

static enum err_code
commands_make(size_t cap, struct commands *ret, struct err *e)
{
	*ret = (struct commands){ .text = buf_make(COMMANDS_MAX), .cap = cap };
	ret->ends = calloc(cap, sizeof(*ret->ends));
	return ret->ends != NULL ? ERR_OK : err_set(e, ERR_NOMEM, "no memory for commands to HAProxy");
}

/* What was appended to the text since the last time is a command. */
static void
commands_mark(struct commands *c)
{
	c->ends[c->n++] = c->text.len;
}

static void
commands_put_info(struct commands *c)
{
	buf_put(&c->text, STR("show info"));
	commands_mark(c);
}

static enum err_code
commands_ask(const struct commands *c, hap_link_gate_fn *gate, hap_link_done_fn *done, struct request *r, struct err *e)
{
	struct hap_link *link = r->exec->link;
	struct str *list;
	size_t begin = 0;
	enum err_code rc = buf_failed(&c->text, e);

	if (rc != ERR_OK)
		return rc;
	if ((list = calloc(c->n, sizeof(*list))) == NULL)
		return err_set(e, ERR_NOMEM, "no memory for commands to HAProxy");
	for (size_t i = 0; i < c->n; i++) {
		list[i] = str_of(c->text.ptr + begin, c->ends[i] - begin);
		begin = c->ends[i];
	}
	rc = link->ask(link, list, c->n, gate, done, r, e);
	free(list);
	return rc;
}

/* ---- requests ---- */

static void
request_release(struct request *r)
{
	if (r->kind == REQUEST_READ)
		actual_free(r->u.read.actual);
	if (r->kind == REQUEST_RUN)
		free(r->u.run.n_sent);
	free(r);
}

/* Out of the list, and gone. */
static void
request_free(struct request *r)
{
	*r->at = r->next;
	if (r->next != NULL)
		r->next->at = r->at;
	request_release(r);
}

static struct request *
request_new(struct hap_exec *x, enum request_kind kind, void *arg, struct err *e)
{
	struct request *r = calloc(1, sizeof(*r));

	if (r == NULL) {
		(void)err_set(e, ERR_NOMEM, "no memory for a request to HAProxy");
		return NULL;
	}
	r->exec = x;
	r->kind = kind;
	r->arg = arg;
	r->at = &x->requests;
	r->next = x->requests;
	if (r->next != NULL)
		r->next->at = &r->next;
	x->requests = r;
	return r;
}

enum err_code
hap_exec_new(struct hap_link *k, const struct clk *clk, struct hap_exec **ret, struct err *e)
{
	struct hap_exec *x = calloc(1, sizeof(*x));

	if (x == NULL)
		return err_set(e, ERR_NOMEM, "no memory for HAProxy's link");
	x->link = k;
	x->clk = *clk;
	*ret = x;
	return ERR_OK;
}

void
hap_exec_close(struct hap_exec *x)
{
	if (x == NULL)
		return;
	x->link->close(x->link);
	for (struct request *r = x->requests, *next; r != NULL; r = next) {
		next = r->next;
		request_release(r);
	}
	free(x);
}

/* What was said makes no sense: who said it. */
static void
blame_peer(const struct request *r, struct err *e)
{
	err_prefix(e, "HAProxy's socket %s", r->exec->link->address);
}

/* ---- read ---- */

static void
read_fail(struct request *r, const struct err *e)
{
	hap_exec_read_fn *done = r->u.read.done;
	void *arg = r->arg;

	request_free(r);
	done(arg, NULL, e);
}

static void
read_succeed(struct request *r)
{
	hap_exec_read_fn *done = r->u.read.done;
	void *arg = r->arg;
	struct actual *actual = MOVE(r->u.read.actual);

	request_free(r);
	done(arg, actual, NULL);
}

static bool
same_process(const struct actual *a, const struct hap_text_info *info)
{
	return a->pid == info->pid && a->start_time_s == info->start_time_s;
}

/* The second batch: replies to `show stat NUMBER` of those that are shadowed. */
static enum err_code
read_shadowed(struct reading *rd, const struct str *replies, struct err *e)
{
	struct hap_text_info info;
	size_t at = 1;
	enum err_code rc = hap_text_parse_info(rd->actual->arena, replies[0], &info, e);

	if (rc == ERR_OK && !same_process(rd->actual, &info))
		return err_set(e, ERR_REMOTE, "HAProxy was restarted between two questions");
	for (size_t i = 0; rc == ERR_OK && i < rd->actual->n_backends; i++)
		if (rd->shadowed[i].id.len > 0)
			rc = hap_text_parse_backend(rd->actual->arena, &rd->layout, rd->backends[i].name,
			    rd->shadowed[i].servers_reply, replies[at++], &rd->backends[i], e);
	return rc;
}

static void
on_shadowed(void *arg, const struct str *replies, size_t n, const struct err *failed)
{
	struct request *r = arg;
	struct err e = ERR_INIT;

	(void)n;
	if (failed != NULL) {
		read_fail(r, failed);
	} else if (read_shadowed(&r->u.read, replies, &e) != ERR_OK) {
		blame_peer(r, &e);
		read_fail(r, &e);
	} else {
		read_succeed(r);
	}
}

static enum err_code
put_shadowed(const struct reading *rd, struct commands *c, struct err *e)
{
	enum err_code rc = ERR_OK;

	commands_put_info(c);
	for (size_t i = 0; rc == ERR_OK && i < rd->actual->n_backends; i++) {
		if (rd->shadowed[i].id.len == 0)
			continue;
		rc = hap_text_ask_stat(rd->shadowed[i].id, &c->text, e);
		commands_mark(c);
	}
	return rc;
}

static enum err_code
ask_shadowed(struct request *r, struct err *e)
{
	const struct reading *rd = &r->u.read;
	struct commands c;
	enum err_code rc;

	if ((rc = commands_make(1 + rd->actual->n_backends, &c, e)) != ERR_OK)
		return rc;
	if ((rc = put_shadowed(rd, &c, e)) == ERR_OK)
		rc = commands_ask(&c, NULL, on_shadowed, r, e);
	commands_free(&c);
	return rc;
}

static enum err_code
read_backend(
    struct reading *rd, size_t i, struct str servers_reply, struct str stat_reply, size_t *n_shadowed, struct err *e)
{
	struct shadowed *shadowed = &rd->shadowed[i];
	struct arena *a = rd->actual->arena;
	struct str id;

	if (!hap_text_is_shadowed(servers_reply, stat_reply, &id))
		return hap_text_parse_backend(rd->actual->arena, &rd->layout, rd->backends[i].name, servers_reply,
		    stat_reply, &rd->backends[i], e);
	++*n_shadowed;
	if (!arena_str(a, id, &shadowed->id) || !arena_str(a, servers_reply, &shadowed->servers_reply))
		return err_set(e, ERR_NOMEM, "no memory for HAProxy's answer");
	return ERR_OK;
}

static enum err_code
read_replies(struct request *r, const struct str *replies, size_t *ret_n_shadowed, struct err *e)
{
	struct reading *rd = &r->u.read;
	struct actual *a = rd->actual;
	struct hap_text_info info;
	enum err_code rc = hap_text_parse_info(a->arena, replies[0], &info, e);

	if (rc != ERR_OK)
		return rc;
	a->version = info.version;
	a->major = info.major;
	a->minor = info.minor;
	a->pid = info.pid;
	a->start_time_s = info.start_time_s;
	a->stopping = info.stopping;
	a->read_mono_ms = clk_mono_ms(&r->exec->clk);
	for (size_t i = 0; rc == ERR_OK && i < a->n_backends; i++)
		rc = read_backend(rd, i, replies[1 + 2 * i], replies[2 + 2 * i], ret_n_shadowed, e);
	if (rc == ERR_OK && rd->cas)
		rc = hap_text_parse_cas(a->arena, replies[1 + 2 * a->n_backends], &a->cas, &a->n_cas, e);
	return rc;
}

static void
on_read_back(void *arg, const struct str *replies, size_t n, const struct err *failed)
{
	struct request *r = arg;
	struct err e = ERR_INIT;
	size_t n_shadowed = 0;
	enum err_code rc;

	(void)n;
	if (failed != NULL) {
		read_fail(r, failed);
		return;
	}
	rc = read_replies(r, replies, &n_shadowed, &e);
	if (rc != ERR_OK)
		blame_peer(r, &e);
	if (rc == ERR_OK && n_shadowed == 0) {
		read_succeed(r);
		return;
	}
	if (rc == ERR_OK)
		rc = ask_shadowed(r, &e);
	if (rc != ERR_OK)
		read_fail(r, &e);
}

/* An actual that knows nothing yet but the names; everything in its arena. */
static enum err_code
reading_open(struct reading *rd, const struct str *backends, size_t n, struct err *e)
{
	struct arena *arena = arena_new(ACTUAL_ARENA_MAX);
	struct actual *a = arena != NULL ? ARENA_NEW(arena, struct actual) : NULL;

	if (a == NULL) {
		arena_free(arena);
		return err_set(e, ERR_NOMEM, "no memory for what HAProxy holds");
	}
	a->arena = arena;
	rd->actual = a;
	rd->backends = ARENA_ARRAY(arena, struct actual_backend, n);
	rd->shadowed = ARENA_ARRAY(arena, struct shadowed, n);
	if (rd->backends == NULL || rd->shadowed == NULL)
		return err_set(e, ERR_NOMEM, "no memory for what HAProxy holds");
	for (size_t i = 0; i < n; i++)
		if (!arena_str(arena, backends[i], &rd->backends[i].name))
			return err_set(e, ERR_NOMEM, "no memory for what HAProxy holds");
	a->backends = rd->backends;
	a->n_backends = n;
	return ERR_OK;
}

static enum err_code
put_questions(const struct reading *rd, struct commands *c, struct err *e)
{
	enum err_code rc;

	commands_put_info(c);
	for (size_t i = 0; i < rd->actual->n_backends; i++) {
		if ((rc = hap_text_ask_servers(rd->backends[i].name, &c->text, e)) != ERR_OK)
			return rc;
		commands_mark(c);
		if ((rc = hap_text_ask_stat(rd->backends[i].name, &c->text, e)) != ERR_OK)
			return rc;
		commands_mark(c);
	}
	if (rd->cas) {
		buf_put(&c->text, STR(HAP_TEXT_ASK_CAS));
		commands_mark(c);
	}
	return ERR_OK;
}

static enum err_code
ask_everything(struct request *r, struct err *e)
{
	struct commands c;
	enum err_code rc;

	if ((rc = commands_make(2 + 2 * r->u.read.actual->n_backends, &c, e)) != ERR_OK)
		return rc;
	if ((rc = put_questions(&r->u.read, &c, e)) == ERR_OK)
		rc = commands_ask(&c, NULL, on_read_back, r, e);
	commands_free(&c);
	return rc;
}

enum err_code
hap_exec_read(struct hap_exec *x, const struct hap_exec_want *want, hap_exec_read_fn *done, void *arg, struct err *e)
{
	struct request *r = request_new(x, REQUEST_READ, arg, e);
	enum err_code rc;

	if (r == NULL)
		return ERR_NOMEM;
	r->u.read.done = done;
	r->u.read.cas = want->cas;
	if ((rc = reading_open(&r->u.read, want->backends, want->n, e)) != ERR_OK ||
	    (rc = ask_everything(r, e)) != ERR_OK)
		request_free(r);
	return rc;
}

/* ---- run ---- */

static void
note_refusal(struct hap_exec_report *report, const struct plan_step *st, const struct err *why)
{
	if (report->n_refusals < HAP_EXEC_REFUSALS_MAX)
		report->refusals[report->n_refusals++] = (struct hap_exec_refusal){ .step = st, .err = *why };
}

/* Of the replies to one step, which begin with that to command first, the first that is not DONE counts. */
static enum hap_text_verdict
judge(const struct plan_step *st, size_t first, const struct str *replies, size_t n, struct err *e)
{
	enum hap_text_verdict verdict = HAP_TEXT_DONE;

	for (size_t i = 0; verdict == HAP_TEXT_DONE && i < n; i++)
		verdict = hap_text_judge(st, first + i, replies[i], e);
	return verdict;
}

static bool
wants_it_gone(enum plan_step_kind k)
{
	return k == PLAN_DELETE || k == PLAN_UNPUBLISH || k == PLAN_UNMAKE;
}

static void
note_verdict(
    struct hap_exec_report *report, const struct plan_step *st, enum hap_text_verdict verdict, const struct err *e)
{
	switch (verdict) {
	case HAP_TEXT_DONE:
		report->done++;
		return;
	case HAP_TEXT_RETRY:
		report->retry++;
		return;
	case HAP_TEXT_GONE:
		report->gone++;
		if (!wants_it_gone(st->kind))
			note_refusal(report, st, e);
		return;
	case HAP_TEXT_REFUSED:
		report->refused++;
		note_refusal(report, st, e);
		return;
	}
}

static enum err_code
note_process(struct hap_exec_report *report, struct str reply, struct err *e)
{
	struct arena *arena CLEANUP(arena_free_at) = arena_new(INFO_ARENA_MAX);
	struct hap_text_info info;
	enum err_code rc;

	if (arena == NULL)
		return err_set(e, ERR_NOMEM, "no memory for HAProxy's answer");
	if ((rc = hap_text_parse_info(arena, reply, &info, e)) != ERR_OK)
		return rc;
	report->pid = info.pid;
	report->start_time_s = info.start_time_s;
	report->stopping = info.stopping;
	return ERR_OK;
}

/* The gate: steps go only to the process that the plan was made for. */
static bool
is_made_for(void *arg, struct str reply)
{
	struct request *r = arg;
	struct running *run = &r->u.run;
	struct hap_exec_report *report = &run->report;

	if (note_process(report, reply, &report->err) != ERR_OK) {
		blame_peer(r, &report->err);
		return false;
	}
	if (report->pid == run->pid && report->start_time_s == run->start_time_s)
		return true;
	if (run->from == 0 && !run->begins_open)
		report->is_other = true;
	else
		(void)err_set(&report->err, ERR_REMOTE, "HAProxy was restarted in the middle of a plan");
	return false;
}

/* Which command of step i is the first in the batch under way. */
static size_t
first_command(const struct running *run, size_t i)
{
	return i == run->from && run->begins_open ? hap_text_n_commands(&run->plan->steps[i]) - 1 : 0;
}

static void
judge_step(struct running *run, size_t i, const struct str *replies)
{
	const struct plan_step *st = &run->plan->steps[i];
	const bool closes = i == run->from && run->begins_open, opens = i + 1 == run->to && run->ends_open;
	struct err e = ERR_INIT;
	enum hap_text_verdict verdict;

	if (closes && !run->is_whole)
		return; /* `abort`, after a refusal that is noted */
	verdict = judge(st, first_command(run, i), replies, run->n_sent[i], &e);
	if (opens)
		run->is_whole = verdict == HAP_TEXT_DONE;
	if (!opens || !run->is_whole)
		note_verdict(&run->report, st, verdict, &e);
}

static void
judge_replies(struct running *run, const struct str *replies, size_t n)
{
	size_t at = 1; /* replies[0] is about the process */

	for (size_t i = run->from; i < run->to; i++) {
		if (run->n_sent[i] > 0 && n >= at + run->n_sent[i])
			judge_step(run, i, replies + at);
		at += run->n_sent[i];
	}
}

static void
run_end(struct request *r)
{
	struct hap_exec_report report = r->u.run.report;
	hap_exec_run_fn *done = r->u.run.done;
	const size_t n_steps = r->u.run.plan->n_steps;
	void *arg = r->arg;

	if (report.is_other || (report.err.code != ERR_OK && report.pid == 0)) { /* told nothing: refused nothing */
		report.refused = 0;
		report.n_refusals = 0;
	}
	report.unsent = n_steps - report.done - report.gone - report.retry - report.refused;
	request_free(r);
	done(arg, &report);
}

static enum err_code ask_steps(struct request *r, struct err *e);

static void
on_ran(void *arg, const struct str *replies, size_t n, const struct err *failed)
{
	struct request *r = arg;
	struct running *run = &r->u.run;
	struct hap_exec_report *report = &run->report;

	if (report->is_other || report->err.code != ERR_OK) {
		run_end(r);
		return;
	}
	judge_replies(run, replies, n);
	if (failed != NULL)
		report->err = *failed;
	if (failed != NULL || (run->to == run->plan->n_steps && !run->ends_open)) {
		run_end(r);
		return;
	}
	run->begins_open = run->ends_open;
	run->from = run->ends_open ? run->to - 1 : run->to;
	if (ask_steps(r, &report->err) != ERR_OK)
		run_end(r);
}

/* These commands of a step, or none of them. */
static enum err_code
put_step(struct running *run, const struct plan_step *st, size_t first, size_t n, struct commands *c, struct err *e)
{
	size_t n_before = c->n, len_before = c->text.len;
	enum err_code rc = ERR_OK;

	if (n == 0) /* which makes it say why */
		rc = hap_text_step(st, 0, run->major, run->minor, &c->text, e);
	for (size_t i = 0; rc == ERR_OK && i < n; i++) {
		rc = hap_text_step(st, first + i, run->major, run->minor, &c->text, e);
		commands_mark(c);
	}
	if (rc != ERR_OK || n == 0) {
		c->n = n_before;
		c->text.len = len_before;
	}
	return rc;
}

/* A step of the batch; one that cannot be sent is refused here. */
static void
put_next(struct running *run, struct commands *c)
{
	const size_t i = run->to++;
	const struct plan_step *st = &run->plan->steps[i];
	const bool is_ca = st->kind == PLAN_CA;
	size_t n = hap_text_n_commands(st);
	struct err e = ERR_INIT;

	if (is_ca && n > 0)
		n--;
	if (put_step(run, st, 0, n, c, &e) == ERR_OK) {
		run->n_sent[i] = n;
		run->ends_open = is_ca;
	} else {
		run->report.refused++;
		note_refusal(&run->report, st, &e);
	}
}

/* What the batch before left open is closed first. */
static enum err_code
put_steps(struct running *run, struct commands *c, struct err *e)
{
	const struct plan_step *st = &run->plan->steps[run->from];
	enum err_code rc = ERR_OK;

	commands_put_info(c);
	run->to = run->from;
	run->ends_open = false;
	if (run->begins_open) {
		run->n_sent[run->to++] = 1;
		if (run->is_whole)
			rc = put_step(run, st, first_command(run, run->from), 1, c, e);
		else if ((rc = hap_text_abort_ca(st, &c->text, e)) == ERR_OK)
			commands_mark(c);
	}
	/* A text that is too long is not of this step's making: the whole batch fails. */
	while (rc == ERR_OK && run->to < run->plan->n_steps && !run->ends_open && buf_failed(&c->text, NULL) == ERR_OK)
		put_next(run, c);
	return rc;
}

static size_t
count_commands(const struct plan *p)
{
	size_t n = 0;

	for (size_t i = 0; i < p->n_steps; i++)
		n += hap_text_n_commands(&p->steps[i]);
	return n;
}

static enum err_code
ask_steps(struct request *r, struct err *e)
{
	struct running *run = &r->u.run;
	struct commands c;
	enum err_code rc;

	if ((rc = commands_make(1 + count_commands(run->plan), &c, e)) != ERR_OK)
		return rc;
	if ((rc = put_steps(run, &c, e)) == ERR_OK)
		rc = commands_ask(&c, is_made_for, on_ran, r, e);
	commands_free(&c);
	return rc;
}

enum err_code
hap_exec_run(struct hap_exec *x, const struct plan *p, const struct actual *made_for, hap_exec_run_fn *done, void *arg,
    struct err *e)
{
	struct request *r = request_new(x, REQUEST_RUN, arg, e);
	enum err_code rc;

	if (r == NULL)
		return ERR_NOMEM;
	r->u.run.plan = p;
	r->u.run.pid = made_for->pid;
	r->u.run.start_time_s = made_for->start_time_s;
	r->u.run.major = made_for->major;
	r->u.run.minor = made_for->minor;
	r->u.run.done = done;
	r->u.run.n_sent = calloc(p->n_steps > 0 ? p->n_steps : 1, sizeof(*r->u.run.n_sent));
	rc = r->u.run.n_sent != NULL ? ask_steps(r, e) : err_set(e, ERR_NOMEM, "no memory for commands to HAProxy");
	if (rc != ERR_OK)
		request_free(r);
	return rc;
}

/* ---- probe ---- */

static void
on_probed(void *arg, const struct str *replies, size_t n, const struct err *failed)
{
	struct request *r = arg;
	hap_exec_probe_fn *done = r->u.probe.done;
	void *done_arg = r->arg;
	struct arena *arena CLEANUP(arena_free_at) = arena_new(INFO_ARENA_MAX);
	struct hap_text_info info;
	struct err e = ERR_INIT;
	enum err_code rc = ERR_NOMEM;

	(void)n;
	if (failed != NULL) {
		request_free(r);
		done(done_arg, NULL, failed);
		return;
	}
	if (arena != NULL)
		rc = hap_text_parse_info(arena, replies[0], &info, &e);
	else
		(void)err_set(&e, ERR_NOMEM, "no memory for HAProxy's answer");
	if (rc == ERR_PARSE)
		blame_peer(r, &e);
	request_free(r);
	if (rc == ERR_OK)
		done(done_arg, &info, NULL);
	else
		done(done_arg, NULL, &e);
}

enum err_code
hap_exec_probe(struct hap_exec *x, hap_exec_probe_fn *done, void *arg, struct err *e)
{
	const struct str command = STR("show info");
	struct request *r = request_new(x, REQUEST_PROBE, arg, e);
	enum err_code rc;

	if (r == NULL)
		return ERR_NOMEM;
	r->u.probe.done = done;
	if ((rc = x->link->ask(x->link, &command, 1, NULL, on_probed, r, e)) != ERR_OK)
		request_free(r);
	return rc;
}
