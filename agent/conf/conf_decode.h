/*
 * From nodes to values, by tables.
 *
 * Each section is a table of keys; a key is a name, a decoder, the place it fills
 * in the section's struct, and what the decoder must know (a range, the words of
 * an enum, a shape, another table).  The struct holds its defaults beforehand; a
 * decoder that finds a fault reports it and leaves the default, so that one mistake
 * is told once and everything else is still looked at.
 */
#ifndef CONF_CONF_DECODE_H
#define CONF_CONF_DECODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/env.h"
#include "base/str.h"
#include "conf/conf.h"
#include "conf/conf_report.h"
#include "conf/conf_shape.h"
#include "conf/conf_yaml.h"

struct conf_decode {
	struct arena *arena;
	const struct env *env;
	struct conf_report report;
};

struct conf_key;

/* ret is the place that the key fills; its type is the decoder's business. */
typedef void conf_decode_fn(
    struct conf_decode *d, const struct conf_key *key, const struct conf_yaml_node *value, void *ret);

struct conf_key {
	const char *name;
	conf_decode_fn *decode;
	size_t offset;   /* in the struct of the table */
	const void *arg; /* what decode says */
};

/* Keys are decoded in the order of the table, whatever that of the text. */
struct conf_map {
	const struct conf_key *keys;
	size_t n;
	/* Another table whose keys stand among these; its struct is at also_offset in ours. */
	const struct conf_map *also;
	size_t also_offset;
	/* May be null.  Looks at the keys together; some may have been refused (conf_decode_sound). */
	void (*check)(struct conf_decode *d, const struct conf_yaml_node *map, void *obj);
};

struct conf_choice {
	const char *name;
	unsigned value;
};

struct conf_choices {
	const struct conf_choice *items;
	size_t n;
};

struct conf_span {
	int64_t min_ms, max_ms;
};

struct conf_range {
	unsigned min, max;
};

struct conf_decimals {
	unsigned decimals;
	unsigned min, max; /* times 10^decimals */
};

struct conf_address {
	bool path, abns, tcp, loopback; /* which are taken; tcp includes loopback */
	bool may_be_empty;
	const char *wants;
};

#define CONF_N(array) (sizeof(array) / sizeof((array)[0]))

/* fills: arg */
conf_decode_fn conf_decode_map;      /* the table's struct: const struct conf_map; a null leaves the defaults */
conf_decode_fn conf_decode_text;     /* struct str: const struct conf_shape */
conf_decode_fn conf_decode_list;     /* struct conf_list: const struct conf_shape of an item */
conf_decode_fn conf_decode_pairs;    /* struct conf_pairs: const struct conf_shape *[2], of name and value */
conf_decode_fn conf_decode_bool;     /* bool */
conf_decode_fn conf_decode_choice;   /* an enum: const struct conf_choices */
conf_decode_fn conf_decode_duration; /* int64_t: const struct conf_span */
conf_decode_fn conf_decode_whole;    /* unsigned: const struct conf_range */
conf_decode_fn conf_decode_percent;  /* unsigned */
conf_decode_fn conf_decode_decimal;  /* unsigned: const struct conf_decimals */
conf_decode_fn conf_decode_port;     /* uint16_t */
conf_decode_fn conf_decode_mode;     /* unsigned */
conf_decode_fn conf_decode_address;  /* struct str: const struct conf_address */

/* For decoders of their own: the text of a scalar; false if it is none, which is reported. */
bool conf_decode_scalar(
    struct conf_decode *d, const struct conf_key *key, const struct conf_yaml_node *value, struct str *ret);
/* "`KEY`: `VALUE` COMPLAINT" at the value. */
void conf_decode_refuse(
    struct conf_decode *d, const struct conf_key *key, const struct conf_yaml_node *value, const char *complaint);
/* "`KEY` must be WHAT" at the value. */
void conf_decode_wrong_kind(
    struct conf_decode *d, const struct conf_key *key, const struct conf_yaml_node *value, const char *what);
/* Where a key's value stands in map; map's own place if the key is not there. */
struct conf_where conf_decode_where(const struct conf_yaml_node *map, const char *key);
/* True: somebody wrote the key, and not as null or "". */
bool conf_decode_has(const struct conf_yaml_node *map, const char *key);
/* False: what the key says was refused, so that nothing follows from the default in its place. */
bool conf_decode_sound(const struct conf_decode *d, const struct conf_yaml_node *map, const char *key);

#endif
