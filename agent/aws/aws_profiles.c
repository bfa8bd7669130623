/* The shared files of the SDKs: see aws_profiles.h. */
#include "config.h"

#include "aws/aws_profiles.h"

struct property {
	struct property *next;
	struct str name, value; /* name in lower case */
};

struct profile {
	struct profile *next;
	struct str name;
	bool is_prefixed; /* [profile default], which beats [default] */
	struct property *properties;
	unsigned n_properties;
};

struct aws_profiles {
	struct arena *arena;
	struct profile *first[AWS_PROFILES_N_FILES];
	unsigned n[AWS_PROFILES_N_FILES];
};

struct reading {
	struct aws_profiles *to;
	enum aws_profiles_file file;
	unsigned line;
	bool in_section;
	struct profile *profile;   /* null: a section that is passed over */
	struct property *property; /* null: none yet in this section */
	bool has_property;         /* in this section, passed over or not */
	bool is_nested;            /* the last one is empty: indented lines below it are properties of their own */
	struct err *e;
};

static enum err_code
malformed(const struct reading *r, const char *what)
{
	return err_set(r->e, ERR_PARSE, "line %u: %s", r->line, what);
}

static enum err_code
starved(const struct reading *r)
{
	return err_set(r->e, ERR_NOMEM, "line %u: %s", r->line, err_text(ERR_NOMEM));
}

static enum err_code
too_many(const struct reading *r)
{
	return err_set(r->e, ERR_LIMIT, "line %u: no more than %d profiles with %d properties each are read", r->line,
	    AWS_PROFILES_MAX, AWS_PROFILES_PROPERTIES_MAX);
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static char
lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* A comment on the line of a value begins with a blank: "#" is a byte as any other in "a#b". */
static struct str
without_comment(struct str s)
{
	for (size_t i = 1; i < s.len; i++)
		if ((s.ptr[i] == '#' || s.ptr[i] == ';') && is_blank(s.ptr[i - 1]))
			return str_first(s, i);
	return s;
}

/* ---- sections ---- */

static struct profile *
find_profile(struct profile *p, struct str name)
{
	while (p != NULL && !str_eq(p->name, name))
		p = p->next;
	return p;
}

static struct str
unquoted(struct str s)
{
	if (s.len >= 2 && s.ptr[0] == '"' && s.ptr[s.len - 1] == '"')
		return str_of(s.ptr + 1, s.len - 2);
	return s;
}

/* Empty: no profile. */
static struct str
profile_name(enum aws_profiles_file file, struct str section, bool *ret_prefixed)
{
	static const char word[] = "profile";
	struct str rest;

	*ret_prefixed = false;
	if (file == AWS_PROFILES_CREDENTIALS || str_eq(section, STR("default")))
		return unquoted(section);
	if (!str_has_prefix(section, str_from_cstr(word)))
		return STR("");
	rest = str_skip(section, sizeof(word) - 1);
	if (rest.len == 0 || !is_blank(rest.ptr[0]))
		return STR("");
	*ret_prefixed = true;
	return unquoted(str_trim(rest));
}

static enum err_code
enter_profile(struct reading *r, struct str name, bool prefixed)
{
	struct profile **first = &r->to->first[r->file], *p = find_profile(*first, name);

	if (p == NULL) {
		if (r->to->n[r->file] == AWS_PROFILES_MAX)
			return too_many(r);
		p = ARENA_NEW(r->to->arena, struct profile);
		if (p == NULL || !arena_str(r->to->arena, name, &p->name))
			return starved(r);
		p->is_prefixed = prefixed;
		p->next = *first;
		*first = p;
		r->to->n[r->file]++;
	} else if (p->is_prefixed && !prefixed) {
		return ERR_OK; /* [default] beside [profile default]: passed over */
	} else if (!p->is_prefixed && prefixed) {
		p->is_prefixed = true;
		p->properties = NULL;
		p->n_properties = 0;
	}
	r->profile = p;
	return ERR_OK;
}

static enum err_code
take_section(struct reading *r, struct str line)
{
	struct str rest, name;
	bool prefixed;
	size_t end;

	if (!str_find(line, ']', &end))
		return malformed(r, "a section without its \"]\"");
	rest = str_skip(line, end + 1);
	if (str_trim(rest).len > 0 && rest.ptr[0] != '#' && rest.ptr[0] != ';' &&
	    str_trim(without_comment(rest)).len > 0)
		return malformed(r, "something stands behind the \"]\" of a section");
	r->in_section = true;
	r->profile = NULL;
	r->property = NULL;
	r->has_property = false;
	r->is_nested = false;
	name = profile_name(r->file, str_trim(str_of(line.ptr + 1, end - 1)), &prefixed);
	return name.len > 0 ? enter_profile(r, name, prefixed) : ERR_OK;
}

/* ---- properties ---- */

static bool
copy_lower(struct arena *a, struct str s, struct str *ret)
{
	char *copy = arena_alloc(a, s.len, 1);

	if (copy == NULL)
		return false;
	for (size_t i = 0; i < s.len; i++)
		copy[i] = lower(s.ptr[i]);
	*ret = str_of(copy, s.len);
	return true;
}

static struct property *
find_property(struct property *p, struct str name)
{
	while (p != NULL && !str_eq(p->name, name))
		p = p->next;
	return p;
}

static enum err_code
set_property(struct reading *r, struct str name, struct str value)
{
	struct arena *a = r->to->arena;
	struct profile *in = r->profile;
	struct property *p;

	if (!copy_lower(a, name, &name))
		return starved(r);
	p = find_property(in->properties, name);
	if (p == NULL) {
		if (in->n_properties == AWS_PROFILES_PROPERTIES_MAX)
			return too_many(r);
		p = ARENA_NEW(a, struct property);
		if (p == NULL)
			return starved(r);
		p->name = name;
		p->next = in->properties;
		in->properties = p;
		in->n_properties++;
	}
	r->property = p;
	return arena_str(a, value, &p->value) ? ERR_OK : starved(r);
}

static enum err_code
split(const struct reading *r, struct str line, struct str *ret_name, struct str *ret_value)
{
	size_t at;

	if (!str_find(line, '=', &at))
		return malformed(r, "neither a section, nor a property with its \"=\", nor a comment");
	*ret_name = str_trim(str_first(line, at));
	*ret_value = str_trim(without_comment(str_skip(line, at + 1)));
	if (ret_name->len == 0)
		return malformed(r, "a property without a name");
	return ERR_OK;
}

static enum err_code
take_property(struct reading *r, struct str line)
{
	struct str name, value;
	enum err_code code;

	if (!r->in_section)
		return malformed(r, "a property before the first section");
	code = split(r, line, &name, &value);
	if (code != ERR_OK)
		return code;
	r->has_property = true;
	r->is_nested = value.len == 0;
	r->property = NULL;
	return r->profile != NULL ? set_property(r, name, value) : ERR_OK;
}

/* An indented line goes on with the value above it; below an empty value it is a
 * property of that property's own, of which we need none. */
static enum err_code
take_continuation(struct reading *r, struct str line)
{
	struct str name, value, both[2];
	char *joined;

	if (!r->has_property)
		return malformed(r, "an indented line without a property above it");
	if (r->is_nested)
		return split(r, line, &name, &value);
	if (r->property == NULL)
		return ERR_OK;
	both[0] = r->property->value;
	both[1] = str_trim(line);
	joined = arena_alloc(r->to->arena, both[0].len + 1 + both[1].len, 1);
	if (joined == NULL)
		return starved(r);
	memcpy(joined, both[0].ptr, both[0].len);
	joined[both[0].len] = '\n';
	memcpy(joined + both[0].len + 1, both[1].ptr, both[1].len);
	r->property->value = str_of(joined, both[0].len + 1 + both[1].len);
	return ERR_OK;
}

static enum err_code
take_line(struct reading *r, struct str line)
{
	if (str_trim(line).len == 0 || line.ptr[0] == '#' || line.ptr[0] == ';')
		return ERR_OK;
	if (is_blank(line.ptr[0]))
		return take_continuation(r, line);
	return line.ptr[0] == '[' ? take_section(r, line) : take_property(r, line);
}

/* ---- the interface ---- */

enum err_code
aws_profiles_new(struct arena *a, struct aws_profiles **ret, struct err *e)
{
	struct aws_profiles *p = ARENA_NEW(a, struct aws_profiles);

	if (p == NULL)
		return err_set(e, ERR_NOMEM, "no memory for the profiles");
	p->arena = a;
	*ret = p;
	return ERR_OK;
}

enum err_code
aws_profiles_add(struct aws_profiles *p, enum aws_profiles_file file, struct str text, struct err *e)
{
	struct reading r = { .to = p, .file = file, .e = e };
	enum err_code code = ERR_OK;
	struct str line;

	if (text.len > AWS_PROFILES_TEXT_MAX)
		return err_set(e, ERR_LIMIT, "longer than %zu bytes", AWS_PROFILES_TEXT_MAX);
	if (str_has_prefix(text, STR("\xef\xbb\xbf")))
		text = str_skip(text, 3);
	while (code == ERR_OK && str_next(&text, '\n', &line)) {
		r.line++;
		if (str_has_suffix(line, STR("\r")))
			line.len--;
		code = take_line(&r, line);
	}
	return code;
}

bool
aws_profiles_has(const struct aws_profiles *p, struct str profile)
{
	for (int i = 0; i < AWS_PROFILES_N_FILES; i++)
		if (find_profile(p->first[i], profile) != NULL)
			return true;
	return false;
}

struct str
aws_profiles_get_of(const struct aws_profiles *p, enum aws_profiles_file file, struct str profile, const char *key)
{
	const struct profile *in = find_profile(p->first[file], profile);
	const struct property *found = in != NULL ? find_property(in->properties, str_from_cstr(key)) : NULL;

	return found != NULL ? found->value : STR("");
}

struct str
aws_profiles_get(const struct aws_profiles *p, struct str profile, const char *key)
{
	struct str value = aws_profiles_get_of(p, AWS_PROFILES_CREDENTIALS, profile, key);

	return value.len > 0 ? value : aws_profiles_get_of(p, AWS_PROFILES_CONFIG, profile, key);
}
