/* Borrowed strings: see str.h. */
#include "config.h"

#include "base/str.h"

int
str_cmp(struct str a, struct str b)
{
	size_t n = a.len < b.len ? a.len : b.len;
	int order = n > 0 && a.ptr != b.ptr ? memcmp(a.ptr, b.ptr, n) : 0; /* often one text, told of twice */

	if (order != 0)
		return order;
	return (a.len > b.len) - (a.len < b.len);
}

bool
str_has_prefix(struct str s, struct str prefix)
{
	return s.len >= prefix.len && str_eq(str_of(s.ptr, prefix.len), prefix);
}

bool
str_has_suffix(struct str s, struct str suffix)
{
	return s.len >= suffix.len && str_eq(str_skip(s, s.len - suffix.len), suffix);
}

struct str
str_skip(struct str s, size_t n)
{
	if (n >= s.len)
		return str_of(s.ptr, 0);
	return str_of(s.ptr + n, s.len - n);
}

struct str
str_first(struct str s, size_t n)
{
	return str_of(s.ptr, n < s.len ? n : s.len);
}

bool
str_find(struct str s, char c, size_t *ret_at)
{
	const char *hit = s.len > 0 ? memchr(s.ptr, c, s.len) : NULL;

	if (hit == NULL)
		return false;
	*ret_at = (size_t)(hit - s.ptr);
	return true;
}

struct str
str_after_last(struct str s, char c)
{
	for (size_t i = s.len; i > 0; i--)
		if (s.ptr[i - 1] == c)
			return str_skip(s, i);
	return s;
}

bool
str_next(struct str *rest, char sep, struct str *ret_field)
{
	size_t at;

	if (rest->ptr == NULL)
		return false;
	if (str_find(*rest, sep, &at)) {
		*ret_field = str_first(*rest, at);
		*rest = str_skip(*rest, at + 1);
		return true;
	}
	*ret_field = *rest;
	*rest = str_of(NULL, 0);
	return true;
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct str
str_trim(struct str s)
{
	while (s.len > 0 && is_blank(s.ptr[0]))
		s = str_skip(s, 1);
	while (s.len > 0 && is_blank(s.ptr[s.len - 1]))
		s.len--;
	return s;
}

bool
str_to_u64(struct str s, uint64_t max, uint64_t *ret)
{
	uint64_t value = 0;

	if (s.len == 0)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		uint64_t digit;

		if (s.ptr[i] < '0' || s.ptr[i] > '9')
			return false;
		digit = (uint64_t)(s.ptr[i] - '0');
		if (digit > max || value > (max - digit) / 10)
			return false;
		value = value * 10 + digit;
	}
	*ret = value;
	return true;
}

void
str_put_hex(const void *bytes, size_t n, char *ret)
{
	static const char digits[] = "0123456789abcdef";
	const uint8_t *from = bytes;

	for (size_t i = 0; i < n; i++) {
		ret[2 * i] = digits[from[i] >> 4];
		ret[2 * i + 1] = digits[from[i] & 15];
	}
}

bool
str_is_printable(struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.ptr[i] < 0x20 || s.ptr[i] > 0x7e)
			return false;
	return true;
}

/* Iterative, with one point to fall back to: linear in practice, never worse
 * than len(pattern) * len(s), so that a hostile pattern costs nothing. */
bool
str_glob(struct str pattern, struct str s)
{
	size_t p = 0, i = 0, star = SIZE_MAX, star_i = 0;

	while (i < s.len) {
		if (p < pattern.len && pattern.ptr[p] == '*') {
			star = p++;
			star_i = i;
		} else if (p < pattern.len && (pattern.ptr[p] == '?' || pattern.ptr[p] == s.ptr[i])) {
			p++;
			i++;
		} else if (star != SIZE_MAX) {
			p = star + 1;
			i = ++star_i;
		} else {
			return false;
		}
	}
	while (p < pattern.len && pattern.ptr[p] == '*')
		p++;
	return p == pattern.len;
}
