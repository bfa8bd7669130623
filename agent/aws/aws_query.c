/* The body of a call to a query service: see aws_query.h. */
#include "config.h"

#include "aws/aws_query.h"

static bool
is_unreserved(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
	       c == '_' || c == '~';
}

static void
put_encoded(struct buf *out, struct str s)
{
	for (size_t i = 0; i < s.len; i++) {
		if (is_unreserved(s.ptr[i]))
			buf_put_u8(out, (uint8_t)s.ptr[i]);
		else
			buf_printf(out, "%%%02X", (unsigned)(unsigned char)s.ptr[i]);
	}
}

void
aws_query_begin(struct buf *out, const struct aws_service *to, const char *action)
{
	buf_printf(out, "Action=%s&Version=%s", action, to->version);
}

void
aws_query_put(struct buf *out, const char *name, struct str value)
{
	buf_printf(out, "&%s=", name);
	put_encoded(out, value);
}

void
aws_query_put_nth(struct buf *out, const char *name, unsigned nth, struct str value)
{
	buf_printf(out, "&%s.%u=", name, nth);
	put_encoded(out, value);
}
