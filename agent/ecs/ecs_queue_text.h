/*
 * What is said to and by SQS and SNS about a queue of events.  Pure; answers are read as
 * strictly as those of ECS.
 */
#ifndef ECS_ECS_QUEUE_TEXT_H
#define ECS_ECS_QUEUE_TEXT_H

#include <stddef.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

#define ECS_QUEUE_ANSWER_MAX   ((size_t)12 << 20) /* ten messages of the largest */
#define ECS_QUEUE_BATCH        10                 /* messages that one call receives, or deletes */
#define ECS_QUEUE_WAIT_S       20                 /* the longest poll there is */
#define ECS_QUEUE_VISIBILITY_S 30
#define ECS_QUEUE_RETENTION_S  300 /* of a queue of our own: what is older, a sweep knows better */
#define ECS_QUEUE_URL_MAX      ((size_t)1024)
#define ECS_QUEUE_NAME_MAX     80 /* as SQS has it */

struct ecs_queue_message {
	struct str receipt, body;
};

/* "rollcall-HOST-HASH": one name for each daemon that lives beside another, and the same
 * for the next one in its place.  Of [A-Za-z0-9_-]. */
void ecs_queue_text_name(
    char ret[ECS_QUEUE_NAME_MAX + 1], struct str host, struct str state_dir, struct str source, struct str topic);

/* Bodies; check with buf_failed. */
void ecs_queue_text_create(struct buf *b, struct str name);
void ecs_queue_text_url(struct buf *b, struct str url); /* of DeleteQueue */
void ecs_queue_text_ask_arn(struct buf *b, struct str url);
/* SetQueueAttributes: our retention, and leave for the topic to send. */
void ecs_queue_text_settle(struct buf *b, struct str url, struct str arn, struct str topic);
void ecs_queue_text_receive(struct buf *b, struct str url, int wait_s);
void ecs_queue_text_delete(struct buf *b, struct str url, const struct ecs_queue_message *messages, size_t n);
void ecs_queue_text_subscribe(struct buf *b, struct str topic, struct str arn);
void ecs_queue_text_unsubscribe(struct buf *b, struct str subscription);

/* Answers; what is returned lives in a. */
NODISCARD enum err_code ecs_queue_text_read_url(struct arena *a, struct str json, struct str *ret, struct err *e);
NODISCARD enum err_code ecs_queue_text_read_arn(struct arena *a, struct str json, struct str *ret, struct err *e);
NODISCARD enum err_code ecs_queue_text_read_messages(
    struct arena *a, struct str json, struct ecs_queue_message ret[ECS_QUEUE_BATCH], size_t *ret_n, struct err *e);
NODISCARD enum err_code ecs_queue_text_read_subscription(
    struct arena *a, struct str xml, struct str *ret, struct err *e);
/* How many of a DeleteMessageBatch were not deleted. */
NODISCARD enum err_code ecs_queue_text_read_deleted(struct str json, size_t *ret_failed, struct err *e);

#endif
