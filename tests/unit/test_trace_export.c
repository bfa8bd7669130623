/* trace/trace_export: what is queued, sent, tried again and given up.  Lines come by UDP, the collector is a script. */
#include "config.h"

#include "trace/trace_export.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <uv.h>

#include "fake_http.h"
#include "fake_loop.h"
#include "unit.h"

#define LINE(flags)                                                                                              \
	"{\"t\":\"4bf92f3577b34da6a3ce929d0e0e4736\",\"s\":\"00f067aa0ba902b7\",\"p\":\"\",\"f\":\"" flags "\"," \
	"\"a\":1795401646000000,\"z\":1795401646001000}"

struct fixture {
	struct loop *loop;
	struct fake_http http;
	struct prng rnd;
	struct env env;
	char place[32];
	struct trace_export *x, *former; /* null: there is none */
	int fd;                          /* HAProxy's end */
};

static void
know_nobody(void *arg, struct str backend, struct str server, struct trace_otlp_task *ret)
{
	(void)arg;
	(void)backend;
	(void)server;
	(void)ret;
}

static struct trace_export_config
config_of(struct fixture *f)
{
	return (struct trace_export_config){
		.log_listen = str_from_cstr(f->place),
		.endpoint = STR("http://127.0.0.1:4318"),
		.env = &f->env,
		.http = &f->http.base,
		.rnd = &f->rnd,
		.resolve = know_nobody,
	};
}

/* A port that is free, and a socket that sends to it. */
static void
choose_place(struct fixture *f)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(at);
	int free_one = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(free_one, (const struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(getsockname(free_one, (struct sockaddr *)&at, &len), 0);
	(void)close(free_one);
	(void)snprintf(f->place, sizeof(f->place), "127.0.0.1:%u", (unsigned)ntohs(at.sin_port));
	f->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(f->fd, (const struct sockaddr *)&at, sizeof(at)), 0);
}

static const char *
no_variable(void *arg, const char *name)
{
	(void)arg;
	(void)name;
	return NULL;
}

static int
set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_int_equal(loop_new(&f->loop, NULL), ERR_OK);
	f->rnd = prng_make(7);
	f->env = (struct env){ .get = no_variable };
	choose_place(f);
	*state = f;
	return 0;
}

static void
start(struct fixture *f, const struct fake_http_answer *script, size_t n)
{
	const struct trace_export_config config = config_of(f);

	fake_http_open(&f->http, f->loop, script, n);
	assert_int_equal(trace_export_new(f->loop, &config, &f->x, NULL), ERR_OK);
	trace_export_start(f->x);
}

static int
tear_down(void **state)
{
	struct fixture *f = *state;

	trace_export_close(f->x);
	trace_export_close(f->former);
	loop_run(f->loop);
	assert_int_equal(f->http.open, 0);
	loop_free(f->loop);
	(void)close(f->fd);
	free(f);
	return 0;
}

static const struct trace_export_counts *
counts(const struct fixture *f)
{
	return trace_export_view(f->x).counts;
}

/* Waits for each, so that the kernel drops none. */
static void
say(struct fixture *f, const char *line, unsigned times)
{
	for (unsigned i = 0; i < times; i++) {
		uint64_t heard = counts(f)->received + counts(f)->malformed;

		assert_int_equal(send(f->fd, line, strlen(line), 0), (ssize_t)strlen(line));
		for (int k = 0; k < 1000 && counts(f)->received + counts(f)->malformed == heard; k++) {
			if (k > 0)
				(void)poll(NULL, 0, 1);
			(void)uv_run(loop_uv(f->loop), UV_RUN_NOWAIT);
		}
	}
}

static const struct fake_http_answer fine = { .status = 200, .body = "{}" };
static const struct fake_http_answer never = { .status = 200, .body = "{}", .delay_ms = INT64_C(1) << 40 };

/* ---- what is taken ---- */

static void
a_sampled_line_is_sent_when_its_time_comes(void **state)
{
	struct fixture *f = *state;

	start(f, &fine, 1);
	say(f, LINE("00"), 1);
	say(f, LINE("02"), 1);
	say(f, "rubbish", 1);
	fake_loop_pass(f->loop, 60000);
	assert_int_equal(f->http.n_sent, 0);
	assert_int_equal(counts(f)->received, 2);
	assert_int_equal(counts(f)->malformed, 1);
	say(f, LINE("01"), 1);
	say(f, LINE("03"), 1);
	assert_int_equal(trace_export_view(f->x).queued, 2);
	fake_loop_pass(f->loop, TRACE_EXPORT_EVERY_MS);
	assert_int_equal(f->http.n_sent, 1);
	assert_str(str_from_cstr(f->http.sent[0].url), "http://127.0.0.1:4318/v1/traces");
	assert_str(str_from_cstr(f->http.sent[0].method), "POST");
	assert_int_equal(counts(f)->exported, 2);
	assert_int_equal(trace_export_view(f->x).queued, 0);
}

/* ---- how many ---- */

static void
a_full_batch_is_sent_at_once(void **state)
{
	static const struct fake_http_answer late = {
		.status = 200, .body = "{}", .delay_ms = TRACE_EXPORT_EVERY_MS + 1000
	};
	struct fixture *f = *state;

	start(f, &late, 1);
	say(f, LINE("01"), TRACE_EXPORT_BATCH_MAX - 1);
	assert_int_equal(f->http.n_sent, 0);
	say(f, LINE("01"), 1);
	assert_int_equal(f->http.n_sent, 1);
	fake_loop_pass(f->loop, late.delay_ms - 1); /* and once, though its time comes meanwhile */
	assert_int_equal(f->http.n_sent, 1);
	fake_loop_pass(f->loop, 1);
	assert_int_equal(counts(f)->exported, TRACE_EXPORT_BATCH_MAX);
}

/* The newest are dropped; what waited is sent, in batches one after the other. */
static void
a_queue_that_is_full_drops_what_comes_and_counts_it(void **state)
{
	static const struct fake_http_answer script[] = { { .status = 200, .body = "{}", .delay_ms = 1000 },
		{ .status = 200, .body = "{}" } };
	struct fixture *f = *state;
	unsigned most = TRACE_EXPORT_BATCH_MAX + TRACE_EXPORT_QUEUE_MAX;

	start(f, script, N_OF(script));
	say(f, LINE("01"), most);
	assert_int_equal(counts(f)->dropped_full, 0);
	assert_int_equal(trace_export_view(f->x).queued, most);
	say(f, LINE("01"), 3);
	assert_int_equal(counts(f)->dropped_full, 3);
	assert_int_equal(trace_export_view(f->x).queued, most);
	assert_int_equal(f->http.n_sent, 1);
	fake_loop_pass(f->loop, 1000);
	assert_int_equal(counts(f)->exported, most);
	assert_int_equal(f->http.n_sent, 1 + TRACE_EXPORT_QUEUE_MAX / TRACE_EXPORT_BATCH_MAX);
}

/* ---- again, and no more ---- */

static void
what_may_be_tried_again_is_and_the_rest_is_given_up(void **state)
{
	static const struct {
		struct fake_http_answer answer;
		bool again;
	} rows[] = {
		{ { .status = 429, .body = "" }, true },
		{ { .status = 502, .body = "" }, true },
		{ { .status = 503, .body = "" }, true },
		{ { .status = 504, .body = "" }, true },
		{ { .code = ERR_TIMEOUT, .body = "" }, true },
		{ { .code = ERR_IO, .body = "" }, true },
		{ { .status = 500, .body = "" }, false },
		{ { .status = 400, .body = "" }, false },
		{ { .status = 404, .body = "" }, false },
		{ { .status = 301, .body = "" }, false },
		{ { .status = 199, .body = "" }, false },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < N_OF(rows); i++) {
		const struct fake_http_answer script[] = { rows[i].answer, fine };

		start(f, script, N_OF(script));
		say(f, LINE("01"), 1);
		fake_loop_pass(f->loop, TRACE_EXPORT_EVERY_MS);
		CHECK_ROW(trace_export_view(f->x).export_fault->on, i, "no fault");
		fake_loop_pass(f->loop, 10000);
		CHECK_ROW(counts(f)->retries == (rows[i].again ? 1 : 0), i, "retries");
		CHECK_ROW(counts(f)->exported == (rows[i].again ? 1 : 0), i, "exported");
		CHECK_ROW(counts(f)->dropped_failed == (rows[i].again ? 0 : 1), i, "lost");
		CHECK_ROW(trace_export_view(f->x).export_fault->on == !rows[i].again, i, "the fault");
		trace_export_close(f->x);
		loop_run(f->loop);
	}
	f->x = NULL;
}

static void
go_on_until_lost(struct fixture *f, uint64_t n)
{
	for (int i = 0; i < 100 && counts(f)->dropped_failed < n; i++)
		(void)fake_loop_step(f->loop);
	assert_int_equal(counts(f)->dropped_failed, n);
}

/* Each wait is twice the one before, and up to half of it more. */
static void
a_collector_that_stays_away_is_given_up_after_six_tries(void **state)
{
	static const struct fake_http_answer busy = { .status = 503, .body = "" };
	struct fixture *f = *state;

	start(f, &busy, 1);
	say(f, LINE("01"), 2);
	go_on_until_lost(f, 2);
	assert_int_equal(f->http.n_sent, TRACE_EXPORT_TRIES_MAX);
	for (size_t i = 1; i < f->http.n_sent; i++)
		assert_in_range(f->http.sent[i].at_ms - f->http.sent[i - 1].at_ms, INT64_C(1000) << (i - 1),
		    (INT64_C(1500) << (i - 1)) - 1);
	assert_true(f->http.sent[TRACE_EXPORT_TRIES_MAX - 1].at_ms - f->http.sent[0].at_ms > 31000);
	assert_int_equal(counts(f)->retries, TRACE_EXPORT_TRIES_MAX - 1);
	say(f, LINE("01"), 1); /* the next batch has tries of its own */
	go_on_until_lost(f, 3);
	assert_int_equal(f->http.n_sent, 2 * TRACE_EXPORT_TRIES_MAX);
}

/* However much comes meanwhile. */
static void
a_collector_that_is_busy_is_left_alone_for_its_time(void **state)
{
	static const struct fake_http_answer busy = { .status = 503, .body = "" };
	struct fixture *f = *state;

	start(f, &busy, 1);
	say(f, LINE("01"), 1);
	fake_loop_pass(f->loop, TRACE_EXPORT_EVERY_MS);
	say(f, LINE("01"), TRACE_EXPORT_BATCH_MAX);
	fake_loop_pass(f->loop, 999);
	assert_int_equal(f->http.n_sent, 1);
	fake_loop_pass(f->loop, 500);
	assert_int_equal(f->http.n_sent, 2);
}

/* A collector's word on when, within reason. */
static void
a_collector_may_ask_for_a_longer_wait(void **state)
{
	static const struct {
		int64_t asked_ms, least_ms, most_ms;
	} rows[] = { { -1, 1000, 1499 }, { 100, 1000, 1499 }, { 20000, 20000, 20000 },
		{ 3600000, TRACE_EXPORT_WAIT_MAX_MS, TRACE_EXPORT_WAIT_MAX_MS } };
	struct fixture *f = *state;

	for (size_t i = 0; i < N_OF(rows); i++) {
		const struct fake_http_answer script[] = {
			{ .status = 429, .body = "", .retry_after_ms = rows[i].asked_ms }, fine
		};

		start(f, script, N_OF(script));
		say(f, LINE("01"), 1);
		while (f->http.n_sent < 2 && fake_loop_step(f->loop))
			;
		assert_in_range(f->http.sent[1].at_ms - f->http.sent[0].at_ms, rows[i].least_ms, rows[i].most_ms);
		trace_export_close(f->x);
		loop_run(f->loop);
	}
	f->x = NULL;
}

static void
a_collector_tells_how_many_spans_it_did_not_take(void **state)
{
	static const struct {
		const char *body;
		unsigned rejected;
	} rows[] = {
		{ "", 0 }, { "{}", 0 }, { "no JSON", 0 }, { "{\"partialSuccess\":{}}", 0 },
		{ "{\"partialSuccess\":{\"rejectedSpans\":\"1\"}}", 1 },
		{ "{\"partialSuccess\":{\"rejectedSpans\":2}}", 2 },
		{ "{\"partialSuccess\":{\"rejectedSpans\":-1}}", 0 },
		{ "{\"partialSuccess\":{\"rejectedSpans\":\"many\"}}", 0 },
		{ "{\"partialSuccess\":{\"rejectedSpans\":99}}", 3 }, /* of three */
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < N_OF(rows); i++) {
		const struct fake_http_answer answer = { .status = 200, .body = rows[i].body };

		start(f, &answer, 1);
		say(f, LINE("01"), 3);
		fake_loop_pass(f->loop, TRACE_EXPORT_EVERY_MS);
		CHECK_ROW(counts(f)->rejected == rows[i].rejected, i, rows[i].body);
		CHECK_ROW(counts(f)->exported == 3 - rows[i].rejected, i, rows[i].body);
		trace_export_close(f->x);
		loop_run(f->loop);
	}
	f->x = NULL;
}

/* ---- another configuration ---- */

static void
the_next_one_sends_what_waits_and_hears_what_comes(void **state)
{
	struct fixture *f = *state;
	const struct trace_export_config config = config_of(f);

	start(f, &never, 1);
	say(f, LINE("01"), TRACE_EXPORT_BATCH_MAX + 5); /* under way, and waiting */
	assert_int_equal(f->http.n_sent, 1);
	f->former = f->x;
	assert_int_equal(trace_export_new(f->loop, &config, &f->x, NULL), ERR_OK);
	trace_export_inherit(f->x, f->former);
	assert_int_equal(trace_export_view(f->former).queued, 0);
	f->http.script = &fine;
	trace_export_start(f->x);
	assert_false(trace_export_view(f->x).bind_fault->on);
	trace_export_close(MOVE(f->former));
	say(f, LINE("01"), 1);
	assert_int_equal(trace_export_view(f->x).queued, TRACE_EXPORT_BATCH_MAX + 6);
	assert_int_equal(counts(f)->received, TRACE_EXPORT_BATCH_MAX + 6);
	fake_loop_pass(f->loop, 2 * TRACE_EXPORT_EVERY_MS);
	assert_int_equal(counts(f)->exported, TRACE_EXPORT_BATCH_MAX + 6);
	assert_int_equal(counts(f)->dropped_failed, 0);
}

static int
lowest_free_descriptor(const struct fixture *f)
{
	int fd = dup(f->fd);

	assert_int_equal(close(fd), 0);
	return fd;
}

static void
a_place_that_is_taken_is_tried_again(void **state)
{
	struct fixture *f = *state;
	int lowest;

	start(f, &fine, 1);
	f->former = f->x;
	start(f, &fine, 1);
	assert_true(trace_export_view(f->x).bind_fault->on);
	lowest = lowest_free_descriptor(f);
	fake_loop_pass(f->loop, 60000);
	assert_true(trace_export_view(f->x).bind_fault->on);
	assert_int_equal(lowest_free_descriptor(f), lowest);
	trace_export_close(MOVE(f->former));
	fake_loop_pass(f->loop, 5000);
	assert_false(trace_export_view(f->x).bind_fault->on);
	say(f, LINE("01"), 1);
	assert_int_equal(counts(f)->received, 1);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_sampled_line_is_sent_when_its_time_comes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_full_batch_is_sent_at_once, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_queue_that_is_full_drops_what_comes_and_counts_it, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_may_be_tried_again_is_and_the_rest_is_given_up, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
		    a_collector_that_stays_away_is_given_up_after_six_tries, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_collector_that_is_busy_is_left_alone_for_its_time, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_collector_may_ask_for_a_longer_wait, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_collector_tells_how_many_spans_it_did_not_take, set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_next_one_sends_what_waits_and_hears_what_comes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_place_that_is_taken_is_tried_again, set_up, tear_down),
	};

	return cmocka_run_group_tests_name("trace_export", tests, NULL, NULL);
}
