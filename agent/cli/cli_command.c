/* The commands: see cli_command.h. */
#include "config.h"

#include "cli/cli_command.h"

#include <string.h>

#include "cli/cli_ask.h"
#include "cli/cli_check.h"
#include "cli/cli_json.h"
#include "cli/cli_look.h"
#include "cli/cli_order.h"
#include "cli/cli_show.h"
#include "cli/cli_why.h"

/* ---- status, backends, health, version ---- */

typedef enum err_code show_fn(
    const json_t *document, const struct cli_text_style *style, struct buf *out, struct err *e);

static enum cli_command_exit
show(const struct cli_command_run *run, show_fn *fn, const json_t *document)
{
	struct buf out = buf_make(CLI_SHOW_TEXT_MAX);
	struct err e = ERR_INIT;
	enum err_code code = fn(document, &run->style, &out, &e);

	return cli_ask_print_made(run, code, &e, &out);
}

static enum cli_command_exit
get_and_show(const struct cli_command_run *run, struct str path, show_fn *fn)
{
	struct cli_ask_document d;
	enum cli_command_exit status = cli_ask_get(run, path, &d);

	if (status != CLI_COMMAND_OK)
		return status;
	status = run->json ? cli_ask_print_line(run, buf_str(&d.answer.body)) : show(run, fn, d.json);
	cli_ask_document_free(&d);
	return status;
}

static enum cli_command_exit
command_status(const struct cli_command_run *run, int n, char *const *arguments)
{
	(void)n;
	(void)arguments;
	return get_and_show(run, STR("/v1/status"), cli_show_status);
}

static enum cli_command_exit
command_backends(const struct cli_command_run *run, int n, char *const *arguments)
{
	(void)n;
	(void)arguments;
	return get_and_show(run, STR("/v1/backends"), cli_show_backends);
}

/* The reason is the output here, as it is what was asked for. */
static enum cli_command_exit
print_health(const struct cli_command_run *run, const struct cli_ask_document *d, bool well)
{
	struct buf out = buf_make(CLI_SHOW_TEXT_MAX);
	enum cli_command_exit status;

	if (run->json)
		return cli_ask_print_line(run, buf_str(&d->answer.body));
	cli_text_put(&out, well ? STR("ok") : cli_json_error(d->json));
	status = cli_ask_print_line(run, buf_str(&out));
	buf_free(&out);
	return status;
}

static enum cli_command_exit
command_health(const struct cli_command_run *run, int n, char *const *arguments)
{
	struct cli_ask_document d;
	enum cli_command_exit status = cli_ask_any(run, run->ready ? STR("/ready") : STR("/live"), &d);
	bool well;

	(void)n;
	(void)arguments;
	if (status != CLI_COMMAND_OK)
		return status;
	well = d.answer.status == 200;
	status = print_health(run, &d, well);
	cli_ask_document_free(&d);
	return well ? status : CLI_COMMAND_REFUSED;
}

static enum cli_command_exit
print_versions(const struct cli_command_run *run, struct str daemon)
{
	struct buf out = buf_make(CLI_SHOW_TEXT_MAX);
	enum cli_command_exit status;

	buf_put(&out, STR("rollcall " PACKAGE_VERSION));
	buf_put(&out, daemon.len > 0 ? STR("\nrollcalld ") : STR(""));
	cli_text_put(&out, daemon);
	status = cli_ask_print_line(run, buf_str(&out));
	buf_free(&out);
	return status;
}

static enum cli_command_exit
print_versions_json(const struct cli_command_run *run, struct str daemon)
{
	CLEANUP(cli_json_free_at)
	json_t *both = json_pack("{s:s, s:o}", "rollcall", PACKAGE_VERSION, "rollcalld",
	    daemon.len > 0 ? json_stringn(daemon.ptr, daemon.len) : json_null());

	return cli_ask_print_json(run, both);
}

static enum cli_command_exit
say_versions(const struct cli_command_run *run, struct str daemon)
{
	return run->json ? print_versions_json(run, daemon) : print_versions(run, daemon);
}

/* Our own we know without the daemon, whose absence is the exit code then. */
static enum cli_command_exit
command_version(const struct cli_command_run *run, int n, char *const *arguments)
{
	struct cli_ask_document d;
	enum cli_command_exit status = cli_ask_get(run, STR("/v1/status"), &d);

	(void)n;
	(void)arguments;
	if (status != CLI_COMMAND_OK) {
		(void)say_versions(run, STR(""));
		return status;
	}
	status = say_versions(run, cli_json_text(d.json, "version"));
	cli_ask_document_free(&d);
	return status;
}

/* ---- servers ---- */

static enum cli_command_exit
command_servers(const struct cli_command_run *run, int n, char *const *arguments)
{
	CLEANUP(cli_json_free_at) json_t *servers = NULL;
	enum cli_command_exit status = cli_ask_servers(run, n == 0 ? NULL : arguments[0], &servers);

	if (status != CLI_COMMAND_OK)
		return status;
	return run->json ? cli_ask_print_json(run, servers) : show(run, cli_show_servers, servers);
}

/* ---- why ---- */

/* Adds the document of this backend to backends, unless it is there. */
static enum cli_command_exit
fetch_backend(const struct cli_command_run *run, struct str name, json_t *backends)
{
	struct cli_ask_document d;
	enum cli_command_exit status;

	for (size_t i = 0; i < json_array_size(backends); i++)
		if (str_eq(cli_json_text(json_array_get(backends, i), "name"), name))
			return CLI_COMMAND_OK;
	status = cli_ask_get_below(run, STR("/v1/backends/"), name, cli_ask_get, &d);
	if (status != CLI_COMMAND_OK)
		return status;
	if (json_array_append(backends, d.json) != 0)
		status = cli_ask_complain(run, CLI_COMMAND_REFUSED, STR("no memory for the documents"));
	cli_ask_document_free(&d);
	return status;
}

/* Those of its servers: a backend that does not ask for the task may serve it still. */
static enum cli_command_exit
fetch_backends_of(const struct cli_command_run *run, const json_t *endpoint, json_t *backends)
{
	const json_t *servers = json_object_get(endpoint, "servers");
	enum cli_command_exit status = CLI_COMMAND_OK;

	for (size_t i = 0; status == CLI_COMMAND_OK && i < json_array_size(servers); i++)
		status = fetch_backend(run, cli_why_backend(cli_json_item_text(json_array_get(servers, i))), backends);
	return status;
}

static enum cli_command_exit
fetch_backends(const struct cli_command_run *run, const json_t *task, json_t *backends)
{
	const json_t *containers = json_object_get(task, "containers");
	enum cli_command_exit status = CLI_COMMAND_OK;

	for (size_t c = 0; c < json_array_size(containers); c++) {
		const json_t *endpoints = json_object_get(json_array_get(containers, c), "endpoints");

		for (size_t i = 0; status == CLI_COMMAND_OK && i < json_array_size(endpoints); i++)
			status = fetch_backends_of(run, json_array_get(endpoints, i), backends);
	}
	return status;
}

static enum cli_command_exit
explain_task(const struct cli_command_run *run, const struct cli_ask_document *task)
{
	CLEANUP(cli_json_free_at) json_t *backends = json_array();
	struct buf out = buf_make(CLI_SHOW_TEXT_MAX);
	struct err e = ERR_INIT;
	enum cli_command_exit status;
	enum err_code code;

	if (run->json)
		return cli_ask_print_line(run, buf_str(&task->answer.body));
	status = fetch_backends(run, task->json, backends);
	if (status != CLI_COMMAND_OK)
		return status;
	code = cli_why_task(task->json, backends, &run->style, &out, &e);
	return cli_ask_print_made(run, code, &e, &out);
}

static enum cli_command_exit
explain_server(const struct cli_command_run *run, const json_t *server)
{
	struct str arn = cli_json_text(server, "task_arn");
	struct cli_ask_document task;
	enum cli_command_exit status;

	if (arn.len == 0)
		return run->json ? cli_ask_print_json(run, server) : show(run, cli_why_server, server);
	status = cli_ask_get_below(run, STR("/v1/tasks/"), arn, cli_ask_get, &task);
	if (status != CLI_COMMAND_OK)
		return status;
	status = explain_task(run, &task);
	cli_ask_document_free(&task);
	return status;
}

static enum cli_command_exit
explain_named(const struct cli_command_run *run, const json_t *servers, struct str name, struct str otherwise)
{
	struct buf names = buf_make(CLI_SHOW_TEXT_MAX);
	const json_t *server = NULL;
	size_t found = cli_ask_find_servers(servers, name, &names, &server);
	enum cli_command_exit status;

	if (found == 1)
		status = explain_server(run, server);
	else if (found > 1)
		status = cli_ask_complain_of_server(
		    run, name, "is a server of several backends: say which, of ", buf_str(&names));
	else if (otherwise.len > 0)
		status = cli_ask_complain(run, CLI_COMMAND_REFUSED, otherwise);
	else
		status =
		    cli_ask_complain_of_server(run, name, "is no server that rollcall keeps in that backend", STR(""));
	buf_free(&names);
	return status;
}

/* path: of one backend, or of all.  otherwise: what to say if there is none. */
static enum cli_command_exit
explain_in(
    const struct cli_command_run *run, const struct cli_ask_document *backends, struct str name, struct str otherwise)
{
	CLEANUP(cli_json_free_at) json_t *servers = cli_ask_servers_of(backends->json);

	return explain_named(run, servers, name, otherwise);
}

static enum cli_command_exit
why_backend_server(const struct cli_command_run *run, struct str backend, struct str name)
{
	struct cli_ask_document d;
	enum cli_command_exit status = cli_ask_get_below(run, STR("/v1/backends/"), backend, cli_ask_get, &d);

	if (status != CLI_COMMAND_OK)
		return status;
	status = explain_in(run, &d, name, STR(""));
	cli_ask_document_free(&d);
	return status;
}

/* No task of that id: a server of that name, perhaps. */
static enum cli_command_exit
why_server(const struct cli_command_run *run, struct str name, struct str otherwise)
{
	struct cli_ask_document d;
	enum cli_command_exit status = cli_ask_get(run, STR("/v1/backends"), &d);

	if (status != CLI_COMMAND_OK)
		return status;
	status = explain_in(run, &d, name, otherwise);
	cli_ask_document_free(&d);
	return status;
}

static enum cli_command_exit
why_task(const struct cli_command_run *run, struct str id)
{
	struct cli_ask_document d;
	enum cli_command_exit status = cli_ask_get_below(run, STR("/v1/tasks/"), id, cli_ask_any, &d);

	if (status != CLI_COMMAND_OK)
		return status;
	if (d.answer.status == 200)
		status = explain_task(run, &d);
	else if (d.answer.status == 404)
		status = why_server(run, id, cli_json_error(d.json));
	else
		status = cli_ask_complain_document(run, &d);
	cli_ask_document_free(&d);
	return status;
}

static enum cli_command_exit
command_why(const struct cli_command_run *run, int n, char *const *arguments)
{
	struct str what = str_from_cstr(arguments[0]);
	size_t slash;

	(void)n;
	if (!cli_ask_is_server(what))
		return cli_ask_complain_of_half(run, what);
	if (!str_has_prefix(what, STR("arn:")) && str_find(what, '/', &slash))
		return why_backend_server(run, str_first(what, slash), str_skip(what, slash + 1));
	return why_task(run, what);
}

/* ---- the list ---- */

static const struct cli_command commands[] = {
	{ "status", "", "how rollcalld, ECS and HAProxy stand, and what is wrong", 0, 0, CLI_TAKES_NONE,
	    command_status },
	{ "backends", "", "the backends and how many servers are in which state", 0, 0, CLI_TAKES_NONE,
	    command_backends },
	{ "servers", "[BACKEND]", "the servers that stand for tasks", 0, 1, CLI_TAKES_NONE, command_servers },
	{ "why", "TASK|SERVER", "where a task gets calls, or why it gets none", 1, 1, CLI_TAKES_NONE, command_why },
	{ "route", "HOST PATH", "which backend and servers a call reaches [--entrypoint NAME]", 2, 2,
	    CLI_TAKES_ENTRYPOINT, cli_look_route },
	{ "plan", "", "what HAProxy would be told now, and what is kept", 0, 0, CLI_TAKES_NONE, cli_look_plan },
	{ "events", "", "what happened [-f: and goes on happening] [--since TIME]", 0, 0,
	    CLI_TAKES_FOLLOW | CLI_TAKES_SINCE, cli_look_events },
	{ "doctor", "", "looks for what is wrong, and says what mends it", 0, 0, CLI_TAKES_NONE, cli_look_doctor },
	{ "drain", "SERVER", "no new call for it, however well its task is [--for TIME]", 1, 1, CLI_TAKES_FOR,
	    cli_order_drain },
	{ "ready", "SERVER", "ends what drain and weight asked for", 1, 1, CLI_TAKES_NONE, cli_order_ready },
	{ "weight", "SERVER N|auto", "its weight in HAProxy, 0 to 256 [--for TIME]", 2, 2, CLI_TAKES_FOR,
	    cli_order_weight },
	{ "pause", "[BACKEND]", "only what is proven to end is touched [--for TIME]", 0, 1, CLI_TAKES_FOR,
	    cli_order_pause },
	{ "resume", "[BACKEND]", "ends a pause; without BACKEND all of them", 0, 1, CLI_TAKES_NONE, cli_order_resume },
	{ "eject", "SERVER", "takes it out as an outlier [--for TIME]", 1, 1, CLI_TAKES_FOR, cli_order_eject },
	{ "uneject", "SERVER", "puts an ejected one back", 1, 1, CLI_TAKES_NONE, cli_order_uneject },
	{ "release", "BACKEND", "lets a frozen backend go on", 1, 1, CLI_TAKES_NONE, cli_order_release },
	{ "refresh", "", "reads every cluster again, now", 0, 0, CLI_TAKES_NONE, cli_order_refresh },
	{ "reload", "", "applies the configuration file [--force: whatever it removes]", 0, 0, CLI_TAKES_FORCE,
	    cli_order_reload },
	{ "log", "LEVEL", "error, warn, info or debug, until the next start", 1, 1, CLI_TAKES_NONE, cli_order_log },
	{ "metrics", "", "counts and gauges, as Prometheus reads them", 0, 0, CLI_TAKES_NONE, cli_look_metrics },
	{ "health", "[--ready]", "is rollcalld alive (--ready: and in step)", 0, 0, CLI_TAKES_READY, command_health },
	/* The empty name asks for the whole server (grpc.health.v1). */
	{ "grpc-check", "[SERVICE]", "lines for haproxy.cfg: a health check by grpc.health.v1", 0, 1, CLI_TAKES_EMPTY,
	    cli_check_grpc },
	{ "version", "", "the versions of rollcall and of rollcalld", 0, 0, CLI_TAKES_NONE, command_version },
};

#define N_COMMANDS (sizeof(commands) / sizeof(commands[0]))

const struct cli_command *
cli_command_at(size_t i)
{
	return i < N_COMMANDS ? &commands[i] : NULL;
}

const struct cli_command *
cli_command_find(const char *name)
{
	for (size_t i = 0; i < N_COMMANDS; i++)
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	return NULL;
}
