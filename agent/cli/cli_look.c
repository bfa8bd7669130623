/* Looking at the plan, routes, events, findings and counts: see cli_look.h. */
#include "config.h"

#include "cli/cli_look.h"

#include <inttypes.h>
#include <poll.h>
#include <unistd.h>

#include "cli/cli_ask.h"
#include "cli/cli_json.h"
#include "cli/cli_report.h"
#include "cli/cli_show.h"

#define TAIL_EVENTS 10 /* shown before those that are followed */
#define RECONNECT_S 30 /* how long a restart of rollcalld may take while it is followed */

typedef enum err_code report_fn(
    const json_t *document, const struct cli_text_style *style, struct buf *out, struct err *e);

static enum cli_command_exit
report(const struct cli_command_run *run, struct str path, report_fn *fn)
{
	struct buf out = buf_make(CLI_SHOW_TEXT_MAX);
	struct cli_ask_document d;
	struct err e = ERR_INIT;
	enum cli_command_exit status = cli_ask_get(run, path, &d);

	if (status != CLI_COMMAND_OK)
		return status;
	if (run->json)
		status = cli_ask_print_line(run, buf_str(&d.answer.body));
	else
		status = cli_ask_print_made(run, fn(d.json, &run->style, &out, &e), &e, &out);
	cli_ask_document_free(&d);
	return status;
}

enum cli_command_exit
cli_look_plan(const struct cli_command_run *run, int n, char *const *arguments)
{
	(void)n;
	(void)arguments;
	return report(run, STR("/v1/plan"), cli_report_plan);
}

enum cli_command_exit
cli_look_route(const struct cli_command_run *run, int n, char *const *arguments)
{
	struct buf path = buf_make(CLI_CLIENT_URL_MAX);
	enum cli_command_exit status;

	(void)n;
	buf_put(&path, STR("/v1/route?host="));
	cli_client_put_segment(&path, str_from_cstr(arguments[0]));
	buf_put(&path, STR("&path="));
	cli_client_put_segment(&path, str_from_cstr(arguments[1]));
	if (run->entrypoint != NULL) {
		buf_put(&path, STR("&entrypoint="));
		cli_client_put_segment(&path, str_from_cstr(run->entrypoint));
	}
	if (buf_failed(&path, NULL) == ERR_OK)
		status = report(run, buf_str(&path), cli_report_route);
	else
		status = cli_ask_complain(run, CLI_COMMAND_USAGE, STR("that host or path is too long to be one"));
	buf_free(&path);
	return status;
}

/* ---- doctor ---- */

static bool
has_fault(const json_t *findings)
{
	for (size_t i = 0; i < json_array_size(findings); i++)
		if (str_eq(cli_json_text(json_array_get(findings, i), "result"), STR("fault")))
			return true;
	return false;
}

enum cli_command_exit
cli_look_doctor(const struct cli_command_run *run, int n, char *const *arguments)
{
	struct buf out = buf_make(CLI_SHOW_TEXT_MAX);
	struct cli_ask_document d;
	struct err e = ERR_INIT;
	enum cli_command_exit status = cli_ask_get(run, STR("/v1/doctor"), &d);

	(void)n;
	(void)arguments;
	if (status != CLI_COMMAND_OK)
		return status;
	if (run->json)
		status = cli_ask_print_line(run, buf_str(&d.answer.body));
	else
		status = cli_ask_print_made(run, cli_report_doctor(d.json, &run->style, &out, &e), &e, &out);
	if (status == CLI_COMMAND_OK && has_fault(d.json))
		status = CLI_COMMAND_REFUSED;
	cli_ask_document_free(&d);
	return status;
}

/* ---- metrics ---- */

enum cli_command_exit
cli_look_metrics(const struct cli_command_run *run, int n, char *const *arguments)
{
	CLEANUP(cli_json_free_at) json_t *samples = NULL;
	struct cli_client_answer answer;
	enum cli_command_exit status = cli_ask_text(run, STR("/metrics"), &answer);

	(void)n;
	(void)arguments;
	if (status != CLI_COMMAND_OK)
		return status;
	if (!run->json)
		return cli_ask_print_made(run, ERR_OK, NULL, &answer.body);
	samples = cli_report_metrics(buf_str(&answer.body));
	buf_free(&answer.body);
	if (samples == NULL)
		return cli_ask_complain(run, CLI_COMMAND_REFUSED, STR("/metrics is not what it should be"));
	return cli_ask_print_json(run, samples);
}

/* ---- events ---- */

static void
put_since(const struct cli_command_run *run, struct buf *path)
{
	if (run->since == NULL)
		return;
	buf_put(path, STR("?since="));
	cli_client_put_segment(path, str_from_cstr(run->since));
}

static void
note_last(const json_t *event, uint64_t *last_id)
{
	int64_t id;

	if (cli_json_number(event, "id", &id) && id > 0)
		*last_id = (uint64_t)id;
}

static enum cli_command_exit
print_event(const struct cli_command_run *run, const json_t *event)
{
	struct buf out = buf_make(CLI_SHOW_TEXT_MAX);
	enum cli_command_exit status;

	if (run->json)
		return cli_ask_print_json(run, event);
	cli_report_event(event, &run->style, &out);
	status = cli_ask_print_made(run, ERR_OK, NULL, &out);
	return status;
}

/* What is there already: all that --since asks for, else the last few. */
static enum cli_command_exit
print_past(const struct cli_command_run *run, const json_t *events, uint64_t *last_id)
{
	const size_t n = json_array_size(events);
	enum cli_command_exit status = CLI_COMMAND_OK;

	for (size_t i = run->since == NULL && n > TAIL_EVENTS ? n - TAIL_EVENTS : 0; status == CLI_COMMAND_OK && i < n;
	     i++)
		status = print_event(run, json_array_get(events, i));
	if (n > 0)
		note_last(json_array_get(events, n - 1), last_id);
	(void)fflush(run->out);
	return status;
}

struct following {
	const struct cli_command_run *run;
	uint64_t last_id;
	enum cli_command_exit status;
	bool is_over; /* whoever read it has gone, as `head` does */
};

static bool
reader_is_gone(FILE *out)
{
	struct pollfd p = { .fd = fileno(out) };

	return poll(&p, 1, 0) == 1 && (p.revents & POLLERR) != 0;
}

/* False: there is no one to write to any more. */
static bool
on_line(void *arg, struct str line)
{
	struct following *f = arg;
	json_t *event = NULL;

	if (!str_has_prefix(line, STR("data:"))) {
		f->is_over = reader_is_gone(f->run->out);
		return !f->is_over;
	}
	if (cli_json_parse(str_trim(str_skip(line, 5)), &event, NULL) != ERR_OK)
		return true;
	note_last(event, &f->last_id);
	f->status = print_event(f->run, event);
	json_decref(event);
	if (fflush(f->run->out) != 0)
		f->status = CLI_COMMAND_REFUSED;
	return f->status == CLI_COMMAND_OK;
}

/* rollcalld may be restarted meanwhile: numbers of events grow on. */
static enum cli_command_exit
follow(struct following *f)
{
	struct err e = ERR_INIT;

	for (unsigned waited_s = 0; f->status == CLI_COMMAND_OK && !f->is_over && waited_s < RECONNECT_S;) {
		const uint64_t seen = f->last_id;

		if (cli_client_follow(&f->run->client, STR("/v1/events"), f->last_id, on_line, f, &e) == ERR_OK)
			waited_s = 0; /* it was there, and has hung up */
		if (f->last_id != seen)
			waited_s = 0;
		if (f->status == CLI_COMMAND_OK && !f->is_over) {
			(void)sleep(1);
			waited_s++;
		}
	}
	if (f->status != CLI_COMMAND_OK || f->is_over)
		return f->status;
	return cli_ask_complain(
	    f->run, CLI_COMMAND_NO_DAEMON, e.code != ERR_OK ? str_from_cstr(e.msg) : STR("rollcalld has hung up"));
}

static enum cli_command_exit
show_and_follow(const struct cli_command_run *run, struct str path)
{
	struct following f = { .run = run, .status = CLI_COMMAND_OK };
	struct cli_ask_document d;
	enum cli_command_exit status = cli_ask_get(run, path, &d);

	if (status != CLI_COMMAND_OK)
		return status;
	status = print_past(run, d.json, &f.last_id);
	cli_ask_document_free(&d);
	return status == CLI_COMMAND_OK ? follow(&f) : status;
}

enum cli_command_exit
cli_look_events(const struct cli_command_run *run, int n, char *const *arguments)
{
	struct buf path = buf_make(CLI_CLIENT_URL_MAX);
	enum cli_command_exit status;

	(void)n;
	(void)arguments;
	buf_put(&path, STR("/v1/events"));
	put_since(run, &path);
	if (buf_failed(&path, NULL) != ERR_OK)
		status = cli_ask_complain(run, CLI_COMMAND_USAGE, STR("that is too long to be a time"));
	else if (run->follow)
		status = show_and_follow(run, buf_str(&path));
	else
		status = report(run, buf_str(&path), cli_report_events);
	buf_free(&path);
	return status;
}
