/*
 * What the commands share: asking the daemon, and saying what came of it.  A driver.
 * Who complains returns the exit status that goes with it.
 */
#ifndef CLI_CLI_ASK_H
#define CLI_CLI_ASK_H

#include <jansson.h>

#include "cli/cli_client.h"
#include "cli/cli_command.h"

struct cli_ask_document {
	struct cli_client_answer answer; /* the text as it came */
	json_t *json;
};

typedef enum cli_command_exit cli_ask_fn(
    const struct cli_command_run *run, struct str path, struct cli_ask_document *ret);

/* Any answer that is JSON, whatever its status; ret is the caller's to free. */
cli_ask_fn cli_ask_any, cli_ask_post;
/* A document that has to be there. */
cli_ask_fn cli_ask_get;
/* A document that has to be there and is no JSON; its body is the caller's to free. */
enum cli_command_exit cli_ask_text(const struct cli_command_run *run, struct str path, struct cli_client_answer *ret);
/* path followed by a segment that may hold anything. */
enum cli_command_exit cli_ask_get_below(const struct cli_command_run *run, struct str path, struct str segment,
    cli_ask_fn *how, struct cli_ask_document *ret);
void cli_ask_document_free(struct cli_ask_document *d);

enum cli_command_exit cli_ask_complain(
    const struct cli_command_run *run, enum cli_command_exit status, struct str message);
/* With what the daemon said. */
enum cli_command_exit cli_ask_complain_document(const struct cli_command_run *run, const struct cli_ask_document *d);
/* Not one half of BACKEND/NAME alone, as of a variable of a script that was not set. */
bool cli_ask_is_server(struct str what);
enum cli_command_exit cli_ask_complain_of_half(const struct cli_command_run *run, struct str what);
enum cli_command_exit cli_ask_complain_of_server(
    const struct cli_command_run *run, struct str name, const char *what, struct str list);
enum cli_command_exit cli_ask_print_line(const struct cli_command_run *run, struct str text);
enum cli_command_exit cli_ask_print_json(const struct cli_command_run *run, const json_t *json);
/* Prints out, unless making it failed; frees it. */
enum cli_command_exit cli_ask_print_made(
    const struct cli_command_run *run, enum err_code code, const struct err *e, struct buf *out);

/* All servers of an array of backends, or of one backend. */
json_t *cli_ask_servers_of(const json_t *backends);
/* Those of all backends, or of the one of that name; ret is the caller's to free. */
enum cli_command_exit cli_ask_servers(const struct cli_command_run *run, const char *backend, json_t **ret);
/* How many have that name; names gets them as "BACKEND/NAME, BACKEND/NAME". */
size_t cli_ask_find_servers(const json_t *servers, struct str name, struct buf *names, const json_t **ret_first);

#endif
