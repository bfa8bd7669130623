/* What HAProxy's master process answers: see hap_master_text.h. */
#include "config.h"

#include "hap/hap_master_text.h"

#define SHOWN_MAX 150 /* of HAProxy's words in an error */

/* "10774           master          4 [failed: 1]   0d00h00m07s     2.6.12" */
static bool
take_master_line(struct str line, struct hap_master_proc *ret)
{
	struct str word, rest = line, words[5];
	size_t n = 0;

	while (n < 5 && str_next(&rest, ' ', &word))
		if (word.len > 0)
			words[n++] = word;
	if (n < 5 || !str_eq(words[1], STR("master")) || !str_eq(words[3], STR("[failed:")) ||
	    !str_has_suffix(words[4], STR("]")))
		return false;
	return str_to_u64(words[2], UINT64_MAX, &ret->reloads) &&
	       str_to_u64(str_first(words[4], words[4].len - 1), UINT64_MAX, &ret->failed);
}

bool
hap_master_text_proc(struct str reply, struct hap_master_proc *ret)
{
	struct str rest = reply, line;

	while (str_next(&rest, '\n', &line))
		if (take_master_line(line, ret))
			return true;
	return false;
}

static void
put_printable(struct str s, char *ret, size_t size)
{
	size_t n = s.len < size - 1 ? s.len : size - 1;

	for (size_t i = 0; i < n; i++)
		ret[i] = s.ptr[i] >= 0x20 && s.ptr[i] <= 0x7e ? s.ptr[i] : '?';
	ret[n] = '\0';
}

/* "[ALERT]    (10823) : config : [/b.cfg:7] : ..." without its first words. */
static struct str
without_level(struct str line)
{
	size_t at;

	if (str_find(line, ')', &at) && str_has_prefix(str_skip(line, at), STR(") : ")))
		line = str_skip(line, at + 4);
	return str_has_prefix(line, STR("config : ")) ? str_skip(line, 9) : line;
}

/* The first alert says what is wrong; those after it say that something was. */
static struct str
find_reason(struct str log)
{
	struct str rest = log, line, first = STR("");

	while (str_next(&rest, '\n', &line)) {
		line = str_trim(line);
		if (str_has_prefix(line, STR("[ALERT]")))
			return without_level(line);
		if (first.len == 0 && str_has_prefix(line, STR("[WARNING]")))
			first = without_level(line);
	}
	return first;
}

enum hap_master_verdict
hap_master_text_reload(struct str reply, struct err *e)
{
	struct str text = str_trim(reply), log = text;
	char shown[SHOWN_MAX + 1];
	size_t at;

	/* After a `prompt` of somebody's configuration; harmless otherwise. */
	if (str_has_prefix(text, STR("master")) && str_find(text, '>', &at))
		text = log = str_trim(str_skip(text, at + 1));
	if (text.len == 0)
		return HAP_MASTER_SILENT;
	if (str_has_prefix(text, STR("Success=1")))
		return HAP_MASTER_LOADED;
	if (str_has_prefix(text, STR("Success=0"))) {
		put_printable(find_reason(str_skip(log, 9)), shown, sizeof(shown));
		err_fill(e, ERR_REFUSED, 0, "%s", shown[0] != '\0' ? shown : "it does not say why: see its log");
		return HAP_MASTER_FAILED;
	}
	put_printable(str_find(text, '\n', &at) ? str_first(text, at) : text, shown, sizeof(shown));
	err_fill(e, ERR_PARSE, 0, "it answers `reload` with `%s`", shown);
	return HAP_MASTER_STRANGE;
}
