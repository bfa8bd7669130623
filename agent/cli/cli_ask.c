/* Asking the daemon and saying what came of it: see cli_ask.h. */
#include "config.h"

#include "cli/cli_ask.h"

#include <stdlib.h>

#include "cli/cli_json.h"
#include "cli/cli_show.h"

void
cli_ask_document_free(struct cli_ask_document *d)
{
	buf_free(&d->answer.body);
	json_decref(d->json);
	d->json = NULL;
}

/* ---- saying things ---- */

enum cli_command_exit
cli_ask_complain(const struct cli_command_run *run, enum cli_command_exit status, struct str message)
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

	(void)cli_ask_complain(run, status, str_from_cstr(e->msg));
	if (absent)
		(void)fprintf(run->err,
		    "rollcall: `systemctl status rollcalld` tells more; -s or ROLLCALL_SOCKET names another socket\n");
	return status;
}

static enum cli_command_exit
cli_ask_print(const struct cli_command_run *run, struct str text)
{
	if (fwrite(text.ptr, 1, text.len, run->out) == text.len)
		return CLI_COMMAND_OK;
	return cli_ask_complain(run, CLI_COMMAND_REFUSED, STR("cannot write the output"));
}

enum cli_command_exit
cli_ask_print_made(const struct cli_command_run *run, enum err_code code, const struct err *e, struct buf *out)
{
	enum cli_command_exit status = code == ERR_OK
					   ? cli_ask_print(run, buf_str(out))
					   : cli_ask_complain(run, CLI_COMMAND_REFUSED, str_from_cstr(e->msg));

	buf_free(out);
	return status;
}

enum cli_command_exit
cli_ask_print_line(const struct cli_command_run *run, struct str text)
{
	enum cli_command_exit status = cli_ask_print(run, text);

	return status == CLI_COMMAND_OK ? cli_ask_print(run, STR("\n")) : status;
}

enum cli_command_exit
cli_ask_print_json(const struct cli_command_run *run, const json_t *json)
{
	enum cli_command_exit status = CLI_COMMAND_REFUSED;
	char *text = json_dumps(json, JSON_COMPACT | JSON_ENCODE_ANY | JSON_ENSURE_ASCII);

	if (text == NULL)
		return cli_ask_complain(run, status, STR("no memory for the document"));
	status = cli_ask_print_line(run, str_from_cstr(text));
	free(text);
	return status;
}

/* ---- asking ---- */

typedef enum err_code send_fn(
    const struct cli_client *c, struct str path, struct cli_client_answer *ret, struct err *e);

static enum cli_command_exit
ask(const struct cli_command_run *run, send_fn *send, struct str path, struct cli_ask_document *ret)
{
	struct cli_ask_document d = { .json = NULL };
	struct err e = ERR_INIT;

	if (send(&run->client, path, &d.answer, &e) != ERR_OK)
		return complain_err(run, &e);
	if (cli_json_parse(buf_str(&d.answer.body), &d.json, &e) != ERR_OK) {
		cli_ask_document_free(&d);
		return cli_ask_complain(run, CLI_COMMAND_REFUSED, str_from_cstr(e.msg));
	}
	*ret = d;
	return CLI_COMMAND_OK;
}

enum cli_command_exit
cli_ask_any(const struct cli_command_run *run, struct str path, struct cli_ask_document *ret)
{
	return ask(run, cli_client_get, path, ret);
}

enum cli_command_exit
cli_ask_post(const struct cli_command_run *run, struct str path, struct cli_ask_document *ret)
{
	return ask(run, cli_client_post, path, ret);
}

enum cli_command_exit
cli_ask_complain_document(const struct cli_command_run *run, const struct cli_ask_document *d)
{
	struct str message = cli_json_error(d->json);

	return cli_ask_complain(
	    run, CLI_COMMAND_REFUSED, message.len > 0 ? message : STR("refused, without saying why"));
}

enum cli_command_exit
cli_ask_get(const struct cli_command_run *run, struct str path, struct cli_ask_document *ret)
{
	struct cli_ask_document d = { .json = NULL };
	enum cli_command_exit status = cli_ask_any(run, path, &d);

	if (status != CLI_COMMAND_OK)
		return status;
	if (d.answer.status != 200) {
		const bool is_usage = d.answer.status == 400;

		status = cli_ask_complain_document(run, &d);
		cli_ask_document_free(&d);
		return is_usage ? CLI_COMMAND_USAGE : status;
	}
	*ret = d;
	return CLI_COMMAND_OK;
}

enum cli_command_exit
cli_ask_text(const struct cli_command_run *run, struct str path, struct cli_client_answer *ret)
{
	struct err e = ERR_INIT;

	if (cli_client_get(&run->client, path, ret, &e) != ERR_OK)
		return complain_err(run, &e);
	if (ret->status == 200)
		return CLI_COMMAND_OK;
	buf_free(&ret->body);
	return cli_ask_complain(run, CLI_COMMAND_REFUSED, STR("rollcalld does not give that now: try again"));
}

enum cli_command_exit
cli_ask_get_below(const struct cli_command_run *run, struct str path, struct str segment, cli_ask_fn *how,
    struct cli_ask_document *ret)
{
	struct buf whole = buf_make(CLI_CLIENT_URL_MAX);
	enum cli_command_exit status;
	struct err e = ERR_INIT;

	buf_put(&whole, path);
	cli_client_put_segment(&whole, segment);
	if (buf_failed(&whole, &e) == ERR_OK)
		status = how(run, buf_str(&whole), ret);
	else
		status = cli_ask_complain(run, CLI_COMMAND_REFUSED, STR("that name is too long to be one"));
	buf_free(&whole);
	return status;
}

/* ---- servers ---- */

json_t *
cli_ask_servers_of(const json_t *backends)
{
	json_t *all = json_array();

	if (json_is_object(backends) && json_array_extend(all, json_object_get(backends, "servers")) == 0)
		return all;
	for (size_t i = 0; i < json_array_size(backends); i++)
		(void)json_array_extend(all, json_object_get(json_array_get(backends, i), "servers"));
	return all;
}

enum cli_command_exit
cli_ask_servers(const struct cli_command_run *run, const char *backend, json_t **ret)
{
	struct cli_ask_document d;
	enum cli_command_exit status;
	json_t *servers;

	if (backend == NULL)
		status = cli_ask_get(run, STR("/v1/backends"), &d);
	else
		status = cli_ask_get_below(run, STR("/v1/backends/"), str_from_cstr(backend), cli_ask_get, &d);
	if (status != CLI_COMMAND_OK)
		return status;
	servers = cli_ask_servers_of(d.json);
	cli_ask_document_free(&d);
	if (servers == NULL)
		return cli_ask_complain(run, CLI_COMMAND_REFUSED, STR("no memory for the documents"));
	*ret = servers;
	return CLI_COMMAND_OK;
}

size_t
cli_ask_find_servers(const json_t *servers, struct str name, struct buf *names, const json_t **ret_first)
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

bool
cli_ask_is_server(struct str what)
{
	return what.len > 0 && what.ptr[0] != '/' && what.ptr[what.len - 1] != '/';
}

enum cli_command_exit
cli_ask_complain_of_half(const struct cli_command_run *run, struct str what)
{
	struct buf text = buf_make(CLI_SHOW_TEXT_MAX);

	buf_printf(&text,
	    "`" STR_FMT "` names no server: it is BACKEND/NAME, or NAME if only one backend has it; `rollcall servers` "
	    "lists them",
	    STR_ARG(str_first(what, 200)));
	(void)cli_ask_complain(run, CLI_COMMAND_USAGE, buf_str(&text));
	buf_free(&text);
	return CLI_COMMAND_USAGE;
}

enum cli_command_exit
cli_ask_complain_of_server(const struct cli_command_run *run, struct str name, const char *what, struct str list)
{
	struct buf text = buf_make(CLI_SHOW_TEXT_MAX);
	enum cli_command_exit status;

	buf_printf(&text, "`" STR_FMT "` %s", STR_ARG(str_first(name, 200)), what);
	buf_put(&text, list);
	status = cli_ask_complain(run, CLI_COMMAND_REFUSED, buf_str(&text));
	buf_free(&text);
	return status;
}
