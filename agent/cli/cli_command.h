/*
 * The commands: what each asks the daemon, and what it makes of the answer.  A
 * driver; the text itself is made in cli_show and cli_why.
 */
#ifndef CLI_CLI_COMMAND_H
#define CLI_CLI_COMMAND_H

#include <stdbool.h>
#include <stdio.h>

#include "cli/cli_client.h"
#include "cli/cli_text.h"

enum cli_command_exit { CLI_COMMAND_OK, CLI_COMMAND_REFUSED, CLI_COMMAND_USAGE, CLI_COMMAND_NO_DAEMON };

struct cli_command_run {
	struct cli_client client;
	struct cli_text_style style;
	bool json; /* --json */
	bool ready, force, follow;
	const char *how_long; /* --for, or null; as are those below */
	const char *since, *entrypoint;
	FILE *out, *err;
};

typedef enum cli_command_exit cli_command_fn(const struct cli_command_run *run, int n, char *const *arguments);

/* The options of its own that a command has, and what it lets pass, as bits. */
enum cli_command_option {
	CLI_TAKES_NONE = 0,
	CLI_TAKES_READY = 1,
	CLI_TAKES_FOR = 2,
	CLI_TAKES_FOLLOW = 4,
	CLI_TAKES_SINCE = 8,
	CLI_TAKES_FORCE = 16,
	CLI_TAKES_ENTRYPOINT = 32,
	CLI_TAKES_EMPTY = 64 /* an empty argument, and means it */
};

struct cli_command {
	const char *name, *arguments, *summary;
	int min, max;   /* arguments */
	unsigned takes; /* enum cli_command_option */
	cli_command_fn *fn;
};

/* Null: there is none of that name. */
const struct cli_command *cli_command_find(const char *name);
/* In the order of the help; null at the end. */
const struct cli_command *cli_command_at(size_t i);

#endif
