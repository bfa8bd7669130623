/* One world for the tests of control/: see control_story.h. */
#include "config.h"

#include "control_story.h"

#include <stdlib.h>

static const struct taskdef_label *
make_labels(struct control_story *s)
{
	s->labels[0] = (struct taskdef_label){ .name = STR("note"), .value = STR("\xff\"<b>\n\x1b[31m") };
	s->labels[1] = (struct taskdef_label){ .name = STR("owner"), .value = STR("team a") };
	return s->labels;
}

static void
set_service(struct roster_task *t, const char *group, struct str service, const char *family)
{
	t->group = str_from_cstr(group);
	t->service = service;
	t->family = str_from_cstr(family);
}

static void
tell_tasks(struct control_story *s)
{
	struct world *w = s->w;
	struct taskdef *labelled = world_definition(w, "rng");
	struct taskdef_container *c = world_publishes(w, labelled, "app", "50051");
	struct roster_task *t;

	c->labels = make_labels(s);
	c->n_labels = 2;
	world_task(w, CONTROL_STORY_ID("aaaa0001"), ROSTER_RUNNING, "10.0.0.1")->zone = STR("eu-west-1a");
	world_task(w, CONTROL_STORY_ID("aaaa0002"), ROSTER_RUNNING, "10.0.0.2")->definition = labelled;
	(void)world_task(w, CONTROL_STORY_ID("bbbb0001"), ROSTER_STOPPING, "10.0.0.3");
	(void)world_task(w, CONTROL_STORY_ID("cccc0001"), ROSTER_RUNNING, "10.0.0.4");
	t = world_task(w, CONTROL_STORY_ID("cccc0002"), ROSTER_RUNNING, "10.0.0.5");
	set_service(t, "family:batch", STR(""), "batch");
	t = world_task(w, CONTROL_STORY_ID("dddd0001"), ROSTER_RUNNING, "10.0.0.6");
	set_service(t, "service:ghost", STR("ghost"), "ghost");
	(void)world_task(w, CONTROL_STORY_ID("eeee0001"), ROSTER_PENDING, "");
	t = world_task(w, CONTROL_STORY_ID("ffff0001"), ROSTER_RUNNING, "fd00::7");
	set_service(t, "service:shop", STR("shop"), "shop");
}

static void
tell_haproxy(struct world *w)
{
	struct actual_backend *grpc = world_backend(w, "grpc"), *absent = world_backend(w, "absent"), *web, *web2;
	struct actual_server *s;

	absent->exists = false;
	web = world_backend(w, "web");
	web2 = world_backend(w, "web2");
	s = world_server(w, grpc, "rc_1", ACTUAL_READY, "10.0.0.1:50051");
	s->sessions = 2;
	s->changed_s = 180;
	(void)world_server(w, grpc, "rc_2", ACTUAL_DRAIN, "10.0.0.2:50051");
	s = world_server(w, grpc, "rc_3", ACTUAL_MAINT, "10.0.0.3:50051");
	s->sessions = 1;
	(void)world_server(w, web, "rc_1", ACTUAL_READY, "fd00::7:50051");
	(void)world_server(w, web2, "rc_1", ACTUAL_READY, "fd00::7:50051");
	(void)world_server(w, web2, "rc_2", ACTUAL_READY, "10.9.9.9:50051");
}

static void
tell_configuration(struct control_story *s)
{
	static const struct str clusters[] = { { .ptr = "main", .len = 4 } };

	(void)world_entry(s->w, "grpc", "rng", 0);
	(void)world_entry(s->w, "absent", "ghost", 0);
	(void)world_entry(s->w, "web", "shop", 0);
	(void)world_entry(s->w, "web2", "shop", 0);
	s->conf = *world_conf(s->w);
	s->source = s->conf.sources[0];
	s->source.region = STR("eu-west-1");
	s->source.clusters = (struct conf_list){ .items = clusters, .n = 1 };
	s->conf.sources = &s->source;
	s->conf.hash = STR("0123456789abcdef");
	s->conf.haproxy.socket = STR("/run/haproxy/admin.sock");
}

static void
tell_facts(struct control_story *s)
{
	struct plan *plan = world_plan(s->w, 500000, NULL);
	const struct plan_rules rules = { .now_ms = 500000 };

	if (plan_guard(&rules, plan, NULL) != ERR_OK)
		abort();
	s->figures = (struct aws_caller_figures){ .calls = 1234, .throttles = 1 };
	s->keys = (struct creds_source_view){ .name = "environment", .expires_wall_ms = INT64_MAX };
	s->problem = (struct control_problem){ .where = STR("backend absent"),
		.message = STR("HAProxy has no backend `absent`: add it to haproxy.cfg") };
	s->facts = (struct control_facts){
		.wall_ms = CONTROL_STORY_WALL_MS,
		.mono_ms = 500000,
		.started_mono_ms = 10000,
		.conf = &s->conf,
		.config_path = STR("/etc/rollcall/rollcall.yaml"),
		.config_loaded_wall_ms = CONTROL_STORY_WALL_MS - 490000,
		.roster = s->roster,
		.figures = &s->figures,
		.keys = &s->keys,
		.desired = world_desired(s->w),
		.plan = plan,
		.connected = true,
		.ready = true,
		.last_sync_wall_ms = CONTROL_STORY_WALL_MS - 1000,
		.problems = &s->problem,
		.n_problems = 1,
	};
}

static void
tell(struct control_story *s)
{
	struct actual *actual;

	tell_configuration(s);
	tell_tasks(s);
	tell_haproxy(s->w);
	s->roster = world_roster(s->w);
	tell_facts(s);
	actual = world_actual(s->w);
	actual->pid = 4711;
	actual->read_mono_ms = 499500;
	s->facts.actual = actual;
}

struct control_story *
control_story_new(void)
{
	struct control_story *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	s->w = world_new();
	tell(s);
	return s;
}

void
control_story_free(struct control_story *s)
{
	if (s == NULL)
		return;
	world_free(s->w);
	free(s);
}
