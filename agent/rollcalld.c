/*
 * rollcalld: options, configuration, loop, signals.  The rest is app.c.
 */
#include "config.h"

#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <unistd.h>

#include "app_host.h"
#include "app_init.h"
#include "app_log.h"
#include "app_once.h"
#include "app_region.h"
#include "app_uneject.h"
#include "base/arena.h"
#include "base/log.h"
#include "conf/conf_file.h"
#include "control/control_iam.h"
#include "label/label_conf.h"

#define IAM_MAX ((size_t)64 << 20)

enum { EXIT_USAGE = 2 };
enum { OPTION_INIT = 0x100, OPTION_UNEJECT, OPTION_PLAN, OPTION_DOCTOR, OPTION_IAM }; /* without a letter */

struct options {
	const char *config_path; /* null: ROLLCALL_CONFIG, else the default file */
	bool check_only, init_only, uneject_only, iam_only, debug;
	app_once_fn *once; /* --plan, --doctor; null: the daemon */
};

struct daemon {
	struct loop *loop;
	struct app_host *host;
	struct loop_signal *term, *intr, *hup;
	bool stopping;
};

/* ---- options ---- */

static void
usage(FILE *to)
{
	(void)fprintf(to,
	    "usage: rollcalld [-cdV] [--init | --uneject | --plan | --doctor | --iam] [-f FILE]\n"
	    "  -f FILE  the configuration; else the text in $ROLLCALL_CONFIG, else /etc/rollcall/rollcall.yaml\n"
	    "  -c       check the configuration and exit\n"
	    "  --init   make what is missing of haproxy.managed.dir, so that HAProxy can start, and exit\n"
	    "  --uneject  put back the servers that an earlier rollcalld ejected in HAProxy, and exit\n"
	    "  --plan   print what HAProxy would be told now, and exit\n"
	    "  --doctor look for what is wrong, print what mends it, and exit\n"
	    "  --iam    print the IAM policy that the configuration needs, and exit\n"
	    "  -d       log at level debug\n"
	    "  -V       print the version\n"
	    "  -h       print this\n");
}

static enum err_code
parse_options(int argc, char **argv, struct options *ret)
{
	static const struct option long_options[] = {
		{ "init", no_argument, NULL, OPTION_INIT },
		{ "uneject", no_argument, NULL, OPTION_UNEJECT },
		{ "plan", no_argument, NULL, OPTION_PLAN },
		{ "doctor", no_argument, NULL, OPTION_DOCTOR },
		{ "iam", no_argument, NULL, OPTION_IAM },
		{ "version", no_argument, NULL, 'V' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "f:cdVh", long_options, NULL)) != -1) {
		switch (c) {
		case 'f':
			ret->config_path = optarg;
			break;
		case 'c':
			ret->check_only = true;
			break;
		case 'd':
			ret->debug = true;
			break;
		case OPTION_INIT:
			ret->init_only = true;
			break;
		case OPTION_UNEJECT:
			ret->uneject_only = true;
			break;
		case OPTION_PLAN:
			ret->once = app_once_plan;
			break;
		case OPTION_DOCTOR:
			ret->once = app_once_doctor;
			break;
		case OPTION_IAM:
			ret->iam_only = true;
			break;
		case 'V':
			(void)printf("rollcalld %s\n", PACKAGE_VERSION);
			exit(EXIT_SUCCESS);
		case 'h':
			usage(stdout);
			exit(EXIT_SUCCESS);
		default:
			return ERR_ARG;
		}
	}
	return optind == argc ? ERR_OK : ERR_ARG;
}

/* ---- configuration ---- */

static const char *
get_env(void *arg, const char *name)
{
	(void)arg;
	return getenv(name);
}

static struct app_region the_region; /* what the machine told */
static const struct env the_env = { .get = get_env, .region = app_region_find, .arg = &the_region };

/* As a compiler does, so that editors can jump to the place. */
static void
print_faults(const char *name, const struct conf_notes *faults, const struct err *e)
{
	for (size_t i = 0; i < faults->n; i++)
		(void)fprintf(stderr, "%s:%u:%u: " STR_FMT "\n", name, faults->notes[i].where.line,
		    faults->notes[i].where.column, STR_ARG(faults->notes[i].text));
	if (faults->n == 0)
		(void)fprintf(stderr, "%s\n", e->msg); /* the name is in it */
}

static void
log_warnings(const char *name, const struct conf_notes *warnings)
{
	for (size_t i = 0; i < warnings->n; i++)
		log_warn("conf", "%s:%u:%u: " STR_FMT, name, warnings->notes[i].where.line,
		    warnings->notes[i].where.column, STR_ARG(warnings->notes[i].text));
}

/* ---- life ---- */

static void
close_all(void *arg)
{
	struct daemon *d = arg;

	app_host_close(d->host);
	loop_signal_close(d->term);
	loop_signal_close(d->intr);
	loop_signal_close(d->hup);
}

static void
stop(void *arg)
{
	struct daemon *d = arg;

	if (d->stopping)
		return;
	d->stopping = true;
	log_info("main", "stopping; servers stay in HAProxy as they are");
	app_host_stop(d->host, close_all, d);
}

static void
reload(void *arg)
{
	struct daemon *d = arg;

	if (!d->stopping && d->host != NULL)
		app_host_reload(d->host);
}

static enum err_code
open_signals(struct daemon *d, struct err *e)
{
	enum err_code code = loop_signal_new(d->loop, SIGTERM, stop, d, &d->term, e);

	if (code == ERR_OK)
		code = loop_signal_new(d->loop, SIGINT, stop, d, &d->intr, e);
	if (code == ERR_OK)
		code = loop_signal_new(d->loop, SIGHUP, reload, d, &d->hup, e);
	return code;
}

static uint64_t
random_seed(void)
{
	uint64_t seed = 0;

	/* Only for jitter: at worst every daemon has the same. */
	if (getrandom(&seed, sizeof(seed), GRND_NONBLOCK) != (ssize_t)sizeof(seed))
		seed = (uint64_t)app_log_wall_ms() ^ (uint64_t)getpid();
	return seed;
}

/* A descriptor that we were started without is the next one that is opened: log lines
 * would go to HAProxy as commands, and libuv aborts rather than close 0 to 2. */
static bool
fill_stdio(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	return fd >= 0 && close(fd) == 0;
}

/* Credentials live in our memory: no core file may hold them.  A limit of 0 would not
 * hold where core_pattern is a pipe: the kernel leaves that out only at 1 (fs/coredump.c).
 * And a peer that hangs up is an error of that write, not the end of the daemon. */
static void
harden_process(void)
{
	const struct rlimit none = { 1, 1 };
	struct sigaction ignore;

	memset(&ignore, 0, sizeof(ignore));
	ignore.sa_handler = SIG_IGN;
	(void)setrlimit(RLIMIT_CORE, &none);
	(void)sigaction(SIGPIPE, &ignore, NULL);
}

/* The arena of the configuration is ours no more once this returns ERR_OK. */
static enum err_code
run(const struct app_host_config *config, struct err *e)
{
	struct daemon d = { 0 };
	enum err_code code = loop_new(&d.loop, e);

	if (code != ERR_OK)
		return code;
	code = open_signals(&d, e);
	if (code == ERR_OK)
		code = app_host_new(d.loop, config, &d.host, e);
	if (code == ERR_OK) {
		log_info("main", "rollcalld %s started with %s", PACKAGE_VERSION, config->name);
		app_host_start(d.host);
	} else {
		loop_signal_close(d.term);
		loop_signal_close(d.intr);
		loop_signal_close(d.hup);
	}
	loop_run(d.loop);
	app_host_free(d.host);
	loop_free(d.loop);
	return code;
}

static int
init(const struct conf *conf)
{
	struct err e = ERR_INIT;

	if (app_init(conf, &e) == ERR_OK)
		return EXIT_SUCCESS;
	(void)fprintf(stderr, "rollcalld --init: %s\n", e.msg);
	return EXIT_FAILURE;
}

static int
uneject(const struct conf *conf)
{
	struct err e = ERR_INIT;

	if (app_uneject_run(conf, &e) == ERR_OK)
		return EXIT_SUCCESS;
	(void)fprintf(stderr, "rollcalld --uneject: %s\n", e.msg);
	return EXIT_FAILURE;
}

static int
print_iam(const struct conf *conf)
{
	struct buf out = buf_make(IAM_MAX);
	struct err e = ERR_INIT;
	bool done;

	control_iam_print(conf, &out);
	done = buf_failed(&out, &e) == ERR_OK;
	if (!done)
		(void)fprintf(stderr, "rollcalld --iam: %s\n", e.msg);
	done = done && fwrite(out.ptr, 1, out.len, stdout) == out.len && fflush(stdout) == 0;
	buf_free(&out);
	return done ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* These ask AWS nothing, and rollcall-init.service has no network to learn a region by. */
static bool
needs_no_region(const struct options *o)
{
	return !o->check_only && (o->init_only || o->uneject_only);
}

static int
load_and_run(const struct options *o, struct arena **arena)
{
	struct env env = the_env;
	const struct conf *conf = NULL;
	const char *name = "";
	struct conf_notes faults = { 0 };
	struct err e = ERR_INIT;
	struct app_log log = { 0 };
	enum err_code code;

	the_region.env = &the_env;
	env.needs_no_region = needs_no_region(o);
	if (conf_file_load(*arena, o->config_path, &env, &conf, &name, &faults, &e) != ERR_OK ||
	    label_conf_check(*arena, conf, &faults, &e) != ERR_OK) {
		print_faults(name, &faults, &e);
		return EXIT_FAILURE;
	}
	app_region_close(&the_region); /* a reload must not block the loop */
	if (o->check_only)
		return EXIT_SUCCESS;
	if (o->init_only)
		return init(conf);
	if (o->uneject_only)
		return uneject(conf);
	if (o->iam_only)
		return print_iam(conf);
	app_log_open(&log, conf->log_format, o->debug ? LOG_DEBUG : conf->log_level);
	if (o->once != NULL) {
		log_set_level(o->debug ? LOG_DEBUG : LOG_ERROR);
		code = o->once(conf, &the_env, random_seed(), &e);
		if (code != ERR_OK)
			(void)fprintf(stderr, "rollcalld: %s\n", e.msg);
		app_log_close();
		return code == ERR_OK ? EXIT_SUCCESS : EXIT_FAILURE;
	}
	log_warnings(name, &conf->warnings);
	code = run(
	    &(struct app_host_config){
		.path = o->config_path,
		.name = name,
		.arena = *arena,
		.conf = conf,
		.env = &the_env,
		.seed = random_seed(),
		.debug = o->debug,
	    },
	    &e);
	if (code == ERR_OK)
		*arena = NULL;
	else
		log_error("main", "%s; not started", e.msg);
	app_log_close();
	return code == ERR_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}

int
main(int argc, char **argv)
{
	struct options o = { 0 };
	struct arena *a;
	int status;

	if (!fill_stdio())
		return EXIT_FAILURE;
	if (parse_options(argc, argv, &o) != ERR_OK) {
		usage(stderr);
		return EXIT_USAGE;
	}
	harden_process();
	a = arena_new(CONF_ARENA_MAX);
	if (a == NULL) {
		(void)fprintf(stderr, "rollcalld: out of memory\n");
		return EXIT_FAILURE;
	}
	status = load_and_run(&o, &a);
	arena_wipe(a);
	return status;
}
