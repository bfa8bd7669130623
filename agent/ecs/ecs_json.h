/*
 * Strict reading of JSON from AWS.  Pure.
 *
 * A value knows where it stands in its document, so that a refusal names the
 * place: "tasks[3].containers[0].name: too long".  Members that are absent or
 * null leave *ret alone; members of the wrong type are ERR_PARSE.  Strings borrow
 * the document.
 */
#ifndef ECS_ECS_JSON_H
#define ECS_ECS_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/str.h"

#define ECS_JSON_DEPTH_MAX 32

struct ecs_json {
	const struct ecs_json *up; /* null: this is the document */
	const char *key;           /* our name in up, an object; null: up is a list ... */
	size_t index;              /* ... and this is our place in it */
	json_t *value;             /* borrowed; null: absent */
};

/* Refuses what is longer than max, deeper than ECS_JSON_DEPTH_MAX, has a key twice
 * or a NUL in a string, or is not an object. */
NODISCARD enum err_code ecs_json_load(struct str text, size_t max, json_t **ret, struct err *e);
void ecs_json_drop(json_t *doc); /* null is fine */
CLEANUP_DEFINE(json_t, ecs_json_drop);
struct ecs_json ecs_json_root(json_t *doc);

/* Each takes a member of the object o.  *ret borrows o. */
NODISCARD enum err_code ecs_json_object(const struct ecs_json *o, const char *key, struct ecs_json *ret, struct err *e);
/* Its length is *ret_n, at most max; 0 if it is absent. */
NODISCARD enum err_code ecs_json_list(
    const struct ecs_json *o, const char *key, size_t max, struct ecs_json *ret, size_t *ret_n, struct err *e);
NODISCARD enum err_code ecs_json_str(
    const struct ecs_json *o, const char *key, size_t max, struct str *ret, struct err *e);
/* A str of printable ASCII without blanks. */
NODISCARD enum err_code ecs_json_word(
    const struct ecs_json *o, const char *key, size_t max, struct str *ret, struct err *e);
NODISCARD enum err_code ecs_json_uint(
    const struct ecs_json *o, const char *key, uint64_t min, uint64_t max, uint64_t *ret, struct err *e);
NODISCARD enum err_code ecs_json_bool(const struct ecs_json *o, const char *key, bool *ret, struct err *e);
/* Unix time in ms, from seconds as a number (the API) or ISO 8601 text (events, the command line). */
NODISCARD enum err_code ecs_json_time(const struct ecs_json *o, const char *key, int64_t *ret_ms, struct err *e);

/* Elements of the list l: an object, or a word. */
NODISCARD enum err_code ecs_json_item(const struct ecs_json *l, size_t i, struct ecs_json *ret, struct err *e);
NODISCARD enum err_code ecs_json_item_word(
    const struct ecs_json *l, size_t i, size_t max, struct str *ret, struct err *e);

/* ERR_PARSE, and *e says where and why.  key: the member of at that is meant, or null. */
#define ecs_json_refuse(at, key, e, why) (ecs_json_blame((at), (key), (e), (why)), ERR_PARSE)
void ecs_json_blame(const struct ecs_json *at, const char *key, struct err *e, const char *why);

#endif
