/*
 * What the two files of state have in common (plan/overlay.h, plan/applied.h): text
 * that is written straight into a buffer, and read back strictly.  Pure.
 *
 * A file may have been damaged, or written by hand: names are HAProxy's, other texts
 * printable and bounded, numbers in range.  Members that are not known are left
 * alone, so that an older rollcalld can read what a newer one wrote of this version.
 */
#ifndef PLAN_PLAN_JSON_H
#define PLAN_PLAN_JSON_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "base/str.h"
#include "ecs/ecs_json.h"

#define PLAN_JSON_NAME_MAX      ((size_t)255)
#define PLAN_JSON_ARN_MAX       ((size_t)2048)
#define PLAN_JSON_CONTAINER_MAX ((size_t)255)
#define PLAN_JSON_TIME_MAX_MS   INT64_C(253402300799999) /* the end of the year 9999 */

bool plan_json_is_name(struct str s);             /* one of HAProxy's, [A-Za-z0-9_.:-], not empty */
bool plan_json_is_word(struct str s, size_t max); /* printable, no blanks; may be empty */

/* Each writes `,"key":value`, or nothing if there is nothing to say (an empty text,
 * 0, false).  Texts must be words.  A key is a literal: PLAN_JSON_KEY("task"). */
#define PLAN_JSON_KEY(name) STR(",\"" name "\":")
void plan_json_put_text(struct buf *out, struct str key, struct str text);
void plan_json_put_int(struct buf *out, struct str key, int64_t value);
void plan_json_put_bool(struct buf *out, struct str key, bool value);

/* A document of this version.  ERR_PARSE: another one. */
NODISCARD enum err_code plan_json_load(
    struct str text, size_t max, const char *what, uint64_t version, json_t **ret, struct err *e);
/* What reading such a file fails with: ERR_NOMEM or ERR_PARSE, whatever was wrong inside. */
enum err_code plan_json_refusal(enum err_code code, struct err *e);
/* Each leaves *ret alone where the member is absent. */
NODISCARD enum err_code plan_json_name(const struct ecs_json *o, const char *key, struct str *ret, struct err *e);
NODISCARD enum err_code plan_json_port(const struct ecs_json *o, const char *key, uint16_t *ret, struct err *e);
NODISCARD enum err_code plan_json_weight(const struct ecs_json *o, const char *key, unsigned *ret, struct err *e);
NODISCARD enum err_code plan_json_ms(const struct ecs_json *o, const char *key, int64_t *ret, struct err *e);
/* One of n names. */
NODISCARD enum err_code plan_json_choice(
    const struct ecs_json *o, const char *key, const char *const *names, size_t n, unsigned *ret, struct err *e);

#endif
