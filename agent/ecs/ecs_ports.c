/* Ranges of ports: see ecs_ports.h. */
#include "config.h"

#include "ecs/ecs_ports.h"

#define PORT_MAX  65535
#define RANGE_MAX ((size_t)16) /* "65535-65535" is shorter */

/* "8080", or "8080-8090". */
static bool
parse_range(struct str text, uint64_t *ret_first, uint64_t *ret_n)
{
	struct str rest = text, first;
	uint64_t from, to;

	if (!str_next(&rest, '-', &first) || !str_to_u64(first, PORT_MAX, &from) || from == 0)
		return false;
	if (!str_to_u64(first.len == text.len ? first : rest, PORT_MAX, &to) || to < from)
		return false;
	*ret_first = from;
	*ret_n = to - from + 1;
	return true;
}

enum err_code
ecs_ports_read(const struct ecs_json *o, const char *key, const char *range_key, uint16_t *ret_first, uint16_t *ret_n,
    struct err *e)
{
	uint64_t first = 0, n;
	struct str range = STR("");
	enum err_code code = ecs_json_uint(o, key, 1, PORT_MAX, &first, e);

	if (code == ERR_OK)
		code = ecs_json_word(o, range_key, RANGE_MAX, &range, e);
	if (code != ERR_OK)
		return code;
	n = first != 0;
	if (n == 0 && range.len > 0 && !parse_range(range, &first, &n))
		return ecs_json_refuse(o, range_key, e, "not a range of ports");
	*ret_first = (uint16_t)first;
	*ret_n = (uint16_t)n;
	return ERR_OK;
}
