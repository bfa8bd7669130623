/*
 * What rollcall costs on top of HAProxy (design.md, section 10): N servers into an
 * empty HAProxy by hap_exec_run, beside a minimal client that pipelines the same
 * bytes over a poll loop.  The two take turns, each with a HAProxy of its own, so that
 * neither has the better moments of the machine; the ratio is the median of the
 * rounds' own.  Then one change among N: reading back, and its command.  RESULTS.md,
 * beside this file, has figures.
 *
 *   tests/bench/apply [--haproxy PATH] [--rounds N] [SERVERS...]
 *
 * Slots on HAProxy before 3.0, servers added at run time from then on.  Times are
 * from before connect() to the last reply; "prepare" is what goes before: commands
 * made of steps.  It needs a quiet machine: the best of each is shown, too.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/clk.h"
#include "hap/hap_exec.h"
#include "hap/hap_text.h"
#include "io/loop.h"

#define ROUNDS_MAX    100
#define START_WAIT_MS 10000
#define TALK_WAIT_MS  60000
#define TEXT_MAX      ((size_t)64 << 20)
#define GREETING      "prompt\nset severity-output number\n"
#define PROMPT        "\n> "

static _Noreturn void
die(const char *what)
{
	(void)fprintf(stderr, "apply: %s: %s\n", what, strerror(errno));
	exit(EXIT_FAILURE);
}

static _Noreturn void
die_of(const struct err *e)
{
	(void)fprintf(stderr, "apply: %s\n", e->msg);
	exit(EXIT_FAILURE);
}

static double
now_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static int64_t
clock_ms(void *arg)
{
	(void)arg;
	return (int64_t)now_ms();
}

/* ---- a HAProxy of our own ---- */

struct haproxy {
	const char *path;
	char dir[32], config[64], sock[64];
	pid_t pid;
};

static void
write_config(const struct haproxy *h, size_t n_slots)
{
	FILE *f = fopen(h->config, "we");

	if (f == NULL)
		die(h->config);
	(void)fprintf(f,
	    "global\n  stats socket %s mode 600 level admin\n  stats timeout 1m\n  maxconn 100\n"
	    "defaults\n  mode http\n  timeout connect 1s\n  timeout client 1m\n  timeout server 1m\n"
	    "backend grpc\n  balance roundrobin\n",
	    h->sock);
	if (n_slots > 0)
		(void)fprintf(f, "  server-template rc_ 1-%zu 0.0.0.0:0 disabled proto h2\n", n_slots);
	if (fclose(f) != 0)
		die(h->config);
}

static int
try_connect(const char *path)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		die("socket");
	memcpy(un.sun_path, path, strlen(path) + 1);
	if (connect(fd, (const struct sockaddr *)&un, sizeof(un)) == 0)
		return fd;
	(void)close(fd);
	return -1;
}

static void
wait_until_up(const struct haproxy *h)
{
	double until = now_ms() + START_WAIT_MS;
	int fd;

	while ((fd = try_connect(h->sock)) < 0) {
		const struct timespec pause = { .tv_nsec = 5000000 };

		if (now_ms() > until || waitpid(h->pid, NULL, WNOHANG) != 0) {
			(void)fprintf(stderr, "apply: %s does not start\n", h->path);
			exit(EXIT_FAILURE);
		}
		(void)nanosleep(&pause, NULL);
	}
	(void)close(fd);
}

static void
haproxy_start(struct haproxy *h, const char *path, size_t n_slots)
{
	h->path = path;
	(void)snprintf(h->dir, sizeof(h->dir), "/tmp/bench.XXXXXX");
	if (mkdtemp(h->dir) == NULL)
		die("mkdtemp");
	(void)snprintf(h->config, sizeof(h->config), "%s/cfg", h->dir);
	(void)snprintf(h->sock, sizeof(h->sock), "%s/sock", h->dir);
	write_config(h, n_slots);
	if ((h->pid = fork()) < 0)
		die("fork");
	if (h->pid == 0) {
		int null = open("/dev/null", O_RDWR | O_CLOEXEC);

		if (null >= 0 && dup2(null, STDOUT_FILENO) >= 0 && dup2(null, STDERR_FILENO) >= 0)
			(void)execlp(path, path, "-db", "-f", h->config, (char *)NULL);
		_exit(127);
	}
	wait_until_up(h);
}

static void
haproxy_stop(struct haproxy *h)
{
	(void)kill(h->pid, SIGTERM);
	(void)waitpid(h->pid, NULL, 0);
	(void)unlink(h->config);
	(void)unlink(h->sock);
	(void)rmdir(h->dir);
}

/* ---- the steps: N servers that enter, unchecked ---- */

struct load {
	struct plan plan;
	struct plan_step *steps;
	struct arena *arena;
	bool slots;
};

static struct str
address_of(struct arena *a, size_t i)
{
	char text[64];
	struct str ret;

	(void)snprintf(text, sizeof(text), "10.1.%zu.%zu", i / 250 + 1, i % 250 + 1);
	if (!arena_str(a, str_from_cstr(text), &ret))
		die("arena");
	return ret;
}

static struct str
name_of(struct arena *a, size_t i, bool slot)
{
	char text[100];
	struct str ret;

	if (slot)
		(void)snprintf(text, sizeof(text), "rc_%zu", i + 1);
	else
		(void)snprintf(text, sizeof(text), "rc_%032zx_rng_50051", i + 1);
	if (!arena_str(a, str_from_cstr(text), &ret))
		die("arena");
	return ret;
}

static const struct conf_policy policy = { .proto = CONF_PROTO_H2, .check = { .type = CONF_CHECK_OFF } };

static void
load_make(struct load *l, size_t n, bool slots)
{
	size_t at = 0;

	*l = (struct load){ .arena = arena_new(TEXT_MAX), .slots = slots };
	if (l->arena == NULL || (l->steps = ARENA_ARRAY(l->arena, struct plan_step, 2 * n)) == NULL)
		die("arena");
	for (size_t i = 0; i < n; i++) {
		struct plan_step enter = { .kind = slots ? PLAN_ADDRESS : PLAN_ADD,
			.backend = STR("grpc"),
			.server = name_of(l->arena, i, slots),
			.address = address_of(l->arena, i),
			.port = 50051,
			.value = 1,
			.policy = &policy };
		struct plan_step ready = { .kind = PLAN_READY, .backend = enter.backend, .server = enter.server };

		l->steps[at++] = enter;
		l->steps[at++] = ready;
	}
	l->plan = (struct plan){ .steps = l->steps, .n_steps = at };
}

/* ---- by rollcall ---- */

struct agent {
	struct loop *loop;
	struct hap_exec *exec;
	struct actual *actual;
	struct hap_exec_report report;
	double ended_ms, prepare_ms;
	bool done;
};

static void
agent_open(struct agent *g, const char *sock)
{
	const struct clk clk = { .mono_ms = clock_ms, .wall_ms = clock_ms };
	struct hap_link *link;
	struct err e = ERR_INIT;

	*g = (struct agent){ 0 };
	if (loop_new(&g->loop, &e) != ERR_OK ||
	    hap_link_socket_new(g->loop, str_from_cstr(sock), &hap_link_default_limits, &link, &e) != ERR_OK ||
	    hap_exec_new(link, &clk, &g->exec, &e) != ERR_OK)
		die_of(&e);
}

static void
agent_close(struct agent *g)
{
	actual_free(g->actual);
	hap_exec_close(g->exec);
	loop_run(g->loop);
	loop_free(g->loop);
}

static void
on_read(void *arg, struct actual *actual, const struct err *e)
{
	struct agent *g = arg;

	if (e != NULL)
		die_of(e);
	actual_free(g->actual);
	g->actual = actual;
	g->ended_ms = now_ms();
}

static void
on_run(void *arg, const struct hap_exec_report *report)
{
	struct agent *g = arg;

	g->report = *report;
	g->ended_ms = now_ms();
}

/* Returns its time in ms; the state is in g->actual. */
static double
agent_read(struct agent *g, bool whole)
{
	const struct str name = STR("grpc");
	const struct hap_exec_want want = { .backends = &name, .n = whole ? 1 : 0 };
	struct err e = ERR_INIT;
	double begin = now_ms();

	if (hap_exec_read(g->exec, &want, on_read, g, &e) != ERR_OK)
		die_of(&e);
	loop_run(g->loop);
	return g->ended_ms - begin;
}

static double
agent_run(struct agent *g, const struct plan *p)
{
	struct err e = ERR_INIT;
	double begin = now_ms(), took;

	if (hap_exec_run(g->exec, p, g->actual, on_run, g, &e) != ERR_OK)
		die_of(&e);
	g->prepare_ms = now_ms() - begin;
	begin = now_ms();
	loop_run(g->loop);
	took = g->ended_ms - begin;
	if (g->report.err.code != ERR_OK)
		die_of(&g->report.err);
	if (g->report.done != p->n_steps) {
		(void)fprintf(stderr, "apply: %zu of %zu steps done: %s\n", g->report.done, p->n_steps,
		    g->report.n_refusals > 0 ? g->report.refusals[0].err.msg : "");
		exit(EXIT_FAILURE);
	}
	return took;
}

/* ---- by a client that does nothing else ---- */

static struct buf
bytes_of(const struct load *l, unsigned major, unsigned minor)
{
	struct buf out = buf_make(TEXT_MAX);
	struct err e = ERR_INIT;

	buf_put(&out, STR(GREETING "show info\n"));
	for (size_t i = 0; i < l->plan.n_steps; i++) {
		if (hap_text_step(&l->steps[i], 0, major, minor, &out, &e) != ERR_OK)
			die_of(&e);
		buf_put_u8(&out, '\n');
	}
	if (buf_failed(&out, &e) != ERR_OK)
		die_of(&e);
	return out;
}

static size_t
count_prompts(const char *in, size_t len, size_t *ret_scanned)
{
	const char *at = in + *ret_scanned, *hit;
	size_t n = 0;

	while ((hit = memmem(at, len - (size_t)(at - in), PROMPT, strlen(PROMPT))) != NULL) {
		at = hit + strlen(PROMPT);
		n++;
	}
	*ret_scanned = (size_t)(at - in);
	return n;
}

static double
raw_run(const char *sock, struct str bytes, size_t n_replies)
{
	static char in[16 << 20];
	size_t len = 0, scanned = 0, n = 0;
	double begin = now_ms();
	int fd = try_connect(sock);

	if (fd < 0 || fcntl(fd, F_SETFL, O_NONBLOCK) != 0)
		die(sock);
	while (n < n_replies) {
		struct pollfd p = { .fd = fd, .events = (short)(POLLIN | (bytes.len > 0 ? POLLOUT : 0)) };
		ssize_t got;

		if (poll(&p, 1, TALK_WAIT_MS) <= 0)
			die("poll");
		if ((p.revents & POLLOUT) != 0 && (got = write(fd, bytes.ptr, bytes.len)) > 0)
			bytes = str_skip(bytes, (size_t)got);
		if ((p.revents & POLLIN) == 0)
			continue;
		if ((got = read(fd, in + len, sizeof(in) - len)) <= 0)
			die("read");
		len += (size_t)got;
		n += count_prompts(in, len, &scanned);
	}
	(void)close(fd);
	return now_ms() - begin;
}

/* ---- figures ---- */

static int
cmp_double(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

struct series {
	double ms[ROUNDS_MAX];
	size_t n;
};

static double
median(struct series *s)
{
	qsort(s->ms, s->n, sizeof(s->ms[0]), cmp_double);
	return s->n % 2 != 0 ? s->ms[s->n / 2] : (s->ms[s->n / 2 - 1] + s->ms[s->n / 2]) / 2;
}

static void
print_series(const char *what, struct series *s)
{
	double m = median(s);

	(void)printf("  %-10s %9.2f ms  (%.2f to %.2f)\n", what, m, s->ms[0], s->ms[s->n - 1]);
}

struct options {
	const char *haproxy;
	size_t rounds;
	unsigned major, minor;
	char version[40];
};

static bool
needs_slots(const struct options *o)
{
	return o->major < 3;
}

/* Who is HAProxy? */
static void
learn_version(struct options *o)
{
	struct haproxy h;
	struct agent g;

	haproxy_start(&h, o->haproxy, 0);
	agent_open(&g, h.sock);
	(void)agent_read(&g, false);
	o->major = g.actual->major;
	o->minor = g.actual->minor;
	(void)snprintf(o->version, sizeof(o->version), STR_FMT, STR_ARG(g.actual->version));
	agent_close(&g);
	haproxy_stop(&h);
}

static void
one_by_agent(const struct options *o, size_t n, const struct load *l, struct series *prepare, struct series *apply,
    struct series *read, struct series *change)
{
	const struct plan_step weight = {
		.kind = PLAN_WEIGHT, .backend = STR("grpc"), .server = l->steps[l->plan.n_steps / 2].server, .value = 2
	};
	const struct plan one = { .steps = &weight, .n_steps = 1 };
	struct haproxy h;
	struct agent g;

	haproxy_start(&h, o->haproxy, l->slots ? n : 0);
	agent_open(&g, h.sock);
	(void)agent_read(&g, false);
	apply->ms[apply->n++] = agent_run(&g, &l->plan);
	prepare->ms[prepare->n++] = g.prepare_ms;
	read->ms[read->n++] = agent_read(&g, true);
	if (g.actual->backends[0].n_servers != n || g.actual->backends[0].servers[n - 1].admin != ACTUAL_READY) {
		(void)fprintf(stderr, "apply: not all %zu servers are there and ready\n", n);
		exit(EXIT_FAILURE);
	}
	change->ms[change->n++] = agent_run(&g, &one);
	agent_close(&g);
	haproxy_stop(&h);
}

static void
one_raw(const struct options *o, size_t n, const struct load *l, struct str bytes, struct series *raw)
{
	struct haproxy h;

	haproxy_start(&h, o->haproxy, l->slots ? n : 0);
	raw->ms[raw->n++] = raw_run(h.sock, bytes, 3 + l->plan.n_steps);
	haproxy_stop(&h);
}

static void
measure(const struct options *o, size_t n)
{
	static struct series prepare, apply, raw, ratio, read, change;
	struct load l;
	struct buf bytes;

	prepare.n = apply.n = raw.n = ratio.n = read.n = change.n = 0;
	load_make(&l, n, needs_slots(o));
	bytes = bytes_of(&l, o->major, o->minor);
	for (size_t i = 0; i < o->rounds; i++) {
		if (i % 2 == 0)
			one_raw(o, n, &l, buf_str(&bytes), &raw);
		one_by_agent(o, n, &l, &prepare, &apply, &read, &change);
		if (i % 2 != 0)
			one_raw(o, n, &l, buf_str(&bytes), &raw);
		ratio.ms[ratio.n++] = apply.ms[i] / raw.ms[i];
	}
	(void)printf("%zu servers, %s, %zu bytes of commands, %zu rounds\n", n, l.slots ? "slots" : "added", bytes.len,
	    o->rounds);
	print_series("rollcall", &apply);
	print_series("raw", &raw);
	(void)printf("  %-10s %9.2f     (of the best: %.2f)\n", "ratio", median(&ratio), apply.ms[0] / raw.ms[0]);
	print_series("prepare", &prepare);
	print_series("read back", &read);
	print_series("one change", &change);
	(void)fflush(stdout);
	buf_free(&bytes);
	arena_free(l.arena);
}

static size_t
number(const char *text, size_t max)
{
	uint64_t n;

	if (!str_to_u64(str_from_cstr(text), max, &n) || n == 0) {
		(void)fprintf(stderr, "apply: %s: not a number from 1 to %zu\n", text, max);
		exit(2);
	}
	return (size_t)n;
}

int
main(int argc, char **argv)
{
	static const size_t sizes[] = { 100, 1000, 5000 };
	struct options o = { .haproxy = "haproxy", .rounds = 7 };
	int i = 1;

	(void)signal(SIGPIPE, SIG_IGN);
	for (; i + 1 < argc && argv[i][0] == '-'; i += 2) {
		if (strcmp(argv[i], "--haproxy") == 0)
			o.haproxy = argv[i + 1];
		else if (strcmp(argv[i], "--rounds") == 0)
			o.rounds = number(argv[i + 1], ROUNDS_MAX);
		else
			break;
	}
	if (i < argc && argv[i][0] == '-') {
		(void)fprintf(stderr, "usage: %s [--haproxy PATH] [--rounds N] [SERVERS...]\n", argv[0]);
		return 2;
	}
	learn_version(&o);
	(void)printf("HAProxy %s\n", o.version);
	for (size_t k = 0; i >= argc && k < sizeof(sizes) / sizeof(sizes[0]); k++)
		measure(&o, sizes[k]);
	for (; i < argc; i++)
		measure(&o, number(argv[i], 20000));
	return EXIT_SUCCESS;
}
