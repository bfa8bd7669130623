/* Strict reading of JSON from AWS: see ecs_json.h. */
#include "config.h"

#include "ecs/ecs_json.h"

#include <stdio.h>

#define PATH_SIZE   120
#define TIME_MAX_S  253402300799.0 /* the end of the year 9999 */
#define MS_PER_S    1000
#define S_PER_DAY   86400
#define S_PER_HOUR  3600
#define MINUTE      60
#define FIRST_YEAR  1970
#define MARCH       3
#define DAYS_OF_ERA 146097 /* 400 years */
#define EPOCH_SHIFT 719468 /* days from 0000-03-01 to 1970-01-01 */

/* ---- where a value stands ---- */

static size_t
put_path(const struct ecs_json *at, char *path, size_t size)
{
	size_t len;
	int n;

	if (at->up == NULL)
		return 0;
	len = put_path(at->up, path, size);
	/* A key may be a label's name: anybody's text. */
	if (at->key != NULL)
		n = snprintf(path + len, size - len, "%s%s", len > 0 ? "." : "",
		    str_is_printable(str_from_cstr(at->key)) ? at->key : "?");
	else
		n = snprintf(path + len, size - len, "[%zu]", at->index);
	if (n < 0)
		return len;
	return (size_t)n < size - len ? len + (size_t)n : size - 1;
}

void
ecs_json_blame(const struct ecs_json *at, const char *key, struct err *e, const char *why)
{
	struct ecs_json member = { .up = at, .key = key };
	char path[PATH_SIZE] = "";

	(void)put_path(key != NULL ? &member : at, path, sizeof(path));
	err_fill(e, ERR_PARSE, 0, "%s: %s", path[0] != '\0' ? path : "the answer", why);
}

/* ---- the document ---- */

/* How many bytes of UTF-8 the escape at the front of s stands for; *ret_taken: its
 * own length.  What is no escape is jansson's to refuse. */
static size_t
escape_bytes(struct str s, size_t *ret_taken)
{
	uint64_t unit = 0;

	*ret_taken = 2;
	if (s.len < 6 || s.ptr[1] != 'u')
		return 1;
	*ret_taken = 6;
	for (size_t i = 2; i < 6; i++)
		unit = unit << 4 | (uint64_t)(s.ptr[i] <= '9' ? s.ptr[i] - '0' : (s.ptr[i] | 0x20) - 'a' + 10);
	if (unit < 0x80)
		return 1;
	/* Each half of a surrogate pair is two of its four bytes. */
	return unit < 0x800 || (unit >= 0xd800 && unit <= 0xdfff) ? 2 : 3;
}

/*
 * A look at the text before jansson has it: its own bound on depth is 2048 calls of
 * the parser, and again when the document is freed; nothing that AWS sends is a
 * tenth as deep as ours.  *ret_bytes is what all its strings hold together.
 */
static bool
is_shallow(struct str text, size_t *ret_bytes)
{
	size_t depth = 0, bytes = 0, taken = 1;
	bool quoted = false;

	for (size_t i = 0; i < text.len; i += taken) {
		char c = text.ptr[i];

		taken = 1;
		if (c == '"')
			quoted = !quoted;
		else if (quoted)
			bytes += c == '\\' ? escape_bytes(str_skip(text, i), &taken) : 1;
		else if (c == '{' || c == '[')
			depth++;
		else if ((c == '}' || c == ']') && depth > 0)
			depth--;
		if (depth > ECS_JSON_DEPTH_MAX)
			return false;
	}
	*ret_bytes = bytes;
	return true;
}

/* What all strings of a document hold together. */
static size_t
count_bytes(json_t *value)
{
	size_t n = 0, i;
	const char *key;
	json_t *item;

	if (json_is_string(value))
		return json_string_length(value);
	json_array_foreach(value, i, item) n += count_bytes(item);
	json_object_foreach(value, key, item) n += strlen(key) + count_bytes(item);
	return n;
}

/* jansson quotes the answer behind " near "; that may be anything, and is left out. */
static enum err_code
blame_text(const json_error_t *fault, struct err *e)
{
	const char *quote = strstr(fault->text, " near ");
	int n = quote != NULL ? (int)(quote - fault->text) : (int)strnlen(fault->text, sizeof(fault->text));

	if (json_error_code(fault) == json_error_out_of_memory)
		return err_set(e, ERR_NOMEM, "read JSON: %s", err_text(ERR_NOMEM));
	return err_set(e, ERR_PARSE, "not JSON: line %d, column %d: %.*s", fault->line, fault->column, n, fault->text);
}

enum err_code
ecs_json_load(struct str text, size_t max, json_t **ret, struct err *e)
{
	json_error_t fault;
	size_t bytes;
	json_t *doc;

	if (text.len == 0)
		return err_set(e, ERR_PARSE, "an empty answer");
	if (text.len > max)
		return err_set(e, ERR_LIMIT, "an answer of %zu bytes; at most %zu are read", text.len, max);
	if (!is_shallow(text, &bytes))
		return err_set(e, ERR_LIMIT, "JSON nested deeper than %d", ECS_JSON_DEPTH_MAX);
	doc = json_loadb(text.ptr, text.len, JSON_REJECT_DUPLICATES, &fault);
	if (doc == NULL)
		return blame_text(&fault, e);
	if (!json_is_object(doc)) {
		json_decref(doc);
		return err_set(e, ERR_PARSE, "JSON, but not an object");
	}
	/* jansson does not look whether its buffer for the text of a string could grow:
	 * without memory, "10.0.0.12" may arrive as "10.0.0.1". */
	if (count_bytes(doc) != bytes) {
		json_decref(doc);
		return err_set(e, ERR_NOMEM, "read JSON: %s", err_text(ERR_NOMEM));
	}
	*ret = doc;
	return ERR_OK;
}

void
ecs_json_drop(json_t *doc)
{
	json_decref(doc);
}

struct ecs_json
ecs_json_root(json_t *doc)
{
	return (struct ecs_json){ .value = doc };
}

/* ---- members ---- */

static json_t *
member(const struct ecs_json *o, const char *key)
{
	json_t *value = json_object_get(o->value, key);

	return json_is_null(value) ? NULL : value;
}

enum err_code
ecs_json_object(const struct ecs_json *o, const char *key, struct ecs_json *ret, struct err *e)
{
	json_t *value = member(o, key);

	if (value != NULL && !json_is_object(value))
		return ecs_json_refuse(o, key, e, "an object is wanted");
	*ret = (struct ecs_json){ .up = o, .key = key, .value = value };
	return ERR_OK;
}

enum err_code
ecs_json_list(const struct ecs_json *o, const char *key, size_t max, struct ecs_json *ret, size_t *ret_n, struct err *e)
{
	json_t *value = member(o, key);

	if (value != NULL && !json_is_array(value))
		return ecs_json_refuse(o, key, e, "a list is wanted");
	if (json_array_size(value) > max)
		return ecs_json_refuse(o, key, e, "too many elements");
	*ret = (struct ecs_json){ .up = o, .key = key, .value = value };
	*ret_n = json_array_size(value);
	return ERR_OK;
}

static struct str
text_of(const json_t *value)
{
	return str_of(json_string_value(value), json_string_length(value));
}

enum err_code
ecs_json_str(const struct ecs_json *o, const char *key, size_t max, struct str *ret, struct err *e)
{
	json_t *value = member(o, key);

	if (value == NULL)
		return ERR_OK;
	if (!json_is_string(value))
		return ecs_json_refuse(o, key, e, "a string is wanted");
	if (json_string_length(value) > max)
		return ecs_json_refuse(o, key, e, "too long");
	*ret = text_of(value);
	return ERR_OK;
}

static bool
is_word(struct str s)
{
	size_t at;

	return str_is_printable(s) && !str_find(s, ' ', &at);
}

enum err_code
ecs_json_word(const struct ecs_json *o, const char *key, size_t max, struct str *ret, struct err *e)
{
	struct str word = *ret;
	enum err_code code = ecs_json_str(o, key, max, &word, e);

	if (code != ERR_OK)
		return code;
	if (!is_word(word))
		return ecs_json_refuse(o, key, e, "blanks, or characters that no such name has");
	*ret = word;
	return ERR_OK;
}

enum err_code
ecs_json_uint(const struct ecs_json *o, const char *key, uint64_t min, uint64_t max, uint64_t *ret, struct err *e)
{
	json_t *value = member(o, key);
	json_int_t n;

	if (value == NULL)
		return ERR_OK;
	if (!json_is_integer(value))
		return ecs_json_refuse(o, key, e, "a whole number is wanted");
	n = json_integer_value(value);
	if (n < 0 || (uint64_t)n < min || (uint64_t)n > max)
		return ecs_json_refuse(o, key, e, "out of range");
	*ret = (uint64_t)n;
	return ERR_OK;
}

enum err_code
ecs_json_bool(const struct ecs_json *o, const char *key, bool *ret, struct err *e)
{
	json_t *value = member(o, key);

	if (value == NULL)
		return ERR_OK;
	if (!json_is_boolean(value))
		return ecs_json_refuse(o, key, e, "true or false is wanted");
	*ret = json_is_true(value);
	return ERR_OK;
}

/* ---- elements ---- */

enum err_code
ecs_json_item(const struct ecs_json *l, size_t i, struct ecs_json *ret, struct err *e)
{
	*ret = (struct ecs_json){ .up = l, .index = i, .value = json_array_get(l->value, i) };
	if (!json_is_object(ret->value))
		return ecs_json_refuse(ret, NULL, e, "an object is wanted");
	return ERR_OK;
}

enum err_code
ecs_json_item_word(const struct ecs_json *l, size_t i, size_t max, struct str *ret, struct err *e)
{
	struct ecs_json item = { .up = l, .index = i, .value = json_array_get(l->value, i) };
	struct str word;

	if (!json_is_string(item.value))
		return ecs_json_refuse(&item, NULL, e, "a string is wanted");
	word = text_of(item.value);
	if (word.len == 0 || word.len > max || !is_word(word))
		return ecs_json_refuse(&item, NULL, e, "empty, too long, or not a name");
	*ret = word;
	return ERR_OK;
}

/* ---- times ---- */

/* Takes exactly n digits. */
static bool
take_digits(struct str *rest, size_t n, int64_t min, int64_t max, int64_t *ret)
{
	uint64_t value;

	if (rest->len < n || !str_to_u64(str_first(*rest, n), (uint64_t)max, &value) || (int64_t)value < min)
		return false;
	*rest = str_skip(*rest, n);
	*ret = (int64_t)value;
	return true;
}

static bool
take_char(struct str *rest, const char *any_of)
{
	if (rest->len == 0 || rest->ptr[0] == '\0' || strchr(any_of, rest->ptr[0]) == NULL)
		return false;
	*rest = str_skip(*rest, 1);
	return true;
}

/* Days since 1970-01-01 by the calendar of eras of 400 years that begin in March,
 * so that the leap day is the last of its year. */
static int64_t
days_since_epoch(int64_t year, int64_t month, int64_t day)
{
	int64_t y = month < MARCH ? year - 1 : year;
	int64_t m = month < MARCH ? month + 12 - MARCH : month - MARCH;
	int64_t era = y / 400, of_era = y % 400;
	int64_t day_of_year = (153 * m + 2) / 5 + day - 1;

	return era * DAYS_OF_ERA + of_era * 365 + of_era / 4 - of_era / 100 + day_of_year - EPOCH_SHIFT;
}

static bool
take_date(struct str *rest, int64_t *ret_s)
{
	int64_t year, month, day;

	if (!take_digits(rest, 4, FIRST_YEAR, 9999, &year) || !take_char(rest, "-") ||
	    !take_digits(rest, 2, 1, 12, &month) || !take_char(rest, "-") || !take_digits(rest, 2, 1, 31, &day))
		return false;
	*ret_s = days_since_epoch(year, month, day) * S_PER_DAY;
	return true;
}

static bool
take_clock(struct str *rest, int64_t *ret_s)
{
	int64_t hour, minute, second;

	if (!take_digits(rest, 2, 0, 23, &hour) || !take_char(rest, ":") || !take_digits(rest, 2, 0, 59, &minute) ||
	    !take_char(rest, ":") || !take_digits(rest, 2, 0, 60, &second))
		return false;
	*ret_s = hour * S_PER_HOUR + minute * MINUTE + second;
	return true;
}

/* ".669000", or nothing; what is finer than a millisecond is dropped. */
static int64_t
take_fraction_ms(struct str *rest)
{
	int64_t ms = 0, digit, unit = MS_PER_S / 10;

	if (!take_char(rest, "."))
		return 0;
	while (take_digits(rest, 1, 0, 9, &digit)) {
		ms += digit * unit;
		unit /= 10;
	}
	return ms;
}

/* "Z", "+05:00" or "-0500": seconds east of Greenwich. */
static bool
take_zone(struct str *rest, int64_t *ret_s)
{
	int64_t sign = rest->len > 0 && rest->ptr[0] == '-' ? -1 : 1;
	int64_t hour, minute;

	if (take_char(rest, "Z")) {
		*ret_s = 0;
		return true;
	}
	if (!take_char(rest, "+-") || !take_digits(rest, 2, 0, 23, &hour))
		return false;
	(void)take_char(rest, ":");
	if (!take_digits(rest, 2, 0, 59, &minute))
		return false;
	*ret_s = sign * (hour * S_PER_HOUR + minute * MINUTE);
	return true;
}

static bool
parse_time(struct str text, int64_t *ret_ms)
{
	int64_t day_s, clock_s, zone_s, ms;

	if (!take_date(&text, &day_s) || !take_char(&text, "T") || !take_clock(&text, &clock_s))
		return false;
	ms = take_fraction_ms(&text);
	if (!take_zone(&text, &zone_s) || text.len > 0)
		return false;
	*ret_ms = (day_s + clock_s - zone_s) * MS_PER_S + ms;
	return true;
}

enum err_code
ecs_json_time(const struct ecs_json *o, const char *key, int64_t *ret_ms, struct err *e)
{
	json_t *value = member(o, key);
	double seconds;

	if (value == NULL)
		return ERR_OK;
	if (json_is_string(value)) {
		if (!parse_time(text_of(value), ret_ms))
			return ecs_json_refuse(o, key, e, "not a time");
		return ERR_OK;
	}
	seconds = json_number_value(value);
	if (!json_is_number(value) || !(seconds >= 0 && seconds <= TIME_MAX_S))
		return ecs_json_refuse(o, key, e, "not a time");
	*ret_ms = (int64_t)(seconds * MS_PER_S + 0.5);
	return ERR_OK;
}
