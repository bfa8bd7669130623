/*
 * Reading the daemon's documents.  They may come from another version: what is
 * not there, or of another type, is empty, and nothing is an error.  Pure.
 */
#ifndef CLI_CLI_JSON_H
#define CLI_CLI_JSON_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/str.h"

static inline void
cli_json_free(json_t *j)
{
	json_decref(j);
}
CLEANUP_DEFINE(json_t, cli_json_free);

/* Not JSON, or neither an object nor an array: ERR_PARSE. */
NODISCARD enum err_code cli_json_parse(struct str text, json_t **ret, struct err *e);
struct str cli_json_text(const json_t *object, const char *name);
struct str cli_json_item_text(const json_t *item);
bool cli_json_number(const json_t *object, const char *name, int64_t *ret);
int64_t cli_json_count(const json_t *object, const char *name); /* 0 if it is none */
bool cli_json_bool(const json_t *object, const char *name);
/* {"error": {"message": ...}}; empty if it is no such document. */
struct str cli_json_error(const json_t *document);

#endif
