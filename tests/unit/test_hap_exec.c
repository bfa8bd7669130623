/*
 * Reading back, carrying out and probing, over a link that the test answers by
 * hand.
 */
#include "config.h"

#include <stdlib.h>

#include "fake_link.h"
#include "unit.h"

#include "hap/hap_exec.h"

/* ---- a reconciler that only listens ---- */

struct world {
	struct fake_link link;
	struct hap_exec *exec;
	int n_calls;
	struct actual *actual;
	struct hap_exec_report report;
	struct hap_text_info info;
	char version[32];
	struct err e;
	bool closes;
};

static int64_t
fixed_ms(void *arg)
{
	(void)arg;
	return 4711;
}

static void
world_open(struct world *w)
{
	const struct clk clk = { .mono_ms = fixed_ms, .wall_ms = fixed_ms };

	memset(w, 0, sizeof(*w));
	fake_link_open(&w->link);
	assert_int_equal(hap_exec_new(&w->link.link, &clk, &w->exec, NULL), ERR_OK);
}

static void
world_close(struct world *w)
{
	hap_exec_close(w->exec);
	assert_int_equal(w->link.n_closed, 1);
	actual_free(w->actual);
	fake_link_free(&w->link);
}

static void
close_if_told(struct world *w)
{
	if (w->closes) {
		hap_exec_close(w->exec);
		w->exec = NULL;
	}
}

static void
on_read(void *arg, struct actual *actual, const struct err *e)
{
	struct world *w = arg;

	w->n_calls++;
	assert_true((actual == NULL) == (e != NULL));
	actual_free(w->actual);
	w->actual = actual;
	if (e != NULL)
		w->e = *e;
	close_if_told(w);
}

static void
on_run(void *arg, const struct hap_exec_report *report)
{
	struct world *w = arg;

	w->n_calls++;
	w->report = *report;
	close_if_told(w);
}

static void
on_probe(void *arg, const struct hap_text_info *info, const struct err *e)
{
	struct world *w = arg;

	w->n_calls++;
	assert_true((info == NULL) == (e != NULL));
	if (e != NULL)
		w->e = *e;
	if (info != NULL) {
		w->info = *info;
		(void)snprintf(w->version, sizeof(w->version), STR_FMT, STR_ARG(info->version));
	}
	close_if_told(w);
}

static void
read_backends(struct world *w, const char *one, const char *two)
{
	const struct str names[] = { str_from_cstr(one), str_from_cstr(two) };

	const struct hap_exec_want want = { .backends = names, .n = two != NULL ? 2 : 1 };

	assert_int_equal(hap_exec_read(w->exec, &want, on_read, w, NULL), ERR_OK);
	assert_int_equal(w->n_calls, 0); /* never from inside the call */
}

/* ---- replies ---- */

#define INFO          "Name: HAProxy\nVersion: 2.6.12-1\nPid: 42\nStopping: 0\nStart_time_sec: 1000\n\n"
#define INFO_LATER    "Name: HAProxy\nVersion: 2.6.12-1\nPid: 43\nStopping: 0\nStart_time_sec: 1009\n\n"
#define INFO_SAME_PID "Name: HAProxy\nVersion: 2.6.12-1\nPid: 42\nStopping: 0\nStart_time_sec: 1001\n\n"
#define INFO_OLD      "Name: HAProxy\nVersion: 2.6.12-1\nPid: 42\nStopping: 1\nStart_time_sec: 1000\n\n"
#define SERVERS(be, address)                                                                                     \
	"1\n# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight srv_iweight "      \
	"srv_time_since_last_change srv_check_status srv_check_result srv_check_health srv_check_state "         \
	"srv_agent_state bk_f_forced_id srv_f_forced_id srv_fqdn srv_port srvrecord srv_use_ssl srv_check_port " \
	"srv_check_addr srv_agent_addr srv_agent_port\n"                                                         \
	"9 " be " 1 rc_1 " address " 2 4 10 10 5 6 3 4 6 0 0 0 - 80 - 0 0 - - 0\n\n"
#define STAT_HEADER "# pxname,svname,qcur,scur,slim,status,type,check_status,check_rise,check_fall,check_health,algo,\n"
#define STAT(be)    STAT_HEADER be ",rc_1,0,5,,UP,2,L4OK,2,3,4,,\n" be ",BACKEND,0,5,200,UP,1,,,,,roundrobin,\n\n"
#define NO_BACKEND  "[3]: Can't find backend.\n"
#define NO_PROXY    "[3]: No such proxy.\n"

/* INFO, as it was read before. */
static const struct actual made_for = { .major = 2, .minor = 6, .pid = 42, .start_time_s = 1000 };

/* ---- read ---- */

static void
reading_asks_who_answers_and_then_for_each_backend(void **state)
{
	static const char *const replies[] = { INFO, SERVERS("web", "10.0.0.1"), STAT("web"), NO_BACKEND, NO_PROXY };
	struct world w;

	(void)state;
	world_open(&w);
	read_backends(&w, "web", "api");
	assert_str(buf_str(&w.link.asked[0].commands), "show info\n"
						       "show servers state web\nshow stat web 6 -1\n"
						       "show servers state api\nshow stat api 6 -1\n");
	fake_link_answer(&w.link, replies, 5);
	assert_int_equal(w.n_calls, 1);
	assert_str(w.actual->version, "2.6.12-1");
	assert_int_equal(w.actual->major, 2);
	assert_int_equal(w.actual->minor, 6);
	assert_int_equal(w.actual->pid, 42);
	assert_int_equal(w.actual->start_time_s, 1000);
	assert_int_equal(w.actual->read_mono_ms, 4711);
	assert_false(w.actual->stopping);
	assert_int_equal(w.actual->n_backends, 2);
	assert_str(w.actual->backends[0].name, "web");
	assert_int_equal(w.actual->backends[0].n_slots, 1);
	assert_str(w.actual->backends[0].servers[0].address, "10.0.0.1");
	assert_int_equal(w.actual->backends[0].servers[0].sessions, 5);
	assert_str(w.actual->backends[1].name, "api");
	assert_false(w.actual->backends[1].exists);
	world_close(&w);
}

static void
an_unpublished_backend_is_told_from_others(void **state)
{
	static const struct {
		const char *status;
		bool is_unpublished;
	} rows[] = { { "UP", false }, { "DOWN", false }, { "UP (UNPUB)", true }, { "DOWN (UNPUB)", true } };

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		char stat[400];
		const char *const replies[] = { INFO, SERVERS("web", "10.0.0.1"), stat };
		struct world w;

		(void)snprintf(stat, sizeof(stat),
		    STAT_HEADER "web,rc_1,0,5,,UP,2,L4OK,2,3,4,,\nweb,BACKEND,0,5,200,%s,1,,,,,roundrobin,\n\n",
		    rows[i].status);
		world_open(&w);
		read_backends(&w, "web", NULL);
		fake_link_answer(&w.link, replies, 3);
		CHECK_ROW(w.actual->backends[0].is_unpublished == rows[i].is_unpublished, i, rows[i].status);
		world_close(&w);
	}
}

static void
reading_no_backends_tells_the_process(void **state)
{
	static const char *const replies[] = { INFO_OLD };
	struct world w;

	(void)state;
	world_open(&w);
	assert_int_equal(hap_exec_read(w.exec, &(struct hap_exec_want){ 0 }, on_read, &w, NULL), ERR_OK);
	fake_link_answer(&w.link, replies, 1);
	assert_int_equal(w.actual->n_backends, 0);
	assert_true(w.actual->stopping);
	world_close(&w);
}

static void
a_backend_behind_a_frontend_of_its_name_is_asked_for_by_number(void **state)
{
	static const char *const first[] = { INFO, SERVERS("web", "10.0.0.1"), STAT_HEADER "\n",
		SERVERS("api", "10.0.0.2"), STAT("api") };
	static const char *const second[] = { INFO, STAT("web") };
	struct world w;

	(void)state;
	world_open(&w);
	read_backends(&w, "web", "api");
	fake_link_answer(&w.link, first, 5);
	assert_int_equal(w.n_calls, 0);
	assert_str(buf_str(&w.link.asked[1].commands), "show info\nshow stat 9 6 -1\n");
	fake_link_answer(&w.link, second, 2);
	assert_int_equal(w.n_calls, 1);
	assert_int_equal(w.actual->n_backends, 2);
	assert_str(w.actual->backends[0].servers[0].address, "10.0.0.1");
	assert_str(w.actual->backends[1].servers[0].address, "10.0.0.2");
	world_close(&w);
}

static void
a_restart_between_two_questions_is_an_error(void **state)
{
	static const char *const first[] = { INFO, SERVERS("web", "10.0.0.1"), STAT_HEADER };
	static const char *const others[] = { INFO_LATER, INFO_SAME_PID };

	(void)state;
	for (size_t i = 0; i < N_OF(others); i++) {
		const char *const second[] = { others[i], STAT("web") };
		struct world w;

		world_open(&w);
		read_backends(&w, "web", NULL);
		fake_link_answer(&w.link, first, 3);
		fake_link_answer(&w.link, second, 2);
		assert_int_equal(w.n_calls, 1);
		assert_int_equal(w.e.code, ERR_REMOTE);
		world_close(&w);
	}
}

static void
a_reading_that_fails_gives_no_value(void **state)
{
	static const char *const good[] = { INFO, SERVERS("web", "10.0.0.1"), STAT("web") };
	static const struct {
		const char *replies[3];
		size_t n;
		enum err_code code;
	} rows[] = {
		{ { INFO, NO_BACKEND, NO_PROXY }, 2, ERR_CLOSED },
		{ { INFO, NO_BACKEND, NO_PROXY }, 0, ERR_CLOSED },
		{ { "hello", NO_BACKEND, NO_PROXY }, 3, ERR_PARSE },
		{ { INFO, "hello", STAT("web") }, 3, ERR_PARSE },
		{ { INFO, SERVERS("web", "10.0.0.1"), STAT("other") }, 3, ERR_PARSE },
		{ { INFO, SERVERS("web", "10.0.0.1"), "" }, 3, ERR_PARSE },
	};

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		struct world w;

		world_open(&w);
		read_backends(&w, "web", NULL);
		fake_link_answer(&w.link, rows[i].replies, rows[i].n);
		CHECK_ROW(w.n_calls == 1 && w.e.code == rows[i].code, i, w.e.msg);
		CHECK_ROW(rows[i].n < 3 || strstr(w.e.msg, "/run/admin.sock") != NULL, i, w.e.msg);
		w.n_calls = 0;
		read_backends(&w, "web", NULL);
		fake_link_answer(&w.link, good, 3);
		CHECK_ROW(w.n_calls == 1 && w.actual != NULL, i, "the next one");
		world_close(&w);
	}
}

static void
a_second_batch_that_cannot_be_asked_is_an_error(void **state)
{
	static const char *const first[] = { INFO, SERVERS("web", "10.0.0.1"), STAT_HEADER };
	struct world w;

	(void)state;
	world_open(&w);
	read_backends(&w, "web", NULL);
	w.link.refuses = ERR_LIMIT;
	fake_link_answer(&w.link, first, 3);
	assert_int_equal(w.n_calls, 1);
	assert_int_equal(w.e.code, ERR_LIMIT);
	world_close(&w);
}

static void
an_error_of_the_call_means_no_callback(void **state)
{
	static const struct plan empty = { 0 };
	struct str name = STR("web"), bad = STR("we b");
	struct err e = ERR_INIT;
	struct world w;

	(void)state;
	world_open(&w);
	assert_int_equal(
	    hap_exec_read(w.exec, &(struct hap_exec_want){ .backends = &bad, .n = 1 }, on_read, &w, &e), ERR_ARG);
	w.link.refuses = ERR_LIMIT;
	assert_int_equal(
	    hap_exec_read(w.exec, &(struct hap_exec_want){ .backends = &name, .n = 1 }, on_read, &w, &e), ERR_LIMIT);
	assert_int_equal(hap_exec_run(w.exec, &empty, &made_for, on_run, &w, &e), ERR_LIMIT);
	assert_int_equal(hap_exec_probe(w.exec, on_probe, &w, &e), ERR_LIMIT);
	assert_string_equal(e.msg, "the link refuses");
	assert_int_equal(w.n_calls, 0);
	world_close(&w);
}

/* ---- run ---- */

static struct plan_step
step(enum plan_step_kind kind, const char *server)
{
	return (struct plan_step){ .kind = kind,
		.backend = STR("web"),
		.server = str_from_cstr(server),
		.address = STR("10.0.0.1"),
		.port = 80,
		.value = 5 };
}

static void
steps_are_carried_out_in_order_and_judged(void **state)
{
	static const char *const replies[] = { INFO, "[4]: nothing changed\n", "", "[3]: No such server.\n",
		"[3]: Server still has connections attached to it, cannot remove it.\n", "[3]: Permission denied\n" };
	const struct plan_step steps[] = { step(PLAN_ADDRESS, "rc_1"), step(PLAN_JOIN, "rc_1"),
		step(PLAN_READY, "rc_2"), step(PLAN_MAINT, "rc_3"), step(PLAN_WEIGHT, "rc_4") };
	const struct plan p = { .steps = steps, .n_steps = N_OF(steps) };
	struct world w;

	(void)state;
	world_open(&w);
	assert_int_equal(hap_exec_run(w.exec, &p, &made_for, on_run, &w, NULL), ERR_OK);
	assert_str(buf_str(&w.link.asked[0].commands), "show info\nset server web/rc_1 addr 10.0.0.1 port 80\n"
						       "set server web/rc_1 state drain\n"
						       "set server web/rc_2 state ready\n"
						       "set server web/rc_3 state maint\n"
						       "set server web/rc_4 weight 5\n");
	fake_link_answer(&w.link, replies, 6);
	assert_int_equal(w.n_calls, 1);
	assert_int_equal(w.report.err.code, ERR_OK);
	assert_int_equal(w.report.pid, 42);
	assert_int_equal(w.report.start_time_s, 1000);
	assert_false(w.report.stopping);
	assert_int_equal(w.report.done, 2);
	assert_int_equal(w.report.gone, 1);
	assert_int_equal(w.report.retry, 1);
	assert_int_equal(w.report.refused, 1);
	assert_int_equal(w.report.unsent, 0);
	assert_int_equal(w.report.n_refusals, 2);
	assert_ptr_equal(w.report.refusals[0].step, &steps[2]);
	assert_ptr_equal(w.report.refusals[1].step, &steps[4]);
	assert_int_equal(w.report.refusals[1].err.code, ERR_AUTH);
	world_close(&w);
}

static void
a_step_that_cannot_be_sent_is_refused_and_the_rest_go(void **state)
{
	static const char *const replies[] = { INFO_OLD, "", "" };
	const struct plan_step steps[] = { step(PLAN_JOIN, "rc_1"), step(PLAN_JOIN, "rc_2; quit"),
		step(PLAN_JOIN, "rc_3") };
	const struct plan p = { .steps = steps, .n_steps = N_OF(steps) };
	struct world w;

	(void)state;
	world_open(&w);
	assert_int_equal(hap_exec_run(w.exec, &p, &made_for, on_run, &w, NULL), ERR_OK);
	assert_str(buf_str(&w.link.asked[0].commands),
	    "show info\nset server web/rc_1 state drain\nset server web/rc_3 state drain\n");
	fake_link_answer(&w.link, replies, 3);
	assert_int_equal(w.report.done, 2);
	assert_int_equal(w.report.refused, 1);
	assert_int_equal(w.report.refusals[0].err.code, ERR_ARG);
	assert_ptr_equal(w.report.refusals[0].step, &steps[1]);
	assert_true(w.report.stopping);
	world_close(&w);
}

static void
a_batch_cut_short_tells_what_was_done_before(void **state)
{
	static const char *const replies[] = { INFO, "", "[3]: No such server.\n" };
	const struct plan_step steps[] = { step(PLAN_JOIN, "rc_1"), step(PLAN_JOIN, "rc_2"), step(PLAN_JOIN, "rc_3") };
	const struct plan p = { .steps = steps, .n_steps = N_OF(steps) };

	(void)state;
	for (size_t n = 0; n <= 3; n++) {
		struct world w;

		world_open(&w);
		assert_int_equal(hap_exec_run(w.exec, &p, &made_for, on_run, &w, NULL), ERR_OK);
		fake_link_answer(&w.link, replies, n);
		assert_int_equal(w.n_calls, 1);
		assert_int_equal(w.report.err.code, ERR_CLOSED);
		assert_int_equal(w.report.pid, n > 0 ? 42 : 0);
		assert_int_equal(w.report.done, n > 1 ? 1 : 0);
		assert_int_equal(w.report.gone, n > 2 ? 1 : 0);
		assert_int_equal(w.report.unsent, n == 0 ? 3 : 4 - n);
		world_close(&w);
	}
}

static void
a_process_that_does_not_say_who_it_is_is_told_nothing(void **state)
{
	static const char *const replies[] = { "[6]: Unknown command", "" };
	const struct plan_step steps[] = { step(PLAN_JOIN, "rc_1") };
	const struct plan p = { .steps = steps, .n_steps = N_OF(steps) };
	struct world w;

	(void)state;
	world_open(&w);
	assert_int_equal(hap_exec_run(w.exec, &p, &made_for, on_run, &w, NULL), ERR_OK);
	fake_link_answer(&w.link, replies, 2);
	assert_int_equal(w.report.err.code, ERR_PARSE);
	assert_false(w.report.is_other);
	assert_int_equal(w.report.done, 0);
	assert_int_equal(w.report.unsent, 1);
	world_close(&w);
}

static void
only_the_first_refusals_are_kept(void **state)
{
	const char *replies[1 + 40] = { INFO };
	static struct plan_step steps[40];
	const struct plan p = { .steps = steps, .n_steps = N_OF(steps) };
	struct world w;

	(void)state;
	for (size_t i = 0; i < N_OF(steps); i++) {
		steps[i] = step(PLAN_JOIN, "rc_1");
		replies[1 + i] = "[3]: No such backend.\n";
	}
	world_open(&w);
	assert_int_equal(hap_exec_run(w.exec, &p, &made_for, on_run, &w, NULL), ERR_OK);
	fake_link_answer(&w.link, replies, 41);
	assert_int_equal(w.report.gone, 40);
	assert_int_equal(w.report.n_refusals, HAP_EXEC_REFUSALS_MAX);
	world_close(&w);
}

static void
an_empty_plan_asks_only_who_is_there(void **state)
{
	static const char *const replies[] = { INFO };
	static const struct plan empty = { 0 };
	struct world w;

	(void)state;
	world_open(&w);
	assert_int_equal(hap_exec_run(w.exec, &empty, &made_for, on_run, &w, NULL), ERR_OK);
	assert_str(buf_str(&w.link.asked[0].commands), "show info\n");
	fake_link_answer(&w.link, replies, 1);
	assert_int_equal(w.report.pid, 42);
	assert_int_equal(w.report.done, 0);
	world_close(&w);
}

static void
another_process_is_told_nothing(void **state)
{
	static const char *const later[] = { INFO_LATER }, *const same_pid[] = { INFO_SAME_PID };
	const struct plan_step steps[] = { step(PLAN_JOIN, "rc_1"), step(PLAN_MAINT, "rc 2"), step(PLAN_JOIN, "rc_3") };
	const struct plan p = { .steps = steps, .n_steps = N_OF(steps) };

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct world w;

		world_open(&w);
		assert_int_equal(hap_exec_run(w.exec, &p, &made_for, on_run, &w, NULL), ERR_OK);
		fake_link_answer(&w.link, i == 0 ? later : same_pid, 1);
		assert_int_equal(w.n_calls, 1);
		assert_true(w.report.is_other);
		assert_int_equal(w.report.err.code, ERR_OK);
		assert_int_equal(w.report.pid, i == 0 ? 43 : 42);
		assert_int_equal(w.report.unsent, 3);
		assert_int_equal(w.report.refused, 0);
		assert_int_equal(w.report.n_refusals, 0);
		world_close(&w);
	}
}

#define CERTIFICATE "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"

#define NEW_CA      "[5]: New CA file created 'a.pem'!\n"
#define SET_CA      "+ + + [5]: transaction created for CA a.pem!\n"
#define SEND_CA     "show info\nnew ssl ca-file a.pem\nset ssl ca-file a.pem <<\n" CERTIFICATE "\n"
#define COMMIT_CA   "show info\ncommit ssl ca-file a.pem\nset server web/rc_1 state ready\n"
#define ABORT_CA    "show info\nabort ssl ca-file a.pem\nset server web/rc_1 state ready\n"
#define COMMITTED   "Committing a.pem\nSuccess!\n"
#define NOT_A_CA    "[3]: Invalid payload\nCan't update a.pem!\n"
#define NONE_TO_END "[3]: No ongoing transaction!\n\n"

#define A_CA ((struct plan_ca){ .name = STR("a.pem"), .pem = STR(CERTIFICATE) })

/* Its pieces, and in the next batch what becomes of them: `commit` would take half of a CA as well. */
static void
a_ca_is_committed_only_if_all_of_it_was_taken(void **state)
{
	static const struct {
		const char *first[3], *second[3], *closes;
		size_t n_second;
		size_t done, refused, unsent;
	} rows[] = {
		{ { INFO, NEW_CA, SET_CA }, { INFO, COMMITTED, "" }, COMMIT_CA, 3, 2, 0, 0 },
		{ { INFO, "[3]: CA file 'a.pem' already exists!\n", SET_CA },
		    { INFO, "Committing a.pem..\nSuccess!\n", "" }, COMMIT_CA, 3, 2, 0, 0 },
		{ { INFO, NEW_CA, NOT_A_CA }, { INFO, NONE_TO_END, "" }, ABORT_CA, 3, 1, 1, 0 },
		{ { INFO, NEW_CA, SET_CA }, { INFO, "[3]: no\n", "" }, COMMIT_CA, 3, 1, 1, 0 },
		{ { INFO, NEW_CA, SET_CA }, { INFO, COMMITTED }, COMMIT_CA, 2, 1, 0, 1 },
		{ { INFO, NEW_CA, SET_CA }, { INFO }, COMMIT_CA, 1, 0, 0, 2 },
		{ { INFO, NEW_CA, NOT_A_CA }, { INFO }, ABORT_CA, 1, 0, 1, 1 },
		{ { INFO, NEW_CA, SET_CA }, { INFO_LATER, "" }, COMMIT_CA, 2, 0, 0, 2 },
	};
	const struct plan_ca a_ca = A_CA;
	const struct plan_step steps[] = { { .kind = PLAN_CA, .ca = &a_ca }, step(PLAN_READY, "rc_1") };
	const struct plan p = { .steps = steps, .n_steps = N_OF(steps) };

	(void)state;
	for (size_t i = 0; i < N_OF(rows); i++) {
		struct world w;

		world_open(&w);
		assert_int_equal(hap_exec_run(w.exec, &p, &made_for, on_run, &w, NULL), ERR_OK);
		assert_str(buf_str(&w.link.asked[0].commands), SEND_CA);
		fake_link_answer(&w.link, rows[i].first, 3);
		assert_str(buf_str(&w.link.asked[1].commands), rows[i].closes);
		fake_link_answer(&w.link, rows[i].second, rows[i].n_second);
		CHECK_ROW(w.n_calls == 1 && w.link.n_asked == 2, i, "calls");
		CHECK_ROW(w.report.done == rows[i].done, i, "done");
		CHECK_ROW(w.report.refused == rows[i].refused, i, "refused");
		CHECK_ROW(w.report.unsent == rows[i].unsent, i, "unsent");
		CHECK_ROW((w.report.err.code == ERR_OK) == (rows[i].unsent == 0), i, w.report.err.msg);
		world_close(&w);
	}
}

static void
a_batch_that_ends_among_the_pieces_of_a_ca_sends_no_other(void **state)
{
	static const char *const replies[] = { INFO, NEW_CA };
	const struct plan_ca a_ca = A_CA;
	const struct plan_step steps[] = { { .kind = PLAN_CA, .ca = &a_ca }, step(PLAN_READY, "rc_1") };
	const struct plan p = { .steps = steps, .n_steps = N_OF(steps) };
	struct world w;

	(void)state;
	world_open(&w);
	assert_int_equal(hap_exec_run(w.exec, &p, &made_for, on_run, &w, NULL), ERR_OK);
	fake_link_answer(&w.link, replies, 2);
	assert_int_equal(w.link.n_asked, 1);
	assert_int_equal(w.report.err.code, ERR_CLOSED);
	assert_int_equal(w.report.unsent, 2);
	world_close(&w);
}

/* HAProxy has one transaction: the second CA begins when the first is through, and the end of the plan is one more. */
static void
two_cas_are_one_after_the_other(void **state)
{
	static const char *const first[] = { INFO, "", NEW_CA, NOT_A_CA };
	static const char *const second[] = { INFO, NONE_TO_END, "[5]: New CA file created 'b.pem'!\n",
		"[5]: transaction created for CA b.pem!\n" };
	static const char *const third[] = { INFO, "Committing b.pem\nSuccess!\n" };
	const struct plan_ca b_ca = { .name = STR("b.pem"), .pem = STR(CERTIFICATE) };
	const struct plan_ca a_ca = A_CA;
	const struct plan_step steps[] = { step(PLAN_READY, "rc_1"), { .kind = PLAN_CA, .ca = &a_ca },
		{ .kind = PLAN_CA, .ca = &b_ca } };
	const struct plan p = { .steps = steps, .n_steps = N_OF(steps) };
	struct world w;

	(void)state;
	world_open(&w);
	assert_int_equal(hap_exec_run(w.exec, &p, &made_for, on_run, &w, NULL), ERR_OK);
	fake_link_answer(&w.link, first, 4);
	assert_str(buf_str(&w.link.asked[1].commands),
	    "show info\nabort ssl ca-file a.pem\nnew ssl ca-file b.pem\nset ssl ca-file b.pem <<\n" CERTIFICATE "\n");
	fake_link_answer(&w.link, second, 4);
	assert_str(buf_str(&w.link.asked[2].commands), "show info\ncommit ssl ca-file b.pem\n");
	assert_int_equal(w.n_calls, 0);
	fake_link_answer(&w.link, third, 2);
	assert_int_equal(w.n_calls, 1);
	assert_int_equal(w.report.done, 2);
	assert_int_equal(w.report.refused, 1);
	assert_int_equal(w.report.n_refusals, 1);
	assert_int_equal(w.report.unsent, 0);
	world_close(&w);
}

static void
a_ca_that_cannot_be_sent_leaves_no_half_of_it(void **state)
{
	static const char *const replies[] = { INFO, "" };
	const struct plan_ca ca = { .name = STR("a.pem"), .pem = STR(CERTIFICATE "\nshow info\n") };
	const struct plan_step steps[] = { { .kind = PLAN_CA, .ca = &ca }, step(PLAN_READY, "rc_1") };
	const struct plan p = { .steps = steps, .n_steps = N_OF(steps) };
	struct world w;

	(void)state;
	world_open(&w);
	assert_int_equal(hap_exec_run(w.exec, &p, &made_for, on_run, &w, NULL), ERR_OK);
	assert_str(buf_str(&w.link.asked[0].commands), "show info\nset server web/rc_1 state ready\n");
	fake_link_answer(&w.link, replies, 2);
	assert_int_equal(w.report.refused, 1);
	assert_int_equal(w.report.refusals[0].err.code, ERR_PARSE);
	assert_int_equal(w.report.done, 1);
	world_close(&w);
}

static void
a_server_that_is_deleted_already_is_gone_and_no_refusal(void **state)
{
	static const char *const replies[] = { INFO, "[3]: No such server.\n",
		"[3]: Server still has connections attached to it, cannot remove it.\n", "[6]: Server deleted.\n" };
	const struct plan_step steps[] = { step(PLAN_DELETE, "rc_a"), step(PLAN_DELETE, "rc_b"),
		step(PLAN_DELETE, "rc_c") };
	const struct plan p = { .steps = steps, .n_steps = N_OF(steps) };
	struct world w;

	(void)state;
	world_open(&w);
	assert_int_equal(hap_exec_run(w.exec, &p, &made_for, on_run, &w, NULL), ERR_OK);
	fake_link_answer(&w.link, replies, 4);
	assert_int_equal(w.report.gone, 1);
	assert_int_equal(w.report.retry, 1);
	assert_int_equal(w.report.done, 1);
	assert_int_equal(w.report.n_refusals, 0);
	world_close(&w);
}

/* But one that was to be used, and is not there, is a refusal. */
static void
a_backend_that_is_gone_already_is_no_refusal_to_what_wants_that(void **state)
{
	static const char *const replies[] = { INFO, "[3]: No such backend.\n", "[3]: No such backend.\n",
		"[3]: No such backend.\n" };
	struct plan_step steps[] = { step(PLAN_UNPUBLISH, ""), step(PLAN_UNMAKE, ""), step(PLAN_PUBLISH, "") };
	const struct plan p = { .steps = steps, .n_steps = N_OF(steps) };
	struct world w;

	(void)state;
	world_open(&w);
	assert_int_equal(hap_exec_run(w.exec, &p, &made_for, on_run, &w, NULL), ERR_OK);
	fake_link_answer(&w.link, replies, N_OF(replies));
	assert_int_equal(w.report.gone, 3);
	assert_int_equal(w.report.n_refusals, 1);
	assert_ptr_equal(w.report.refusals[0].step, &steps[2]);
	world_close(&w);
}

static void
the_version_decides_what_a_line_may_say(void **state)
{
	static const char *const replies[] = { INFO, "" };
	static const struct conf_policy policy = { .check = { .inter_ms = 2000, .rise = 2, .fall = 3 } };
	static const struct actual newer = { .major = 3, .minor = 2, .pid = 42, .start_time_s = 1000 };
	struct plan_step add = step(PLAN_ADD, "rc_a");
	const struct plan p = { .steps = &add, .n_steps = 1 };
	struct world w;

	(void)state;
	add.policy = &policy;
	add.starts_down = true;
	world_open(&w);
	assert_int_equal(hap_exec_run(w.exec, &p, &made_for, on_run, &w, NULL), ERR_OK);
	assert_str(buf_str(&w.link.asked[0].commands), "show info\n");
	fake_link_answer(&w.link, replies, 1);
	assert_int_equal(w.report.refused, 1);
	assert_int_equal(hap_exec_run(w.exec, &p, &newer, on_run, &w, NULL), ERR_OK);
	assert_non_null(memmem(w.link.asked[1].commands.ptr, w.link.asked[1].commands.len, "init-state down", 15));
	world_close(&w);
}

static void
ca_files_are_read_if_they_are_wanted(void **state)
{
	static const char *const replies[] = { INFO, SERVERS("web", "10.0.0.1"), STAT("web"),
		"# transaction\n*b.pem - 1 certificate(s)\n# filename\n@system-ca - 145 certificate(s)\n"
		"a b - c.pem - 2 certificate(s)\nb.pem - 0 certificate(s)\n\n" };
	static const char *const none[] = { INFO, SERVERS("web", "10.0.0.1"), STAT("web"), "[6]: Unknown command\n" };
	static const char *const strange[] = { INFO, SERVERS("web", "10.0.0.1"), STAT("web"), "hello" };
	const struct str name = STR("web");
	const struct hap_exec_want want = { .backends = &name, .n = 1, .cas = true };
	struct world w;

	(void)state;
	world_open(&w);
	for (int i = 0; i < 3; i++)
		assert_int_equal(hap_exec_read(w.exec, &want, on_read, &w, NULL), ERR_OK);
	assert_str(buf_str(&w.link.asked[0].commands),
	    "show info\nshow servers state web\nshow stat web 6 -1\nshow ssl ca-file\n");
	fake_link_answer(&w.link, replies, 4);
	assert_int_equal(w.actual->n_cas, 2);
	assert_str(w.actual->cas[0], "@system-ca");
	assert_str(w.actual->cas[1], "a b - c.pem");
	fake_link_answer(&w.link, none, 4);
	assert_int_equal(w.actual->n_cas, 0);
	fake_link_answer(&w.link, strange, 4);
	assert_null(w.actual);
	assert_int_equal(w.e.code, ERR_PARSE);
	world_close(&w);
}

/* ---- probe ---- */

static void
a_probe_tells_the_process(void **state)
{
	static const char *const good[] = { INFO_OLD }, *const bad[] = { "hello" };
	struct world w;

	(void)state;
	world_open(&w);
	for (int i = 0; i < 3; i++)
		assert_int_equal(hap_exec_probe(w.exec, on_probe, &w, NULL), ERR_OK);
	assert_str(buf_str(&w.link.asked[0].commands), "show info\n");
	fake_link_answer(&w.link, good, 1);
	assert_int_equal(w.info.pid, 42);
	assert_true(w.info.stopping);
	assert_string_equal(w.version, "2.6.12-1");
	fake_link_answer(&w.link, bad, 1);
	assert_int_equal(w.e.code, ERR_PARSE);
	fake_link_answer(&w.link, good, 0);
	assert_int_equal(w.e.code, ERR_CLOSED);
	assert_int_equal(w.n_calls, 3);
	world_close(&w);
}

/* ---- closing ---- */

static void
closing_frees_what_is_under_way_and_calls_nobody(void **state)
{
	static const char *const first[] = { INFO, SERVERS("web", "10.0.0.1"), STAT_HEADER };
	static const struct plan empty = { 0 };
	struct world w;

	(void)state;
	world_open(&w);
	read_backends(&w, "web", NULL);
	fake_link_answer(&w.link, first, 3); /* its second batch is under way */
	read_backends(&w, "web", NULL);
	assert_int_equal(hap_exec_run(w.exec, &empty, &made_for, on_run, &w, NULL), ERR_OK);
	assert_int_equal(hap_exec_probe(w.exec, on_probe, &w, NULL), ERR_OK);
	world_close(&w);
	assert_int_equal(w.n_calls, 0);
	hap_exec_close(NULL);
}

static void
it_may_be_closed_from_inside_a_callback(void **state)
{
	static const char *const replies[] = { INFO, SERVERS("web", "10.0.0.1"), STAT("web") };
	static const struct plan empty = { 0 };

	(void)state;
	for (int kind = 0; kind < 3; kind++) {
		struct world w;

		world_open(&w);
		w.closes = true;
		if (kind == 0)
			read_backends(&w, "web", NULL);
		else if (kind == 1)
			assert_int_equal(hap_exec_run(w.exec, &empty, &made_for, on_run, &w, NULL), ERR_OK);
		else
			assert_int_equal(hap_exec_probe(w.exec, on_probe, &w, NULL), ERR_OK);
		assert_int_equal(hap_exec_probe(w.exec, on_probe, &w, NULL), ERR_OK);
		fake_link_answer(&w.link, replies, kind == 0 ? 3 : 1);
		assert_int_equal(w.n_calls, 1);
		world_close(&w);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reading_asks_who_answers_and_then_for_each_backend),
		cmocka_unit_test(an_unpublished_backend_is_told_from_others),
		cmocka_unit_test(reading_no_backends_tells_the_process),
		cmocka_unit_test(a_backend_behind_a_frontend_of_its_name_is_asked_for_by_number),
		cmocka_unit_test(a_restart_between_two_questions_is_an_error),
		cmocka_unit_test(a_reading_that_fails_gives_no_value),
		cmocka_unit_test(a_second_batch_that_cannot_be_asked_is_an_error),
		cmocka_unit_test(an_error_of_the_call_means_no_callback),
		cmocka_unit_test(steps_are_carried_out_in_order_and_judged),
		cmocka_unit_test(a_step_that_cannot_be_sent_is_refused_and_the_rest_go),
		cmocka_unit_test(a_batch_cut_short_tells_what_was_done_before),
		cmocka_unit_test(a_process_that_does_not_say_who_it_is_is_told_nothing),
		cmocka_unit_test(only_the_first_refusals_are_kept),
		cmocka_unit_test(an_empty_plan_asks_only_who_is_there),
		cmocka_unit_test(another_process_is_told_nothing),
		cmocka_unit_test(a_ca_is_committed_only_if_all_of_it_was_taken),
		cmocka_unit_test(a_batch_that_ends_among_the_pieces_of_a_ca_sends_no_other),
		cmocka_unit_test(two_cas_are_one_after_the_other),
		cmocka_unit_test(a_ca_that_cannot_be_sent_leaves_no_half_of_it),
		cmocka_unit_test(a_server_that_is_deleted_already_is_gone_and_no_refusal),
		cmocka_unit_test(a_backend_that_is_gone_already_is_no_refusal_to_what_wants_that),
		cmocka_unit_test(the_version_decides_what_a_line_may_say),
		cmocka_unit_test(ca_files_are_read_if_they_are_wanted),
		cmocka_unit_test(a_probe_tells_the_process),
		cmocka_unit_test(closing_frees_what_is_under_way_and_calls_nobody),
		cmocka_unit_test(it_may_be_closed_from_inside_a_callback),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
