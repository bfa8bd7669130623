/* The commands: see cli_command.h. */
#include "config.h"

#include "cli/cli_command.h"

#include <stdlib.h>
#include <string.h>

#include "cli/cli_json.h"
#include "cli/cli_show.h"
#include "cli/cli_why.h"

struct document {
	struct cli_client_answer answer; /* the text as it came */
	json_t *json;
};

static void
document_free(struct document *d)
{
	buf_free(&d->answer.body);
	json_decref(d->json);
	d->json = NULL;
}

/* ---- saying things ---- */

static enum cli_command_exit
complain(const struct cli_command_run *run, enum cli_command_exit status, struct str message)
{
	struct buf text = buf_make(CLI_SHOW_TEXT_MAX);

	cli_text_put(&text, message);
	(void)fprintf(run->err, "rollcall: " STR_FMT "\n", STR_ARG(buf_str(&text)));
	buf_free(&text);
	return status;
}

static enum cli_command_exit
complain_err(const struct cli_command_run *run, const struct err *e)
{
	bool absent = e->code == ERR_CLOSED || e->code == ERR_TIMEOUT;
	enum cli_command_exit status = absent ? CLI_COMMAND_NO_DAEMON : CLI_COMMAND_REFUSED;

	(void)complain(run, status, str_from_cstr(e->msg));
	if (absent)
		(void)fprintf(run->err,
		    "rollcall: `systemctl status rollcalld` tells more; -s or ROLLCALL_SOCKET names another socket\n");
	return status;
}

static enum cli_command_exit
print(const struct cli_command_run *run, struct str text)
{
	if (fwrite(text.ptr, 1, text.len, run->out) == text.len)
		return CLI_COMMAND_OK;
	return complain(run, CLI_COMMAND_REFUSED, STR("cannot write the output"));
}

/* Prints out, unless making it failed; frees it. */
static enum cli_command_exit
print_made(const struct cli_command_run *run, enum err_code code, const struct err *e, struct buf *out)
{
	enum cli_command_exit status =
	    code == ERR_OK ? print(run, buf_str(out)) : complain(run, CLI_COMMAND_REFUSED, str_from_cstr(e->msg));

	buf_free(out);
	return status;
}

static enum cli_command_exit
print_line(const struct cli_command_run *run, struct str text)
{
	enum cli_command_exit status = print(run, text);

	return status == CLI_COMMAND_OK ? print(run, STR("\n")) : status;
}

static enum cli_command_exit
print_json(const struct cli_command_run *run, const json_t *json)
{
	enum cli_command_exit status = CLI_COMMAND_REFUSED;
	char *text = json_dumps(json, JSON_COMPACT | JSON_ENCODE_ANY);

	if (text == NULL)
		return complain(run, status, STR("no memory for the document"));
	status = print_line(run, str_from_cstr(text));
	free(text);
	return status;
}

/* ---- asking ---- */

/* Any answer that is JSON, whatever its status. */
static enum cli_command_exit
ask(const struct cli_command_run *run, struct str path, struct document *ret)
{
	struct document d = { .json = NULL };
	struct err e = ERR_INIT;

	if (cli_client_get(&run->client, path, &d.answer, &e) != ERR_OK)
		return complain_err(run, &e);
	if (cli_json_parse(buf_str(&d.answer.body), &d.json, &e) != ERR_OK) {
		document_free(&d);
		return complain(run, CLI_COMMAND_REFUSED, str_from_cstr(e.msg));
	}
	*ret = d;
	return CLI_COMMAND_OK;
}

static enum cli_command_exit
complain_document(const struct cli_command_run *run, const struct document *d)
{
	struct str message = cli_json_error(d->json);

	return complain(run, CLI_COMMAND_REFUSED, message.len > 0 ? message : STR("refused, without saying why"));
}

/* A document that has to be there. */
static enum cli_command_exit
get(const struct cli_command_run *run, struct str path, struct document *ret)
{
	struct document d = { .json = NULL };
	enum cli_command_exit status = ask(run, path, &d);

	if (status != CLI_COMMAND_OK)
		return status;
	if (d.answer.status != 200) {
		status = complain_document(run, &d);
		document_free(&d);
		return status;
	}
	*ret = d;
	return CLI_COMMAND_OK;
}

/* path followed by a segment that may hold anything. */
static enum cli_command_exit
get_below(const struct cli_command_run *run, struct str path, struct str segment,
    enum cli_command_exit (*how)(const struct cli_command_run *, struct str, struct document *), struct document *ret)
{
	struct buf whole = buf_make(CLI_CLIENT_URL_MAX);
	enum cli_command_exit status;
	struct err e = ERR_INIT;

	buf_put(&whole, path);
	cli_client_put_segment(&whole, segment);
	if (buf_failed(&whole, &e) == ERR_OK)
		status = how(run, buf_str(&whole), ret);
	else
		status = complain(run, CLI_COMMAND_REFUSED, STR("that name is too long to be one"));
	buf_free(&whole);
	return status;
}

/* ---- status, backends, health, version ---- */

typedef enum err_code show_fn(
    const json_t *document, const struct cli_text_style *style, struct buf *out, struct err *e);

static enum cli_command_exit
show(const struct cli_command_run *run, show_fn *fn, const json_t *document)
{
	struct buf out = buf_make(CLI_SHOW_TEXT_MAX);
	struct err e = ERR_INIT;
	enum err_code code = fn(document, &run->style, &out, &e);

	return print_made(run, code, &e, &out);
}

static enum cli_command_exit
get_and_show(const struct cli_command_run *run, struct str path, show_fn *fn)
{
	struct document d;
	enum cli_command_exit status = get(run, path, &d);

	if (status != CLI_COMMAND_OK)
		return status;
	status = run->json ? print_line(run, buf_str(&d.answer.body)) : show(run, fn, d.json);
	document_free(&d);
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
print_health(const struct cli_command_run *run, const struct document *d, bool well)
{
	struct buf out = buf_make(CLI_SHOW_TEXT_MAX);
	enum cli_command_exit status;

	if (run->json)
		return print_line(run, buf_str(&d->answer.body));
	cli_text_put(&out, well ? STR("ok") : cli_json_error(d->json));
	status = print_line(run, buf_str(&out));
	buf_free(&out);
	return status;
}

static enum cli_command_exit
command_health(const struct cli_command_run *run, int n, char *const *arguments)
{
	struct document d;
	enum cli_command_exit status = ask(run, run->ready ? STR("/ready") : STR("/live"), &d);
	bool well;

	(void)n;
	(void)arguments;
	if (status != CLI_COMMAND_OK)
		return status;
	well = d.answer.status == 200;
	status = print_health(run, &d, well);
	document_free(&d);
	return well ? status : CLI_COMMAND_REFUSED;
}

static enum cli_command_exit
print_versions(const struct cli_command_run *run, struct str daemon)
{
	struct buf out = buf_make(CLI_SHOW_TEXT_MAX);
	enum cli_command_exit status;

	buf_put(&out, STR("rollcall " PACKAGE_VERSION "\nrollcalld "));
	cli_text_put(&out, daemon);
	status = print_line(run, buf_str(&out));
	buf_free(&out);
	return status;
}

static enum cli_command_exit
print_versions_json(const struct cli_command_run *run, struct str daemon)
{
	CLEANUP(cli_json_free_at)
	json_t *both = json_pack("{s:s, s:s%}", "rollcall", PACKAGE_VERSION, "rollcalld", daemon.ptr, daemon.len);

	return print_json(run, both);
}

static enum cli_command_exit
command_version(const struct cli_command_run *run, int n, char *const *arguments)
{
	struct document d;
	enum cli_command_exit status = get(run, STR("/v1/status"), &d);
	struct str daemon;

	(void)n;
	(void)arguments;
	if (status != CLI_COMMAND_OK)
		return status;
	daemon = cli_json_text(d.json, "version");
	status = run->json ? print_versions_json(run, daemon) : print_versions(run, daemon);
	document_free(&d);
	return status;
}

/* ---- servers ---- */

/* All servers of an array of backends, or of one backend. */
static json_t *
servers_of(const json_t *backends)
{
	json_t *all = json_array();

	if (json_is_object(backends) && json_array_extend(all, json_object_get(backends, "servers")) == 0)
		return all;
	for (size_t i = 0; i < json_array_size(backends); i++)
		(void)json_array_extend(all, json_object_get(json_array_get(backends, i), "servers"));
	return all;
}

static enum cli_command_exit
command_servers(const struct cli_command_run *run, int n, char *const *arguments)
{
	CLEANUP(cli_json_free_at) json_t *servers = NULL;
	struct document d;
	enum cli_command_exit status;

	if (n == 0)
		status = get(run, STR("/v1/backends"), &d);
	else
		status = get_below(run, STR("/v1/backends/"), str_from_cstr(arguments[0]), get, &d);
	if (status != CLI_COMMAND_OK)
		return status;
	servers = servers_of(d.json);
	document_free(&d);
	if (servers == NULL)
		return complain(run, CLI_COMMAND_REFUSED, STR("no memory for the documents"));
	return run->json ? print_json(run, servers) : show(run, cli_show_servers, servers);
}

/* ---- why ---- */

/* Adds the document of this backend to backends, unless it is there. */
static enum cli_command_exit
fetch_backend(const struct cli_command_run *run, struct str name, json_t *backends)
{
	struct document d;
	enum cli_command_exit status;

	for (size_t i = 0; i < json_array_size(backends); i++)
		if (str_eq(cli_json_text(json_array_get(backends, i), "name"), name))
			return CLI_COMMAND_OK;
	status = get_below(run, STR("/v1/backends/"), name, get, &d);
	if (status != CLI_COMMAND_OK)
		return status;
	if (json_array_append(backends, d.json) != 0)
		status = complain(run, CLI_COMMAND_REFUSED, STR("no memory for the documents"));
	document_free(&d);
	return status;
}

static enum cli_command_exit
fetch_backends(const struct cli_command_run *run, const json_t *task, json_t *backends)
{
	const json_t *containers = json_object_get(task, "containers");
	enum cli_command_exit status = CLI_COMMAND_OK;

	for (size_t c = 0; c < json_array_size(containers); c++) {
		const json_t *endpoints = json_object_get(json_array_get(containers, c), "endpoints");

		for (size_t i = 0; status == CLI_COMMAND_OK && i < json_array_size(endpoints); i++) {
			const json_t *endpoint = json_array_get(endpoints, i);

			if (json_array_size(json_object_get(endpoint, "servers")) > 0)
				status = fetch_backend(run, cli_json_text(endpoint, "backend"), backends);
		}
	}
	return status;
}

static enum cli_command_exit
explain_task(const struct cli_command_run *run, const struct document *task)
{
	CLEANUP(cli_json_free_at) json_t *backends = json_array();
	struct buf out = buf_make(CLI_SHOW_TEXT_MAX);
	struct err e = ERR_INIT;
	enum cli_command_exit status;
	enum err_code code;

	if (run->json)
		return print_line(run, buf_str(&task->answer.body));
	status = fetch_backends(run, task->json, backends);
	if (status != CLI_COMMAND_OK)
		return status;
	code = cli_why_task(task->json, backends, &run->style, &out, &e);
	return print_made(run, code, &e, &out);
}

static enum cli_command_exit
explain_server(const struct cli_command_run *run, const json_t *server)
{
	struct str arn = cli_json_text(server, "task_arn");
	struct document task;
	enum cli_command_exit status;

	if (arn.len == 0)
		return run->json ? print_json(run, server) : show(run, cli_why_server, server);
	status = get_below(run, STR("/v1/tasks/"), arn, get, &task);
	if (status != CLI_COMMAND_OK)
		return status;
	status = explain_task(run, &task);
	document_free(&task);
	return status;
}

static enum cli_command_exit
complain_of_server(const struct cli_command_run *run, struct str name, const char *what, struct str list)
{
	struct buf text = buf_make(CLI_SHOW_TEXT_MAX);
	enum cli_command_exit status;

	buf_printf(&text, "`" STR_FMT "` %s", STR_ARG(str_first(name, 200)), what);
	buf_put(&text, list);
	status = complain(run, CLI_COMMAND_REFUSED, buf_str(&text));
	buf_free(&text);
	return status;
}

/* Its servers of that name, as "BACKEND/NAME, BACKEND/NAME". */
static size_t
find_by_name(const json_t *servers, struct str name, struct buf *names, const json_t **ret_first)
{
	size_t found = 0;

	for (size_t i = 0; i < json_array_size(servers); i++) {
		const json_t *server = json_array_get(servers, i);

		if (!str_eq(cli_json_text(server, "name"), name))
			continue;
		if (found++ == 0)
			*ret_first = server;
		buf_put(names, names->len > 0 ? STR(", ") : STR(""));
		buf_put(names, cli_json_text(server, "backend"));
		buf_put_u8(names, '/');
		buf_put(names, name);
	}
	return found;
}

static enum cli_command_exit
explain_named(const struct cli_command_run *run, const json_t *servers, struct str name, struct str otherwise)
{
	struct buf names = buf_make(CLI_SHOW_TEXT_MAX);
	const json_t *server = NULL;
	size_t found = find_by_name(servers, name, &names, &server);
	enum cli_command_exit status;

	if (found == 1)
		status = explain_server(run, server);
	else if (found > 1)
		status =
		    complain_of_server(run, name, "is a server of several backends: say which, of ", buf_str(&names));
	else if (otherwise.len > 0)
		status = complain(run, CLI_COMMAND_REFUSED, otherwise);
	else
		status = complain_of_server(run, name, "is no server that rollcall keeps in that backend", STR(""));
	buf_free(&names);
	return status;
}

/* path: of one backend, or of all.  otherwise: what to say if there is none. */
static enum cli_command_exit
explain_in(const struct cli_command_run *run, const struct document *backends, struct str name, struct str otherwise)
{
	CLEANUP(cli_json_free_at) json_t *servers = servers_of(backends->json);

	return explain_named(run, servers, name, otherwise);
}

static enum cli_command_exit
why_backend_server(const struct cli_command_run *run, struct str backend, struct str name)
{
	struct document d;
	enum cli_command_exit status = get_below(run, STR("/v1/backends/"), backend, get, &d);

	if (status != CLI_COMMAND_OK)
		return status;
	status = explain_in(run, &d, name, STR(""));
	document_free(&d);
	return status;
}

/* No task of that id: a server of that name, perhaps. */
static enum cli_command_exit
why_server(const struct cli_command_run *run, struct str name, struct str otherwise)
{
	struct document d;
	enum cli_command_exit status = get(run, STR("/v1/backends"), &d);

	if (status != CLI_COMMAND_OK)
		return status;
	status = explain_in(run, &d, name, otherwise);
	document_free(&d);
	return status;
}

static enum cli_command_exit
why_task(const struct cli_command_run *run, struct str id)
{
	struct document d;
	enum cli_command_exit status = get_below(run, STR("/v1/tasks/"), id, ask, &d);

	if (status != CLI_COMMAND_OK)
		return status;
	if (d.answer.status == 200)
		status = explain_task(run, &d);
	else if (d.answer.status == 404)
		status = why_server(run, id, cli_json_error(d.json));
	else
		status = complain_document(run, &d);
	document_free(&d);
	return status;
}

static enum cli_command_exit
command_why(const struct cli_command_run *run, int n, char *const *arguments)
{
	struct str what = str_from_cstr(arguments[0]);
	size_t slash;

	(void)n;
	if (!str_has_prefix(what, STR("arn:")) && str_find(what, '/', &slash))
		return why_backend_server(run, str_first(what, slash), str_skip(what, slash + 1));
	return why_task(run, what);
}

/* ---- the list ---- */

static const struct cli_command commands[] = {
	{ "status", "", "how rollcalld, ECS and HAProxy stand, and what is wrong", 0, 0, false, command_status },
	{ "backends", "", "the backends and how many servers are in which state", 0, 0, false, command_backends },
	{ "servers", "[BACKEND]", "the servers that stand for tasks", 0, 1, false, command_servers },
	{ "why", "TASK|SERVER", "where a task gets calls, or why it gets none", 1, 1, false, command_why },
	{ "health", "[--ready]", "is rollcalld alive (--ready: and in step)", 0, 0, true, command_health },
	{ "version", "", "the versions of rollcall and of rollcalld", 0, 0, false, command_version },
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
