/* The lines of a gRPC health check: see cli_check.h. */
#include "config.h"

#include "cli/cli_check.h"

#include "cli/cli_ask.h"
#include "cli/cli_json.h"
#include "hap/grpc_check.h"

static json_t *
split_lines(struct str text)
{
	json_t *lines = json_array();
	struct str line;

	while (str_next(&text, '\n', &line))
		if (line.len > 0)
			(void)json_array_append_new(lines, json_stringn(line.ptr, line.len));
	return lines;
}

static enum cli_command_exit
print_json(const struct cli_command_run *run, struct str service, struct str lines)
{
	CLEANUP(cli_json_free_at)
	json_t *document = json_pack("{s:s%, s:o}", "service", service.ptr, service.len, "lines", split_lines(lines));

	return cli_ask_print_json(run, document);
}

enum cli_command_exit
cli_check_grpc(const struct cli_command_run *run, int n, char *const *arguments)
{
	struct str service = n > 0 ? str_from_cstr(arguments[0]) : STR("");
	struct buf out = buf_make(GRPC_CHECK_TEXT_MAX);
	struct err e = ERR_INIT;
	enum cli_command_exit status;
	enum err_code code;

	code = run->json ? grpc_check_lines(service, &out, &e) : grpc_check_section(service, &out, &e);
	if (code != ERR_OK || !run->json)
		return cli_ask_print_made(run, code, &e, &out);
	status = print_json(run, service, buf_str(&out));
	buf_free(&out);
	return status;
}
