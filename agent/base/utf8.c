/* UTF-8: see utf8.h. */
#include "config.h"

#include "base/utf8.h"

/* Length of the character that starts with first, and the range its second byte
 * must be in: that range is what keeps out overlong forms, surrogates and values
 * past U+10FFFF (RFC 3629, section 4). */
static size_t
shape_of(unsigned char first, unsigned char *ret_low, unsigned char *ret_high)
{
	*ret_low = 0x80;
	*ret_high = 0xbf;
	if (first < 0x80)
		return 1;
	if (first >= 0xc2 && first <= 0xdf)
		return 2;
	if (first >= 0xe0 && first <= 0xef) {
		*ret_low = first == 0xe0 ? 0xa0 : 0x80;
		*ret_high = first == 0xed ? 0x9f : 0xbf;
		return 3;
	}
	if (first >= 0xf0 && first <= 0xf4) {
		*ret_low = first == 0xf0 ? 0x90 : 0x80;
		*ret_high = first == 0xf4 ? 0x8f : 0xbf;
		return 4;
	}
	return 0;
}

static bool
well_formed(struct str s, size_t len, unsigned char low, unsigned char high)
{
	if (len == 0 || len > s.len)
		return false;
	for (size_t i = 1; i < len; i++) {
		unsigned char c = (unsigned char)s.ptr[i];

		if (c < (i == 1 ? low : 0x80) || c > (i == 1 ? high : 0xbf))
			return false;
	}
	return true;
}

bool
utf8_take(struct str *s, struct str *ret_char)
{
	unsigned char low, high;
	size_t len = shape_of((unsigned char)s->ptr[0], &low, &high);
	bool ok = well_formed(*s, len, low, high);

	if (!ok)
		len = 1;
	*ret_char = str_first(*s, len);
	*s = str_skip(*s, len);
	return ok;
}

bool
utf8_is_valid(struct str s)
{
	struct str c;

	while (s.len > 0)
		if (!utf8_take(&s, &c))
			return false;
	return true;
}

bool
utf8_is_control(struct str c)
{
	const unsigned char *at = (const unsigned char *)c.ptr;

	if (c.len == 1)
		return at[0] < 0x20 || at[0] == 0x7f;
	return c.len == 2 && at[0] == 0xc2 && at[1] < 0xa0;
}
