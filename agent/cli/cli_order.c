/* Orders: see cli_order.h. */
#include "config.h"

#include "cli/cli_order.h"

#include "cli/cli_ask.h"
#include "cli/cli_json.h"
#include "cli/cli_report.h"
#include "cli/cli_show.h"

#define TASK_PREFIX_MIN 8 /* as in the control interface */

/* ---- which server is meant ---- */

/* A task is no server, but who names one means its server. */
static size_t
find_by_task(const json_t *servers, struct str id, struct buf *names)
{
	size_t found = 0;

	for (size_t i = 0; id.len >= TASK_PREFIX_MIN && i < json_array_size(servers); i++) {
		const json_t *server = json_array_get(servers, i);

		if (!str_has_prefix(cli_json_text(server, "task"), id) &&
		    !str_eq(cli_json_text(server, "task_arn"), id))
			continue;
		buf_put(names, found++ > 0 ? STR(", ") : STR(""));
		buf_put(names, cli_json_text(server, "backend"));
		buf_put_u8(names, '/');
		buf_put(names, cli_json_text(server, "name"));
	}
	return found;
}

static enum cli_command_exit
complain_of_name(
    const struct cli_command_run *run, const json_t *servers, struct str name, size_t found, struct str names)
{
	struct buf of_task = buf_make(CLI_SHOW_TEXT_MAX);
	enum cli_command_exit status;

	if (found > 1)
		status =
		    cli_ask_complain_of_server(run, name, "is a server of several backends: say which, of ", names);
	else if (find_by_task(servers, name, &of_task) > 0)
		status = cli_ask_complain_of_server(run, name, "is a task: name its server, ", buf_str(&of_task));
	else
		status = cli_ask_complain_of_server(
		    run, name, "is no server that rollcall keeps: `rollcall servers` lists them", STR(""));
	buf_free(&of_task);
	return status;
}

static void
put_server_path(struct buf *path, struct str backend, struct str server)
{
	buf_put(path, STR("/v1/servers/"));
	cli_client_put_segment(path, backend);
	buf_put_u8(path, '/');
	cli_client_put_segment(path, server);
}

static enum cli_command_exit
find_path(const struct cli_command_run *run, const json_t *servers, struct str name, struct buf *path)
{
	struct buf names = buf_make(CLI_SHOW_TEXT_MAX);
	const json_t *server = NULL;
	size_t found = cli_ask_find_servers(servers, name, &names, &server);
	enum cli_command_exit status = CLI_COMMAND_OK;

	if (found == 1)
		put_server_path(path, cli_json_text(server, "backend"), name);
	else
		status = complain_of_name(run, servers, name, found, buf_str(&names));
	buf_free(&names);
	return status;
}

/* what: BACKEND/NAME, or a NAME that only one backend has. */
static enum cli_command_exit
put_server(const struct cli_command_run *run, struct str what, struct buf *path)
{
	CLEANUP(cli_json_free_at) json_t *servers = NULL;
	enum cli_command_exit status;
	size_t slash;

	if (!cli_ask_is_server(what))
		return cli_ask_complain_of_half(run, what);
	if (!str_has_prefix(what, STR("arn:")) && str_find(what, '/', &slash)) {
		put_server_path(path, str_first(what, slash), str_skip(what, slash + 1));
		return CLI_COMMAND_OK;
	}
	status = cli_ask_servers(run, NULL, &servers);
	if (status != CLI_COMMAND_OK)
		return status;
	return find_path(run, servers, what, path);
}

/* ---- sending the order ---- */

static void
put_parameter(struct buf *path, const char *name, const char *value)
{
	size_t at;

	if (value == NULL)
		return;
	buf_put_u8(path, str_find(buf_str(path), '?', &at) ? '&' : '?');
	buf_put(path, str_from_cstr(name));
	buf_put_u8(path, '=');
	cli_client_put_segment(path, str_from_cstr(value));
}

static enum cli_command_exit
print_done(const struct cli_command_run *run, const struct cli_ask_document *d)
{
	struct buf out = buf_make(CLI_SHOW_TEXT_MAX);
	enum cli_command_exit status;

	if (run->json)
		return cli_ask_print_line(run, buf_str(&d->answer.body));
	cli_text_put(&out, cli_json_text(d->json, "done"));
	status = cli_ask_print_line(run, buf_str(&out));
	buf_free(&out);
	return status;
}

/* A configuration that is refused for what it would remove comes with the plan of it. */
static void
print_refused_plan(const struct cli_command_run *run, const struct cli_ask_document *d)
{
	const json_t *plan = json_object_get(d->json, "plan");
	struct buf out = buf_make(CLI_SHOW_TEXT_MAX);
	struct err e = ERR_INIT;

	if (plan == NULL)
		return;
	if (run->json)
		(void)cli_ask_print_line(run, buf_str(&d->answer.body));
	else
		(void)cli_ask_print_made(run, cli_report_plan(plan, &run->style, &out, &e), &e, &out);
}

static enum cli_command_exit
post(const struct cli_command_run *run, const struct buf *path)
{
	struct cli_ask_document d;
	enum cli_command_exit status;

	if (buf_failed(path, NULL) != ERR_OK)
		return cli_ask_complain(run, CLI_COMMAND_REFUSED, STR("that name is too long to be one"));
	status = cli_ask_post(run, buf_str(path), &d);
	if (status != CLI_COMMAND_OK)
		return status;
	if (d.answer.status == 200) {
		status = print_done(run, &d);
	} else {
		status = cli_ask_complain_document(run, &d);
		print_refused_plan(run, &d);
		if (d.answer.status == 400)
			status = CLI_COMMAND_USAGE;
	}
	cli_ask_document_free(&d);
	return status;
}

static enum cli_command_exit
order_server(const struct cli_command_run *run, const char *server, const char *verb, const char *weight)
{
	struct buf path = buf_make(CLI_CLIENT_URL_MAX);
	enum cli_command_exit status = put_server(run, str_from_cstr(server), &path);

	buf_put(&path, str_from_cstr(verb));
	put_parameter(&path, "weight", weight);
	put_parameter(&path, "for", run->how_long);
	if (status == CLI_COMMAND_OK)
		status = post(run, &path);
	buf_free(&path);
	return status;
}

static enum cli_command_exit
order_backends(const struct cli_command_run *run, const char *backend, const char *path_of_act)
{
	struct buf path = buf_make(CLI_CLIENT_URL_MAX);
	enum cli_command_exit status;

	buf_put(&path, str_from_cstr(path_of_act));
	put_parameter(&path, "backend", backend);
	put_parameter(&path, "for", run->how_long);
	status = post(run, &path);
	buf_free(&path);
	return status;
}

/* ---- the commands ---- */

enum cli_command_exit
cli_order_drain(const struct cli_command_run *run, int n, char *const *arguments)
{
	(void)n;
	return order_server(run, arguments[0], "/drain", NULL);
}

enum cli_command_exit
cli_order_ready(const struct cli_command_run *run, int n, char *const *arguments)
{
	(void)n;
	return order_server(run, arguments[0], "/ready", NULL);
}

enum cli_command_exit
cli_order_weight(const struct cli_command_run *run, int n, char *const *arguments)
{
	(void)n;
	return order_server(run, arguments[0], "/weight", arguments[1]);
}

enum cli_command_exit
cli_order_pause(const struct cli_command_run *run, int n, char *const *arguments)
{
	return order_backends(run, n > 0 ? arguments[0] : NULL, "/v1/pause");
}

enum cli_command_exit
cli_order_resume(const struct cli_command_run *run, int n, char *const *arguments)
{
	return order_backends(run, n > 0 ? arguments[0] : NULL, "/v1/resume");
}

enum cli_command_exit
cli_order_eject(const struct cli_command_run *run, int n, char *const *arguments)
{
	(void)n;
	return order_server(run, arguments[0], "/eject", NULL);
}

enum cli_command_exit
cli_order_uneject(const struct cli_command_run *run, int n, char *const *arguments)
{
	(void)n;
	return order_server(run, arguments[0], "/uneject", NULL);
}

enum cli_command_exit
cli_order_release(const struct cli_command_run *run, int n, char *const *arguments)
{
	struct buf path = buf_make(CLI_CLIENT_URL_MAX);
	enum cli_command_exit status;

	(void)n;
	buf_put(&path, STR("/v1/backends/"));
	cli_client_put_segment(&path, str_from_cstr(arguments[0]));
	buf_put(&path, STR("/release"));
	status = post(run, &path);
	buf_free(&path);
	return status;
}

static enum cli_command_exit
order_daemon(const struct cli_command_run *run, const char *path_of_act, const char *name, const char *value)
{
	struct buf path = buf_make(CLI_CLIENT_URL_MAX);
	enum cli_command_exit status;

	buf_put(&path, str_from_cstr(path_of_act));
	put_parameter(&path, name, value);
	status = post(run, &path);
	buf_free(&path);
	return status;
}

enum cli_command_exit
cli_order_refresh(const struct cli_command_run *run, int n, char *const *arguments)
{
	(void)n;
	(void)arguments;
	return order_daemon(run, "/v1/refresh", "", NULL);
}

enum cli_command_exit
cli_order_reload(const struct cli_command_run *run, int n, char *const *arguments)
{
	(void)n;
	(void)arguments;
	return order_daemon(run, "/v1/reload", "force", run->force ? "1" : NULL);
}

enum cli_command_exit
cli_order_log(const struct cli_command_run *run, int n, char *const *arguments)
{
	(void)n;
	return order_daemon(run, "/v1/log", "level", arguments[0]);
}
