/*
 * One world for the tests of control/ and cli/, and for the fuzzer: what an
 * operator may meet on an ordinary bad day.
 *
 *   aaaa0001...  rng     in grpc as rc_1, ready
 *   aaaa0002...  rng     in grpc as rc_2, joining; the label value is not UTF-8
 *   bbbb0001...  rng     stopping, in grpc as rc_3, draining
 *   cccc0001...  rng     RUNNING, and grpc has no free slot
 *   cccc0002...  batch   not of a service; no entry selects it
 *   dddd0001...  ghost   for the backend `absent`, which HAProxy does not have
 *   eeee0001...  rng     PENDING
 *   ffff0001...  shop    in web as rc_1 and in web2 as rc_1
 * and web2/rc_2 is at an address that no task has.
 */
#ifndef TESTS_UNIT_CONTROL_STORY_H
#define TESTS_UNIT_CONTROL_STORY_H

#include "control/control_view.h"
#include "worlds.h"

#define CONTROL_STORY_WALL_MS INT64_C(1795401646123) /* 2026-11-23T02:40:46.123Z */
#define CONTROL_STORY_ID(n)   n "000000000000000000000000"
#define CONTROL_STORY_ARN(n)  "arn:aws:ecs:eu-west-1:123456789012:task/main/" CONTROL_STORY_ID(n)

struct control_story {
	struct world *w;
	struct conf conf;
	struct conf_source source;
	struct aws_caller_figures figures;
	struct creds_source_view keys;
	struct control_problem problem;
	struct taskdef_label labels[2];
	struct roster *roster;
	struct control_facts facts;
};

struct control_story *control_story_new(void); /* null: no memory */
void control_story_free(struct control_story *s);
CLEANUP_DEFINE(struct control_story, control_story_free);

#endif
