/*
 * What a configuration is told: faults and warnings, kept in the order of the
 * text however the checks come upon them.  The rest of the room never prints and
 * never stops at the first fault; it reports here and goes on.
 */
#ifndef CONF_CONF_REPORT_H
#define CONF_CONF_REPORT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/cleanup.h"
#include "base/str.h"
#include "conf/conf.h"

struct conf_report_list {
	struct conf_note *notes; /* the first CONF_NOTES_MAX by place */
	size_t n;
	size_t total; /* with those for which there was no room */
};

struct conf_report {
	struct arena *arena;
	struct conf_report_list faults, warnings;
	bool starved; /* the arena refused: the value is not to be used */
};

/* The same text at the same place is reported once. */
void conf_report_fault(struct conf_report *r, struct conf_where at, const char *fmt, ...) PRINTF_LIKE(3, 4);
void conf_report_warning(struct conf_report *r, struct conf_where at, const char *fmt, ...) PRINTF_LIKE(3, 4);
bool conf_report_has_fault(const struct conf_report *r, struct conf_where at);
struct conf_notes conf_report_notes(const struct conf_report_list *list);

/*
 * A piece of the operator's text as a message shows it: up to the first blank or
 * control character, and not at length.  Where a colon lacks its blank, YAML takes
 * the next line, a secret perhaps, for a part of the value; so the rest of it is
 * never shown.
 */
struct conf_report_quote {
	char text[64];
};
struct conf_report_quote conf_report_quote(struct str s);
/* The same for what stands where a key should: ends at the first character that no key has. */
struct conf_report_quote conf_report_quote_key(struct str s);

#endif
