/* Paths and queries: see control_path.h. */
#include "config.h"

#include "control/control_path.h"

static bool
hex_value(char c, unsigned *ret)
{
	if (c >= '0' && c <= '9')
		*ret = (unsigned)(c - '0');
	else if (c >= 'a' && c <= 'f')
		*ret = (unsigned)(c - 'a') + 10;
	else if (c >= 'A' && c <= 'F')
		*ret = (unsigned)(c - 'A') + 10;
	else
		return false;
	return true;
}

/* Takes the escape at the front of *s; an encoded NUL is none. */
static bool
take_escape(struct str *s, char *ret)
{
	unsigned high, low;

	if (s->len < 3 || !hex_value(s->ptr[1], &high) || !hex_value(s->ptr[2], &low))
		return false;
	if (high == 0 && low == 0)
		return false;
	*ret = (char)(high * 16 + low);
	*s = str_skip(*s, 3);
	return true;
}

/* Appends raw, decoded, to to[*at..]; the caller has seen to the room. */
static bool
decode(struct str raw, char *to, size_t *at, struct str *ret)
{
	size_t start = *at;

	while (raw.len > 0) {
		if (raw.ptr[0] == '%') {
			if (!take_escape(&raw, &to[*at]))
				return false;
		} else {
			to[*at] = raw.ptr[0];
			raw = str_skip(raw, 1);
		}
		(*at)++;
	}
	*ret = str_of(to + start, *at - start);
	return true;
}

bool
control_path_parse(struct str path, struct control_path *ret)
{
	struct str rest = str_skip(path, 1), raw, decoded;
	size_t at = 0;

	ret->n = 0;
	if (!str_has_prefix(path, STR("/")) || path.len > CONTROL_PATH_MAX)
		return false;
	while (str_next(&rest, '/', &raw)) {
		if (!decode(raw, ret->text, &at, &decoded))
			return false;
		if (ret->n < CONTROL_PATH_SEGMENTS_MAX)
			ret->segments[ret->n++] = decoded;
	}
	return true;
}

bool
control_path_matches(const char *pattern, const struct control_path *path, struct control_path_names *ret)
{
	struct str rest = str_skip(str_from_cstr(pattern), 1), want;
	size_t i = 0, names = 0;

	*ret = (struct control_path_names){ 0 };
	for (; str_next(&rest, '/', &want); i++) {
		if (i == path->n)
			return false;
		if (str_eq(want, STR("*")) && path->segments[i].len > 0 && names < CONTROL_PATH_NAMES_MAX)
			ret->s[names++] = path->segments[i];
		else if (!str_eq(want, path->segments[i]))
			return false;
	}
	return i == path->n;
}

bool
control_path_parse_query(struct str query, struct control_query *ret)
{
	struct str rest = query, piece, name;
	size_t at = 0;

	ret->n = 0;
	if (query.len > CONTROL_PATH_QUERY_MAX)
		return false;
	while (str_next(&rest, '&', &piece)) {
		if (piece.len == 0)
			continue;
		if (ret->n == CONTROL_PATH_PARAMETERS_MAX)
			return false;
		(void)str_next(&piece, '=', &name);
		if (!decode(name, ret->text, &at, &ret->parameters[ret->n].name) ||
		    !decode(piece, ret->text, &at, &ret->parameters[ret->n].value))
			return false;
		ret->n++;
	}
	return true;
}
