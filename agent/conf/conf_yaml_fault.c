/* Faults of the text itself: see conf_yaml_fault.h. */
#include "config.h"

#include "conf/conf_yaml_fault.h"

#include <string.h>

#include "base/utf8.h"

/* What libyaml says, and what it mostly means.  Some problems are noticed far
 * behind the mistake; at_context says that its beginning is the better place. */
static const struct reading {
	const char *problem;
	bool at_context;
	const char *text;
} readings[] = {
	{ "found unexpected end of stream", true, "the quote that begins here is not closed" },
	{ "found unexpected document indicator", true, "the quote that begins here is not closed" },
	{ "could not find expected ':'", true, "a `:` is missing after the key, or the blank after the `:`" },
	{ "mapping values are not allowed in this context", false,
	    "a `:` is not expected here: the indentation is wrong, the value needs quotes, or a blank is missing after "
	    "the `:` above" },
	{ "did not find expected key", false, "the indentation does not fit the lines above" },
	{ "did not find expected '-' indicator", false, "the indentation does not fit the list above" },
	{ "block sequence entries are not allowed in this context", false, "a `-` is not expected here" },
	{ "did not find expected node content", false, "a value is missing here" },
	{ "did not find expected ',' or '}'", true, "the `{` here is not closed, or a comma is missing in it" },
	{ "did not find expected ',' or ']'", true, "the `[` here is not closed, or a comma is missing in it" },
	{ "found undefined tag handle", false,
	    "tags (`!`) are not taken here: a text that begins with `!` needs quotes" },
	{ "found unknown escape character", false, "no such escape in a double-quoted text; `\\\\` stands for `\\`" },
};

/* The character at a place, as libyaml counts: by characters, not by bytes.  Past
 * the end, where libyaml begins a line of its own, *at becomes the end. */
static struct str
char_at(struct str text, struct conf_where *at)
{
	struct conf_where now = { 1, 1 };
	struct str c;

	while (text.len > 0) {
		(void)utf8_take(&text, &c);
		if (now.line == at->line && now.column == at->column)
			return c;
		if (str_eq(c, STR("\n"))) {
			now.line++;
			now.column = 0;
		}
		now.column++;
	}
	if (at->line > now.line)
		*at = now;
	return str_of(NULL, 0);
}

static const struct reading *
find_reading(const char *problem)
{
	for (size_t i = 0; i < sizeof(readings) / sizeof(readings[0]); i++)
		if (strcmp(problem, readings[i].problem) == 0)
			return &readings[i];
	return NULL;
}

/* In a flow map or list the brace of `${` ends the text before it. */
static bool
is_variable(struct str text, struct conf_where brace)
{
	struct conf_where dollar = { .line = brace.line, .column = brace.column - 1 };

	return str_eq(char_at(text, &brace), STR("{")) && str_eq(char_at(text, &dollar), STR("$"));
}

static bool
starts_no_value(struct str c)
{
	return c.len == 1 && strchr("@`%", c.ptr[0]) != NULL;
}

void
conf_yaml_fault_syntax(struct conf_report *r, struct str text, const struct conf_yaml_fault *f)
{
	const char *problem = f->problem != NULL ? f->problem : "malformed";
	const struct reading *reading = find_reading(problem);
	struct conf_where at = f->at;
	struct str c = char_at(text, &at);

	if (str_eq(c, STR("\t")) || strstr(problem, "tab character") != NULL)
		conf_report_fault(r, at, "a tab indents here; YAML takes only blanks for that");
	else if (is_variable(text, at))
		conf_report_fault(r, at, "between { } or [ ] a text with `${...}` needs quotes");
	else if (reading != NULL)
		conf_report_fault(
		    r, reading->at_context && f->context != NULL ? f->context_at : at, "%s", reading->text);
	else if (starts_no_value(c))
		conf_report_fault(r, at, "a text that begins with `%c` needs quotes", c.ptr[0]);
	else
		conf_report_fault(r, at, "not YAML: %s", problem);
}

/* What libyaml's reader refuses, found here because it does not say where it was. */
static const char *
complaint(struct str c, bool well_formed, bool first)
{
	unsigned char byte = (unsigned char)c.ptr[0];

	if (!well_formed)
		return "the text is not UTF-8";
	if (byte == '\0')
		return "a NUL byte in the text";
	if ((byte < 0x20 && strchr("\t\n\r", byte) == NULL) || byte == 0x7f)
		return "a control character in the text";
	if (c.len == 2 && byte == 0xc2 && (unsigned char)c.ptr[1] < 0xa0 && (unsigned char)c.ptr[1] != 0x85)
		return "a control character in the text";
	if (str_eq(c, STR("\xef\xbf\xbe")) || str_eq(c, STR("\xef\xbf\xbf")))
		return "a character in the text that is none";
	if (str_eq(c, STR("\xef\xbb\xbf")) && !first)
		return "a byte order mark in the midst of the text";
	return NULL;
}

bool
conf_yaml_fault_bytes(struct conf_report *r, struct str text)
{
	struct conf_where at = { 1, 1 };
	struct str rest = text, c;

	if (text.len > CONF_TEXT_MAX) {
		conf_report_fault(r, at, "the text is longer than %zu bytes", CONF_TEXT_MAX);
		return false;
	}
	while (rest.len > 0) {
		bool first = rest.len == text.len, well_formed = utf8_take(&rest, &c);
		const char *why = complaint(c, well_formed, first);

		if (why != NULL) {
			conf_report_fault(r, at, "%s", why);
			return false;
		}
		at.column++;
		if (c.ptr[0] == '\n')
			at = (struct conf_where){ .line = at.line + 1, .column = 1 };
	}
	return true;
}
