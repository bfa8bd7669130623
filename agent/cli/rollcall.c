/*
 * rollcall, the operator's command: options and help.  What each command does is
 * in cli_command.c; it talks to the daemon over its control socket.
 */
#include "config.h"

#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "cli/cli_command.h"

#define WIDTH_DEFAULT 80
#define WIDTH_MAX     10000

enum { OPTION_JSON = 0x100, OPTION_READY, OPTION_FOR, OPTION_SINCE, OPTION_ENTRYPOINT, OPTION_FORCE };

struct options {
	const char *socket, *how_long, *since, *entrypoint;
	bool json, ready, force, follow, help, version;
};

static void
put_help(FILE *to)
{
	(void)fputs("usage: rollcall [-s SOCKET|URL] [--json] COMMAND [ARGUMENT]\n\ncommands:\n", to);
	for (size_t i = 0; cli_command_at(i) != NULL; i++) {
		const struct cli_command *c = cli_command_at(i);

		(void)fprintf(to, "  %-11s%-15s%s\n", c->name, c->arguments, c->summary);
	}
	(void)fputs("  help                      this\n"
		    "\n"
		    "options:\n"
		    "  -s, --socket SOCKET|URL   rollcalld's control socket (a path or abns@NAME), or the\n"
		    "                            http:// URL of its read-only door; else $ROLLCALL_SOCKET,\n"
		    "                            else " CLI_CLIENT_DEFAULT_SOCKET "\n"
		    "      --json                the daemon's document instead of text\n"
		    "      --for TIME            how long: 500ms, 30s, 5m, 2h; else until `ready` or `resume`\n"
		    "      --since TIME          events from then on: 2026-11-23T02:40:46Z, how long ago (5m),\n"
		    "                            or after the event of that number\n"
		    "  -f, --follow              events as they come, after the last ten\n"
		    "  -h, --help                this\n"
		    "  -V, --version             the version of this command\n"
		    "\n"
		    "SERVER is BACKEND/NAME, or NAME if only one backend has it; TASK is an id, its first 8\n"
		    "characters or more, or an ARN.\n"
		    "exit status: 0 well, 1 refused or unknown, 2 wrong usage, 3 no daemon.\n",
	    to);
}

static int
complain_usage(const char *what, const char *word)
{
	(void)fprintf(
	    stderr, "rollcall: %s%s%s: `rollcall help` tells what there is\n", what, word[0] != '\0' ? " " : "", word);
	return CLI_COMMAND_USAGE;
}

/* False: a wrong option; getopt has said so. */
static bool
parse_options(int argc, char **argv, struct options *ret)
{
	static const struct option known[] = {
		{ "socket", required_argument, NULL, 's' },
		{ "json", no_argument, NULL, OPTION_JSON },
		{ "ready", no_argument, NULL, OPTION_READY },
		{ "for", required_argument, NULL, OPTION_FOR },
		{ "since", required_argument, NULL, OPTION_SINCE },
		{ "entrypoint", required_argument, NULL, OPTION_ENTRYPOINT },
		{ "force", no_argument, NULL, OPTION_FORCE },
		{ "follow", no_argument, NULL, 'f' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ NULL, 0, NULL, 0 },
	};
	int option;

	while ((option = getopt_long(argc, argv, "s:fhV", known, NULL)) != -1) {
		switch (option) {
		case 's':
			ret->socket = optarg;
			break;
		case 'f':
			ret->follow = true;
			break;
		case OPTION_JSON:
			ret->json = true;
			break;
		case OPTION_READY:
			ret->ready = true;
			break;
		case OPTION_FORCE:
			ret->force = true;
			break;
		case OPTION_FOR:
			ret->how_long = optarg;
			break;
		case OPTION_SINCE:
			ret->since = optarg;
			break;
		case OPTION_ENTRYPOINT:
			ret->entrypoint = optarg;
			break;
		case 'h':
			ret->help = true;
			break;
		case 'V':
			ret->version = true;
			break;
		default:
			return false;
		}
	}
	return true;
}

static const char *
socket_of(const struct options *o)
{
	const char *from_environment = getenv("ROLLCALL_SOCKET");

	if (o->socket != NULL)
		return o->socket;
	if (from_environment != NULL && from_environment[0] != '\0')
		return from_environment;
	return CLI_CLIENT_DEFAULT_SOCKET;
}

static unsigned
terminal_width(void)
{
	struct winsize size = { 0 };
	uint64_t columns;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
		return size.ws_col;
	if (str_to_u64(str_from_cstr(getenv("COLUMNS")), WIDTH_MAX, &columns) && columns > 0)
		return (unsigned)columns;
	return WIDTH_DEFAULT;
}

static bool
is_set(const char *variable)
{
	const char *value = getenv(variable);

	return value != NULL && value[0] != '\0';
}

static bool
is_dumb_terminal(void)
{
	const char *term = getenv("TERM");

	return term == NULL || strcmp(term, "dumb") == 0;
}

static struct cli_text_style
find_style(void)
{
	struct cli_text_style style = { .wall_ms = (int64_t)time(NULL) * 1000 };

	if (isatty(STDOUT_FILENO) == 1) {
		style.width = terminal_width();
		style.colour = !is_set("NO_COLOR") && !is_dumb_terminal();
	}
	return style;
}

static int
run_command(const struct options *o, const struct cli_command *c, int n, char *const *arguments)
{
	struct cli_command_run run = {
		.client = { .where = socket_of(o) },
		.style = find_style(),
		.json = o->json,
		.ready = o->ready,
		.force = o->force,
		.follow = o->follow,
		.how_long = o->how_long,
		.since = o->since,
		.entrypoint = o->entrypoint,
		.out = stdout,
		.err = stderr,
	};

	return (int)c->fn(&run, n, arguments);
}

/* An option that the command does not have; null: none. */
static const char *
find_stray(const struct options *o, unsigned takes)
{
	const struct {
		bool given;
		unsigned takes;
		const char *what;
	} own[] = {
		{ o->ready, CLI_TAKES_READY, "--ready does not go with" },
		{ o->how_long != NULL, CLI_TAKES_FOR, "--for does not go with" },
		{ o->follow, CLI_TAKES_FOLLOW, "-f does not go with" },
		{ o->since != NULL, CLI_TAKES_SINCE, "--since does not go with" },
		{ o->force, CLI_TAKES_FORCE, "--force does not go with" },
		{ o->entrypoint != NULL, CLI_TAKES_ENTRYPOINT, "--entrypoint does not go with" },
	};

	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
		if (own[i].given && (takes & own[i].takes) == 0)
			return own[i].what;
	return NULL;
}

static int
choose_command(const struct options *o, int n, char *const *words)
{
	const struct cli_command *c;
	const char *stray;

	if (n == 0)
		return complain_usage("which command?", "");
	if (strcmp(words[0], "help") == 0) {
		put_help(stdout);
		return CLI_COMMAND_OK;
	}
	c = cli_command_find(words[0]);
	if (c == NULL)
		return complain_usage("there is no command", words[0]);
	if (n - 1 < c->min)
		return complain_usage("an argument is missing after", c->name);
	if (n - 1 > c->max)
		return complain_usage("too many arguments after", c->name);
	/* A variable of a script that is not set must not become "all of them". */
	for (int i = 1; i < n; i++)
		if (words[i][0] == '\0' && (c->takes & CLI_TAKES_EMPTY) == 0)
			return complain_usage("an argument is empty after", c->name);
	stray = find_stray(o, c->takes);
	if (stray != NULL)
		return complain_usage(stray, c->name);
	return run_command(o, c, n - 1, words + 1);
}

static int
run(int argc, char **argv)
{
	struct options o = { 0 };

	if (!parse_options(argc, argv, &o)) {
		(void)fputs("rollcall: `rollcall help` tells what there is\n", stderr);
		return CLI_COMMAND_USAGE;
	}
	if (o.help) {
		put_help(stdout);
		return CLI_COMMAND_OK;
	}
	if (o.version) {
		(void)printf("rollcall %s\n", PACKAGE_VERSION);
		return CLI_COMMAND_OK;
	}
	return choose_command(&o, argc - optind, argv + optind);
}

int
main(int argc, char **argv)
{
	int status = run(argc, argv);

	/* A full disk is found out here, at the latest. */
	if (fflush(stdout) != 0 && status == CLI_COMMAND_OK) {
		perror("rollcall: cannot write the output");
		return CLI_COMMAND_REFUSED;
	}
	return status;
}
