/*
 * sync/managed: what backends.cfg says, when it is written, and when HAProxy is asked
 * to reload.  A stage is a configuration with two managed backends and one declared,
 * a task or three, and a HAProxy described by hand; managed_feed's answers are
 * carried out by the test, well or badly.
 */
#include "config.h"

#include <stdlib.h>

#include "unit.h"

#include "conf/conf_policy.h"
#include "hap/hap_render.h"
#include "sync/managed.h"

#define AGENT " agent-check agent-addr 127.0.0.1 agent-port 4320 agent-inter 900ms"

#define TASKS_MAX 70

struct stage {
	struct conf conf;
	struct conf_backend entries[3];
	struct roster roster;
	struct roster_cluster cluster;
	struct desired desired;
	struct desired_backend desired_backends[3];
	struct desired_server tasks[TASKS_MAX]; /* of "web" */
	char names[TASKS_MAX][32];
	struct actual actual;
	struct actual_backend actual_backends[3];
	struct actual_server servers[TASKS_MAX];
	struct plan plan;
	struct plan_backend plan_backends[3];
	struct plan_server plan_servers[TASKS_MAX];
	struct plan_step steps[2];

	struct managed *m;
	struct managed_actions todo;
	int64_t now_ms;
	struct buf disk, good; /* what the "directory" holds */
	bool has_good;
	unsigned writes, reloads;
	char notes[8192];
};

static void
set_up_values(struct stage *s)
{
	static const char *const names[] = { "web", "api", "old" };

	s->conf.haproxy = (struct conf_haproxy){ .apply = true,
		.managed_mode = CONF_MANAGED_AUTO,
		.master_socket = STR("/run/master.sock"),
		.managed_dir = STR("/var/lib/rollcall/haproxy"),
		.managed_defaults = STR("rollcall") };
	s->conf.backends = s->entries;
	s->conf.n_backends = 3;
	s->cluster.was_read = true;
	s->roster.clusters = &s->cluster;
	s->roster.n_clusters = 1;
	s->desired = (struct desired){ .backends = s->desired_backends, .n_backends = 3, .roster = &s->roster };
	s->actual = (struct actual){
		.major = 3, .pid = 100, .start_time_s = 5, .backends = s->actual_backends, .n_backends = 3
	};
	s->plan = (struct plan){ .backends = s->plan_backends, .n_backends = 3, .steps = s->steps };
	for (size_t i = 0; i < 3; i++) {
		struct str name = str_from_cstr(names[i]);

		s->entries[i] =
		    (struct conf_backend){ .name = name, .managed = i < 2, .policy = conf_policy_builtin() };
		s->entries[i].policy.check.type = CONF_CHECK_OFF;
		s->desired_backends[i] = (struct desired_backend){ .conf = &s->entries[i], .name = name };
		s->actual_backends[i] = (struct actual_backend){ .name = name, .exists = true };
		s->plan_backends[i] =
		    (struct plan_backend){ .name = name, .exists = true, .strategy = PLAN_STRATEGY_DYNAMIC };
	}
	s->desired_backends[0].servers = s->tasks;
	s->actual_backends[0].servers = s->servers;
	s->plan_backends[0].servers = s->plan_servers;
}

static void
start(struct stage *s, const char *text, const char *good)
{
	const struct managed_found found = {
		.text = str_from_cstr(text), .has_good = good != NULL, .good = str_from_cstr(good)
	};

	managed_free(s->m);
	buf_reset(&s->disk);
	buf_put(&s->disk, found.text);
	buf_reset(&s->good);
	buf_put(&s->good, found.good);
	s->has_good = good != NULL;
	assert_int_equal(managed_new(&s->conf, &found, &s->m, NULL), ERR_OK);
}

static struct stage *
stage(void)
{
	struct stage *s = calloc(1, sizeof(*s));

	assert_non_null(s);
	set_up_values(s);
	s->disk = buf_make(HAP_RENDER_MAX);
	s->good = buf_make(HAP_RENDER_MAX);
	s->now_ms = 1000000;
	start(s, "", NULL);
	return s;
}

static void
end(struct stage *s)
{
	managed_free(s->m);
	buf_free(&s->disk);
	buf_free(&s->good);
	free(s);
}

/* One more task of "web" that should serve, and its server in this state. */
static struct plan_server *
task(struct stage *s, const char *name, enum plan_state state)
{
	struct desired_backend *d = &s->desired_backends[0];
	struct plan_backend *p = &s->plan_backends[0];
	size_t i = d->n_servers++;

	assert_true(i < TASKS_MAX);
	d->n_serve++;
	(void)snprintf(s->names[i], sizeof(s->names[i]), "%s", name);
	s->tasks[i] = (struct desired_server){ .name = str_from_cstr(s->names[i]),
		.address = STR("10.0.0.1"),
		.port = (uint16_t)(1000 + i),
		.want = DESIRED_SERVE,
		.weight = 100,
		.policy = &s->entries[0].policy };
	s->servers[i] = (struct actual_server){ .name = s->tasks[i].name,
		.address = s->tasks[i].address,
		.port = s->tasks[i].port,
		.weight = 100,
		.admin = ACTUAL_READY,
		.is_ours = true };
	s->plan_servers[p->n_servers] = (struct plan_server){
		.backend = p->name, .actual = &s->servers[i], .desired = &s->tasks[i], .state = state
	};
	s->actual_backends[0].n_servers++;
	return &s->plan_servers[p->n_servers++];
}

static void
feed(struct stage *s, struct managed_event ev)
{
	ev.mono_ms = s->now_ms;
	managed_feed(s->m, &ev, &s->todo);
	assert_false(s->todo.write && s->todo.reload);
	for (size_t i = 0; i < s->todo.n_notes; i++) {
		size_t len = strlen(s->notes);

		(void)snprintf(s->notes + len, sizeof(s->notes) - len, "%s\n", s->todo.notes[i].text);
	}
}

static void
pass(struct stage *s)
{
	const struct reconcile_view v = { .desired = &s->desired, .actual = &s->actual, .plan = &s->plan };

	feed(s, (struct managed_event){ .kind = MANAGED_PASSED, .view = &v });
}

/* The write that is asked for goes well. */
static void
write_it(struct stage *s)
{
	const struct managed_files f = s->todo.files;
	const struct err ok = ERR_INIT;

	assert_true(s->todo.write);
	if (f.keep_good) {
		assert_false(s->has_good);
		buf_reset(&s->good);
		buf_put(&s->good, f.good);
		s->has_good = true;
	}
	if (f.has_text) {
		buf_reset(&s->disk);
		buf_put(&s->disk, f.text);
	}
	if (f.drop_good)
		s->has_good = false;
	s->writes++;
	feed(s, (struct managed_event){ .kind = MANAGED_WRITTEN, .err = &ok });
}

static void
reload_ends(struct stage *s, enum err_code code, const char *msg)
{
	struct err e = ERR_INIT;

	assert_true(s->todo.reload);
	if (code != ERR_OK)
		err_fill(&e, code, 0, "%s", msg);
	s->reloads++;
	feed(s, (struct managed_event){ .kind = MANAGED_RELOADED, .err = &e });
}

/* Time passes until something is asked for; passes come every 250 ms. */
static void
wait_for_action(struct stage *s, int64_t at_most_ms)
{
	for (int64_t end_ms = s->now_ms + at_most_ms; s->now_ms < end_ms && !s->todo.write && !s->todo.reload;) {
		s->now_ms += 250;
		pass(s);
	}
}

static const char *
text(struct buf *b)
{
	buf_put_u8(b, '\0');
	b->len--;
	return (const char *)b->ptr;
}

static bool
says(struct stage *s, const char *words)
{
	return strstr(text(&s->disk), words) != NULL;
}

static void
is_calm(struct stage *s)
{
	for (int i = 0; i < 200; i++) {
		s->now_ms += 250;
		pass(s);
		assert_false(s->todo.write);
		assert_false(s->todo.reload);
	}
}

static void
meet_new_process(struct stage *s)
{
	s->actual.pid++;
	s->actual.start_time_s++;
}

static void
the_file_names_what_serves_and_not_what_joins_or_leaves(void **state)
{
	struct stage *s = stage();

	(void)state;
	task(s, "rc_d_up", PLAN_STATE_UP);
	task(s, "rc_a_down", PLAN_STATE_DOWN);
	task(s, "rc_b_joins", PLAN_STATE_JOINING);
	task(s, "rc_c_leaves", PLAN_STATE_DRAINING);
	s->servers[4].weight = 7;
	(void)task(s, "rc_e_maint", PLAN_STATE_HELD);
	s->servers[4].admin = ACTUAL_MAINT;
	(void)task(s, "rc_f_drain", PLAN_STATE_HELD);
	s->servers[5].admin = ACTUAL_DRAIN;
	pass(s);
	write_it(s);
	assert_true(says(s, "\tserver rc_a_down 10.0.0.1:1001 weight 100 proto h2" AGENT "\n"
			    "\tserver rc_d_up 10.0.0.1:1000 weight 100 proto h2" AGENT "\n"
			    "\tserver rc_e_maint 10.0.0.1:1004 weight 100 proto h2" AGENT " disabled\n"
			    "\tserver rc_f_drain 10.0.0.1:1005 weight 0 proto h2" AGENT "\n"
			    "\nbackend api from rollcall\n"));
	assert_false(says(s, "rc_b_joins"));
	assert_false(says(s, "rc_c_leaves"));
	assert_false(says(s, "backend old"));
	is_calm(s);
	assert_int_equal(s->reloads, 0);
	end(s);
}

static void
what_was_named_stays_while_it_joins_again(void **state)
{
	struct stage *s = stage();

	(void)state;
	task(s, "rc_a", PLAN_STATE_UP);
	pass(s);
	write_it(s);
	/* Another process, without our file: everything joins anew, or is not even there. */
	s->plan_servers[0].state = PLAN_STATE_JOINING;
	is_calm(s);
	s->plan_backends[0].n_servers = 0;
	is_calm(s);
	assert_true(says(s, "rc_a"));
	s->tasks[0].want = DESIRED_LEAVE;
	wait_for_action(s, 1000);
	write_it(s);
	assert_false(says(s, "rc_a"));
	end(s);
}

static void
nothing_is_forgotten_before_every_cluster_was_read(void **state)
{
	struct stage *s = stage();

	(void)state;
	start(s, "backend web from rollcall\n\tmode http\n\tserver rc_a 10.0.0.1:1000\n", NULL);
	s->cluster.was_read = false;
	is_calm(s);
	assert_true(says(s, "rc_a"));
	s->cluster.fault_is_permanent = true;
	pass(s);
	write_it(s);
	assert_false(says(s, "rc_a"));
	end(s);
}

/* What cannot be read may be all that a service has. */
static void
a_cluster_that_is_read_in_part_holds_up_nobody_and_keeps_what_it_may_ask_for(void **state)
{
	struct stage *s = stage();

	(void)state;
	start(s, "backend theirs from rollcall\n\tmode http\n\tserver rc_x 10.0.0.9:1000\n", NULL);
	s->cluster.was_read = false;
	is_calm(s);
	s->cluster.is_read_in_part = true;
	pass(s);
	write_it(s);
	assert_true(says(s, "backend web from rollcall\n"));
	assert_true(says(s, "backend theirs from rollcall\n\tmode http\n\tserver rc_x 10.0.0.9:1000\n"));
	s->cluster.was_read = true;
	wait_for_action(s, 10000);
	write_it(s);
	assert_false(says(s, "backend theirs"));
	end(s);
}

/* How its servers are reached only its section says. */
static void
a_section_that_nobody_asks_for_stays_for_those_who_serve(void **state)
{
	struct stage *s = stage();

	(void)state;
	start(s,
	    "backend web from rollcall\n\tmode http\n\tserver rc_a 10.0.0.1:1000 proto h1\n"
	    "\tserver rc_b 10.0.0.1:1001 proto h1\n\tserver-template rc_ 1-8 0.0.0.0:0 disabled\n",
	    NULL);
	(void)task(s, "rc_1", PLAN_STATE_UP); /* a slot, in HAProxy */
	(void)task(s, "rc_b", PLAN_STATE_UP);
	s->plan_servers[0].desired = s->plan_servers[1].desired = NULL;
	s->desired_backends[0].n_servers = s->desired_backends[0].n_serve = 0;
	s->entries[0].retired = true;
	s->conf.backends = s->entries + 1; /* "web" is in no configuration */
	s->conf.n_backends = 2;
	pass(s);
	write_it(s);
	assert_true(says(s, "backend web from rollcall\n\tmode http\n\tserver rc_a 10.0.0.1:1000 proto h1\n"
			    "\tserver rc_b 10.0.0.1:1001 proto h1\n\tserver-template rc_ 1-8"));
	is_calm(s);
	s->plan_servers[0].state = PLAN_STATE_DRAINING;
	wait_for_action(s, 10000);
	write_it(s);
	assert_true(says(s, "backend web from rollcall\n\tmode http\n\tserver rc_b 10.0.0.1:1001 proto h1\n"));
	assert_int_equal(s->reloads, 0);
	s->desired.backends = s->desired_backends + 1;
	s->desired.n_backends = 2;
	wait_for_action(s, 10000);
	write_it(s);
	assert_false(says(s, "backend web"));
	end(s);
}

static bool
is_named(struct stage *s, const char *name)
{
	CLEANUP(arena_free_at) struct arena *a = arena_new(HAP_RENDER_MAX);
	const struct str *names;
	size_t n, i = 0;

	assert_int_equal(managed_names(s->m, a, &names, &n, NULL), ERR_OK);
	while (i < n && !str_eq(names[i], str_from_cstr(name)))
		i++;
	return i < n;
}

/* A daemon that starts before that reload takes it for its own; and if somebody asks for it again, its settings
 * are those of before until HAProxy reads others. */
static void
what_haproxy_has_until_its_next_reload_is_remembered(void **state)
{
	struct stage *s = stage();

	(void)state;
	pass(s);
	write_it(s);
	assert_true(says(s, "backend web"));
	s->entries[0].retired = true;
	s->conf.backends = s->entries + 1; /* "web" is in no configuration */
	s->conf.n_backends = 2;
	s->desired.labels_are_known = true;
	s->plan_backends[0].is_over = true;
	wait_for_action(s, 10000);
	write_it(s);
	assert_false(says(s, "backend web"));
	assert_true(says(s, "# gone with HAProxy's next reload: web\n"));
	assert_int_equal(s->reloads, 0);
	start(s, text(&s->disk), NULL);
	assert_true(is_named(s, "web") && is_named(s, "api") && !is_named(s, "old"));
	s->desired.labels_are_known = s->plan_backends[0].is_over = false; /* nothing is known of it yet */
	pass(s);
	is_calm(s);
	s->entries[0].retired = false;
	wait_for_action(s, 10000);
	write_it(s);
	assert_true(says(s, "backend web"));
	assert_false(says(s, "next reload"));
	wait_for_action(s, 10000);
	reload_ends(s, ERR_OK, "");
	assert_int_equal(s->reloads, 1);
	end(s);
}

/* It has it no more: nor has the file. */
static void
what_haproxy_has_let_go_is_not_in_its_file(void **state)
{
	struct stage *s = stage();

	(void)state;
	pass(s);
	write_it(s);
	s->entries[0].retired = true;
	s->plan_backends[0].exists = false;
	s->desired.labels_are_known = true;
	wait_for_action(s, 10000);
	write_it(s);
	assert_false(says(s, "web"));
	assert_false(is_named(s, "web"));
	end(s);
}

/* A configuration that is taken in the middle of a write has read what stood there before. */
static void
what_somebody_is_writing_is_written_anew(void **state)
{
	struct stage *s = stage();
	char *before;

	(void)state;
	task(s, "rc_a", PLAN_STATE_UP);
	pass(s);
	write_it(s);
	before = strdup(text(&s->disk));
	assert_non_null(before);
	start(s, before, NULL);
	free(before);
	managed_distrust(s->m);
	pass(s);
	assert_true(s->todo.files.has_text);
	write_it(s);
	is_calm(s);
	assert_int_equal(s->reloads, 0);
	end(s);
}

static void
servers_alone_never_reload_haproxy(void **state)
{
	struct stage *s = stage();
	char name[20];

	(void)state;
	for (unsigned i = 0; i < 60; i++) {
		(void)snprintf(name, sizeof(name), "rc_%02u_x", i);
		task(s, name, PLAN_STATE_UP);
		s->now_ms += 1000;
		pass(s);
		write_it(s);
		assert_false(s->todo.reload);
		assert_false(s->has_good);
	}
	is_calm(s);
	assert_int_equal(s->writes, 60);
	end(s);
}

static void
writes_are_coalesced(void **state)
{
	struct stage *s = stage();
	unsigned before;
	char name[20];

	(void)state;
	pass(s);
	write_it(s);
	before = s->writes;
	for (unsigned i = 0; i < 50; i++) {
		(void)snprintf(name, sizeof(name), "rc_%02u_x", i);
		task(s, name, PLAN_STATE_UP);
		s->now_ms += 10;
		pass(s);
		if (s->todo.write)
			write_it(s);
	}
	assert_in_range(s->writes - before, 1, 3);
	wait_for_action(s, 1000);
	if (s->todo.write)
		write_it(s);
	assert_true(says(s, "rc_49_x"));
	end(s);
}

static void
a_new_backend_is_written_then_reloaded_once(void **state)
{
	struct stage *s = stage();

	(void)state;
	start(s, "# old\n", NULL);
	s->plan_backends[0].exists = s->plan_backends[1].exists = false;
	pass(s);
	write_it(s);
	assert_true(s->has_good);
	assert_str(buf_str(&s->good), "# old\n");
	assert_false(s->todo.reload); /* others may come */
	wait_for_action(s, 2000);
	reload_ends(s, ERR_OK, "");
	write_it(s);
	assert_false(s->has_good);
	/* A read that was under way still shows the old worker. */
	pass(s);
	assert_false(s->todo.reload);
	s->plan_backends[0].exists = s->plan_backends[1].exists = true;
	meet_new_process(s);
	is_calm(s);
	assert_int_equal(s->reloads, 1);
	assert_false(managed_view(s->m).reload_fault->on);
	end(s);
}

static void
what_the_plan_makes_at_run_time_needs_no_reload(void **state)
{
	struct stage *s = stage();

	(void)state;
	s->plan_backends[0].exists = false;
	s->steps[0] = (struct plan_step){ .kind = PLAN_BACKEND, .backend = STR("web") };
	s->plan.n_steps = 1;
	pass(s);
	write_it(s);
	is_calm(s);
	/* It may be refused: somebody else's name would keep HAProxy from starting. */
	assert_false(says(s, "backend web"));
	assert_true(says(s, "backend api from rollcall\n"));
	s->plan.n_steps = 0;
	s->plan_backends[0].exists = true;
	pass(s);
	write_it(s);
	is_calm(s);
	assert_true(says(s, "backend web from rollcall\n"));
	assert_int_equal(s->reloads, 0);
	end(s);
}

static void
other_settings_are_reloaded_and_their_own_file_is_not(void **state)
{
	struct stage *s = stage();

	(void)state;
	pass(s);
	write_it(s);
	start(s, text(&s->disk), NULL);
	is_calm(s);
	start(s, text(&s->disk), NULL);
	s->entries[1].policy.set = UINT32_C(1) << CONF_POLICY_BALANCE;
	s->entries[1].policy.balance = CONF_BALANCE_LEASTCONN;
	pass(s);
	write_it(s);
	wait_for_action(s, 2000);
	reload_ends(s, ERR_OK, "");
	write_it(s);
	is_calm(s);
	assert_true(says(s, "balance leastconn"));
	assert_int_equal(s->reloads, 1);
	end(s);
}

static void
a_reload_that_was_not_finished_is_asked_for_again_after_a_crash(void **state)
{
	struct stage *s = stage();
	char *fresh;

	(void)state;
	s->entries[1].policy.set = UINT32_C(1) << CONF_POLICY_BALANCE;
	pass(s);
	write_it(s);
	fresh = strdup(text(&s->disk));
	start(s, fresh, "backend api from rollcall\n\tmode http\n");
	wait_for_action(s, 2000);
	assert_true(s->todo.reload);
	reload_ends(s, ERR_OK, "");
	write_it(s);
	assert_false(s->has_good);
	is_calm(s);
	free(fresh);
	end(s);
}

static void
a_refused_reload_puts_the_last_good_file_back_and_is_not_repeated(void **state)
{
	struct stage *s = stage();

	(void)state;
	start(s, "# good\n", NULL);
	s->plan_backends[0].exists = false;
	pass(s);
	write_it(s);
	wait_for_action(s, 2000);
	reload_ends(s, ERR_REFUSED, "[/x/backends.cfg:7] : unknown keyword");
	write_it(s);
	assert_str(buf_str(&s->disk), "# good\n");
	assert_false(s->has_good);
	assert_true(managed_view(s->m).reload_fault->on);
	assert_non_null(strstr(managed_view(s->m).reload_fault->err.msg, "unknown keyword"));
	is_calm(s); /* 50 s */
	wait_for_action(s, 20000);
	write_it(s);
	wait_for_action(s, 2000);
	reload_ends(s, ERR_REFUSED, "again");
	write_it(s);
	assert_str(buf_str(&s->disk), "# good\n");
	is_calm(s);
	is_calm(s); /* 100 s: less often */
	/* Somebody reloads HAProxy: something has changed. */
	meet_new_process(s);
	wait_for_action(s, 6000);
	write_it(s);
	wait_for_action(s, 6000);
	s->plan_backends[0].exists = true;
	reload_ends(s, ERR_OK, "");
	meet_new_process(s);
	write_it(s);
	is_calm(s);
	assert_true(says(s, "backend web"));
	assert_false(managed_view(s->m).reload_fault->on);
	end(s);
}

static void
a_master_that_is_silent_is_asked_again_and_the_file_stays(void **state)
{
	struct stage *s = stage();

	(void)state;
	s->plan_backends[0].exists = false;
	pass(s);
	write_it(s);
	wait_for_action(s, 2000);
	reload_ends(s, ERR_TIMEOUT, "no answer");
	assert_true(managed_view(s->m).reload_fault->on);
	assert_true(says(s, "backend web"));
	wait_for_action(s, 6000);
	reload_ends(s, ERR_TIMEOUT, "no answer");
	for (int i = 0; i < 30; i++) { /* 7.5 s: the pause has grown to 10 */
		s->now_ms += 250;
		pass(s);
		assert_false(s->todo.reload);
	}
	end(s);
}

static void
a_reload_in_vain_says_what_is_missing_and_is_not_repeated(void **state)
{
	struct stage *s = stage();

	(void)state;
	s->plan_backends[0].exists = false;
	pass(s);
	write_it(s);
	wait_for_action(s, 2000);
	reload_ends(s, ERR_OK, "");
	write_it(s);
	pass(s); /* the process before answers still */
	assert_false(managed_view(s->m).reload_fault->on);
	meet_new_process(s);
	is_calm(s);
	assert_true(managed_view(s->m).reload_fault->on);
	assert_non_null(strstr(managed_view(s->m).reload_fault->err.msg, "-f /var/lib/rollcall/haproxy/backends.cfg"));
	end(s);
}

static void
without_a_master_socket_the_operator_is_asked_and_the_file_is_ready(void **state)
{
	struct stage *s = stage();

	(void)state;
	s->conf.haproxy.master_socket = STR("");
	s->plan_backends[0].exists = false;
	pass(s);
	write_it(s);
	is_calm(s);
	assert_true(managed_view(s->m).reload_fault->on);
	assert_non_null(strstr(s->notes, "haproxy.master_socket"));
	assert_true(says(s, "backend web"));
	/* Done by hand. */
	meet_new_process(s);
	s->plan_backends[0].exists = true;
	pass(s);
	assert_false(managed_view(s->m).reload_fault->on);
	write_it(s);
	assert_false(s->has_good);
	end(s);
}

static void
mode_runtime_says_what_it_cannot_do(void **state)
{
	struct stage *s = stage();

	(void)state;
	s->conf.haproxy.managed_mode = CONF_MANAGED_RUNTIME;
	s->plan_backends[0].exists = false;
	pass(s);
	write_it(s);
	is_calm(s);
	assert_non_null(strstr(s->notes, "needs HAProxy 3.4, and this is 3.0"));
	end(s);
}

static void
on_2_6_slots_grow_ahead_of_need_and_reload_only_when_they_are_used_up(void **state)
{
	struct stage *s = stage();
	char name[20];

	(void)state;
	s->actual.major = 2;
	s->actual.minor = 6;
	s->actual_backends[0].n_slots = 20;
	pass(s);
	write_it(s);
	assert_true(says(s, "\tserver-template rc_ 1-20 0.0.0.0:0 disabled"));
	for (unsigned i = 0; i < 11; i++) {
		(void)snprintf(name, sizeof(name), "rc_%02u_x", i);
		task(s, name, PLAN_STATE_UP);
	}
	wait_for_action(s, 1000);
	write_it(s);
	assert_true(says(s, "\tserver-template rc_ 1-40 0.0.0.0:0 disabled"));
	is_calm(s);
	s->plan_backends[0].n_unplaced = 1;
	wait_for_action(s, 2000);
	reload_ends(s, ERR_OK, "");
	s->plan_backends[0].n_unplaced = 0;
	s->actual_backends[0].n_slots = 40;
	meet_new_process(s);
	is_calm(s);
	/* Never back. */
	s->desired_backends[0].n_serve = 1;
	is_calm(s);
	end(s);
}

static void
a_slot_that_serves_has_its_task_s_name_in_the_file(void **state)
{
	struct stage *s = stage();
	struct plan_server *unknown;

	(void)state;
	s->actual.major = 2;
	task(s, "rc_a_app_1", PLAN_STATE_UP);
	s->servers[0].name = STR("rc_1");
	s->servers[0].is_slot = true;
	unknown = task(s, "rc_3", PLAN_STATE_UP);
	s->servers[1].is_slot = true;
	unknown->desired = NULL;
	s->desired_backends[0].n_servers--;
	pass(s);
	write_it(s);
	assert_true(says(s, "\tserver rc_3_10.0.0.1_1001 10.0.0.1:1001 "));
	assert_true(says(s, "\tserver rc_a_app_1 10.0.0.1:1000 "));
	assert_false(says(s, "\tserver rc_1 "));
	end(s);
}

static void
one_name_never_stands_twice(void **state)
{
	struct stage *s = stage();
	struct plan_server *second;

	(void)state;
	task(s, "rc_a", PLAN_STATE_UP);
	second = task(s, "rc_a", PLAN_STATE_UP);
	second->desired = &s->tasks[0];
	s->desired_backends[0].n_servers--;
	pass(s);
	write_it(s);
	assert_null(strstr(strstr(text(&s->disk), "server rc_a") + 1, "server rc_a"));
	end(s);
}

static void
a_full_disk_is_said_and_tried_again(void **state)
{
	struct stage *s = stage();
	struct err e = ERR_INIT;

	(void)state;
	s->plan_backends[0].exists = false;
	pass(s);
	assert_true(s->todo.write);
	err_fill(&e, ERR_IO, 28, "cannot write /x");
	feed(s, (struct managed_event){ .kind = MANAGED_WRITTEN, .err = &e });
	assert_true(managed_view(s->m).file_fault->on);
	assert_false(s->todo.reload);
	for (int i = 0; i < 18; i++) {
		s->now_ms += 250;
		pass(s);
		assert_false(s->todo.write);
		assert_false(s->todo.reload);
	}
	wait_for_action(s, 2000);
	write_it(s);
	assert_false(managed_view(s->m).file_fault->on);
	end(s);
}

static void
a_reload_by_somebody_else_loads_what_stands_there(void **state)
{
	struct stage *s = stage();

	(void)state;
	s->conf.haproxy.master_socket = STR("");
	s->entries[1].policy.set = UINT32_C(1) << CONF_POLICY_BALANCE;
	start(s, "backend api from rollcall\n\tmode http\n", NULL);
	pass(s);
	write_it(s);
	s->now_ms += 250;
	pass(s);
	assert_true(managed_view(s->m).reload_fault->on);
	meet_new_process(s);
	pass(s);
	write_it(s);
	is_calm(s);
	assert_false(managed_view(s->m).reload_fault->on);
	end(s);
}

static void
only_a_managed_entry_that_may_be_acted_on_asks_for_all_this(void **state)
{
	static const struct str dialect = { "rollcall", 8 };
	struct conf_source source = { .name = STR("eu") };
	struct stage *s = stage();

	(void)state;
	assert_true(managed_is_asked_for(&s->conf));
	s->conf.haproxy.apply = false;
	assert_false(managed_is_asked_for(&s->conf));
	s->conf.haproxy.apply = true;
	s->conf.haproxy.managed_mode = CONF_MANAGED_OFF;
	assert_false(managed_is_asked_for(&s->conf));
	s->conf.haproxy.managed_mode = CONF_MANAGED_RELOAD;
	assert_true(managed_is_asked_for(&s->conf));
	assert_false(managed_may_add(&s->conf));
	s->entries[0].managed = s->entries[1].managed = false;
	assert_false(managed_is_asked_for(&s->conf));
	s->conf.sources = &source;
	s->conf.n_sources = 1;
	assert_false(managed_is_asked_for(&s->conf));
	source.labels = (struct conf_list){ &dialect, 1 };
	assert_true(managed_is_asked_for(&s->conf)); /* labels may make one */
	s->conf.haproxy.managed_mode = CONF_MANAGED_AUTO;
	assert_true(managed_may_add(&s->conf));
	s->conf.haproxy.managed_mode = CONF_MANAGED_RUNTIME;
	assert_true(managed_may_add(&s->conf));
	end(s);
}

/* Not all is known, or HAProxy is going down: nothing is written, and nobody is asked to reload. */
static void
what_is_not_known_yet_is_waited_for(void **state)
{
	(void)state;
	for (int i = 0; i < 4; i++) {
		struct stage *s = stage();
		struct reconcile_view v = { .desired = &s->desired, .actual = &s->actual, .plan = &s->plan };

		v.desired = i == 0 ? NULL : v.desired;
		v.actual = i == 1 ? NULL : v.actual;
		v.plan = i == 2 ? NULL : v.plan;
		s->actual.stopping = i == 3;
		task(s, "rc_a", PLAN_STATE_UP);
		feed(s, (struct managed_event){ .kind = MANAGED_PASSED, .view = &v });
		assert_false(s->todo.write || s->todo.reload);
		end(s);
	}
}

/* What no task explains is named as it is; one without an address is not named at all. */
static void
the_file_names_what_nobody_explains_as_it_is(void **state)
{
	struct stage *s = stage();

	(void)state;
	task(s, "rc_a_up", PLAN_STATE_UP);
	s->servers[0].address = STR("fd00::1");
	task(s, "rc_b_ejected", PLAN_STATE_EJECTED);
	task(s, "rc_c_nowhere", PLAN_STATE_UP);
	s->servers[2].address = STR("");
	task(s, "rc_d_unheard", PLAN_STATE_UP)->desired = NULL;
	task(s, "rc_e_joins", PLAN_STATE_JOINING)->desired = NULL;
	task(s, "rc_f_no_port", PLAN_STATE_UP);
	s->servers[5].port = 0;
	for (size_t i = 2; i < 6; i++)
		s->tasks[i].want = DESIRED_LEAVE;
	pass(s);
	write_it(s);
	assert_true(says(s, "\tserver rc_a_up [fd00::1]:1000 "));
	assert_true(says(s, "\tserver rc_b_ejected 10.0.0.1:1001 "));
	assert_true(says(s, "\tserver rc_d_unheard 10.0.0.1:1003 "));
	assert_false(says(s, "rc_c_nowhere"));
	assert_false(says(s, "rc_e_joins"));
	assert_false(says(s, "rc_f_no_port"));
	end(s);
}

/* Only a reload could change it, and the configuration says that there is none. */
static void
mode_runtime_says_so_of_settings_too(void **state)
{
	struct stage *s = stage();

	(void)state;
	pass(s);
	write_it(s);
	s->conf.haproxy.managed_mode = CONF_MANAGED_RUNTIME;
	s->actual.minor = 4;
	start(s, text(&s->disk), NULL);
	s->entries[1].policy.set = UINT32_C(1) << CONF_POLICY_BALANCE;
	s->entries[1].policy.balance = CONF_BALANCE_LEASTCONN;
	pass(s);
	write_it(s);
	is_calm(s);
	assert_non_null(strstr(s->notes, "backend `api` has other settings in HAProxy: only a reload of HAProxy can"));
	assert_int_equal(s->reloads, 0);
	end(s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_file_names_what_serves_and_not_what_joins_or_leaves),
		cmocka_unit_test(what_was_named_stays_while_it_joins_again),
		cmocka_unit_test(nothing_is_forgotten_before_every_cluster_was_read),
		cmocka_unit_test(a_cluster_that_is_read_in_part_holds_up_nobody_and_keeps_what_it_may_ask_for),
		cmocka_unit_test(a_section_that_nobody_asks_for_stays_for_those_who_serve),
		cmocka_unit_test(what_haproxy_has_until_its_next_reload_is_remembered),
		cmocka_unit_test(what_haproxy_has_let_go_is_not_in_its_file),
		cmocka_unit_test(what_somebody_is_writing_is_written_anew),
		cmocka_unit_test(servers_alone_never_reload_haproxy),
		cmocka_unit_test(writes_are_coalesced),
		cmocka_unit_test(a_new_backend_is_written_then_reloaded_once),
		cmocka_unit_test(what_the_plan_makes_at_run_time_needs_no_reload),
		cmocka_unit_test(other_settings_are_reloaded_and_their_own_file_is_not),
		cmocka_unit_test(a_reload_that_was_not_finished_is_asked_for_again_after_a_crash),
		cmocka_unit_test(a_refused_reload_puts_the_last_good_file_back_and_is_not_repeated),
		cmocka_unit_test(a_master_that_is_silent_is_asked_again_and_the_file_stays),
		cmocka_unit_test(a_reload_in_vain_says_what_is_missing_and_is_not_repeated),
		cmocka_unit_test(without_a_master_socket_the_operator_is_asked_and_the_file_is_ready),
		cmocka_unit_test(mode_runtime_says_what_it_cannot_do),
		cmocka_unit_test(on_2_6_slots_grow_ahead_of_need_and_reload_only_when_they_are_used_up),
		cmocka_unit_test(a_slot_that_serves_has_its_task_s_name_in_the_file),
		cmocka_unit_test(one_name_never_stands_twice),
		cmocka_unit_test(a_full_disk_is_said_and_tried_again),
		cmocka_unit_test(a_reload_by_somebody_else_loads_what_stands_there),
		cmocka_unit_test(what_is_not_known_yet_is_waited_for),
		cmocka_unit_test(the_file_names_what_nobody_explains_as_it_is),
		cmocka_unit_test(mode_runtime_says_so_of_settings_too),
		cmocka_unit_test(only_a_managed_entry_that_may_be_acted_on_asks_for_all_this),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
