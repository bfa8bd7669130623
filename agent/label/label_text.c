/* Texts of labels: see label_text.h. */
#include "config.h"

#include "label/label_text.h"

#include <arpa/inet.h>
#include <stdio.h>

#define HOST_MAX 253

struct label_text_quote
label_text_quote(struct str s)
{
	struct label_text_quote q;
	size_t n = 0;

	while (n < s.len && n < sizeof(q.text) - 4) {
		char c = s.ptr[n];

		q.text[n++] = c >= 0x20 && c <= 0x7e ? c : '?';
	}
	if (n < s.len) {
		memcpy(q.text + n, "...", 3);
		n += 3;
	}
	q.text[n] = '\0';
	return q;
}

bool
label_text_is_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static char
lower(char c)
{
	return (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
}

bool
label_text_same(struct str a, struct str b)
{
	return a.len == b.len && label_text_has_prefix(a, b);
}

bool
label_text_has_prefix(struct str s, struct str prefix)
{
	if (s.len < prefix.len)
		return false;
	for (size_t i = 0; i < prefix.len; i++)
		if (lower(s.ptr[i]) != lower(prefix.ptr[i]))
			return false;
	return true;
}

static bool
lower_copy(struct arena *a, struct str s, struct str *ret)
{
	char *text = arena_alloc(a, s.len + 1, 1);

	if (text == NULL)
		return false;
	for (size_t i = 0; i < s.len; i++)
		text[i] = lower(s.ptr[i]);
	*ret = str_of(text, s.len);
	return true;
}

static bool
consists_of(struct str s, const char *others)
{
	for (size_t i = 0; i < s.len; i++)
		if (!label_text_is_alnum(s.ptr[i]) && (s.ptr[i] == '\0' || strchr(others, s.ptr[i]) == NULL))
			return false;
	return true;
}

static bool
is_host_name(struct str s)
{
	struct str rest = s, part;

	if (s.len == 0 || s.len > HOST_MAX || !consists_of(s, "-_."))
		return false;
	while (str_next(&rest, '.', &part))
		if (part.len == 0)
			return false;
	return true;
}

/* As HAProxy has it in a call: in brackets.  How the address is written is the client's
 * choice; the usual form, in lower case, is taken. */
static enum err_code
take_ipv6(struct arena *a, struct str s, struct str *ret)
{
	char text[INET6_ADDRSTRLEN], usual[INET6_ADDRSTRLEN], bracketed[INET6_ADDRSTRLEN + 2];
	unsigned char bytes[16];

	if (s.len >= 2 && s.ptr[0] == '[' && s.ptr[s.len - 1] == ']')
		s = str_of(s.ptr + 1, s.len - 2);
	if (s.len == 0 || s.len >= sizeof(text) || str_find(s, '\0', &(size_t){ 0 }))
		return ERR_PARSE;
	memcpy(text, s.ptr, s.len);
	text[s.len] = '\0';
	if (inet_pton(AF_INET6, text, bytes) != 1 || inet_ntop(AF_INET6, bytes, usual, sizeof(usual)) == NULL)
		return ERR_PARSE;
	(void)snprintf(bracketed, sizeof(bracketed), "[%s]", usual);
	return arena_str(a, str_from_cstr(bracketed), ret) ? ERR_OK : ERR_NOMEM;
}

enum err_code
label_text_host(struct arena *a, struct str s, struct str *ret)
{
	if (s.len > 1 && s.ptr[s.len - 1] == '.')
		s.len--;
	if (is_host_name(s))
		return lower_copy(a, s, ret) ? ERR_OK : ERR_NOMEM;
	return take_ipv6(a, s, ret);
}

bool
label_text_path_ok(struct str s)
{
	return s.len > 0 && s.len <= LABEL_TEXT_PATH_MAX && s.ptr[0] == '/' && consists_of(s, "-._~/:@+=,!()*");
}

bool
label_text_name_ok(struct str s)
{
	return s.len > 0 && s.len <= LABEL_TEXT_NAME_MAX && consists_of(s, "_.:-");
}
