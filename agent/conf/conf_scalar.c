/* Values as text: see conf_scalar.h. */
#include "config.h"

#include "conf/conf_scalar.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define YEAR_MS (INT64_C(365) * 24 * 3600 * 1000)
/* What fits into sockaddr_un.sun_path with its NUL, and behind the NUL that starts an abstract name. */
#define PATH_MAX_BYTES 107
#define HOST_MAX_BYTES 253

static const struct unit {
	struct str name;
	int64_t ms;
} units[] = {
	{ { "h", 1 }, 3600000 },
	{ { "m", 1 }, 60000 },
	{ { "s", 1 }, 1000 },
	{ { "ms", 2 }, 1 },
};

#define N_UNITS (sizeof(units) / sizeof(units[0]))

static size_t
leading_digits(struct str s)
{
	size_t n = 0;

	while (n < s.len && s.ptr[n] >= '0' && s.ptr[n] <= '9')
		n++;
	return n;
}

enum err_code
conf_scalar_duration(struct str s, int64_t *ret_ms, struct err *e)
{
	size_t n = leading_digits(s);
	struct str unit = str_skip(s, n);
	uint64_t count;

	if (n > 0 && unit.len == 0)
		return err_set(e, ERR_CONF, "needs a unit: ms, s, m or h");
	for (size_t i = 0; i < N_UNITS; i++) {
		if (n == 0 || !str_eq(unit, units[i].name))
			continue;
		if (!str_to_u64(str_first(s, n), (uint64_t)(YEAR_MS / units[i].ms), &count))
			return err_set(e, ERR_CONF, "is longer than a year");
		*ret_ms = (int64_t)count * units[i].ms;
		return ERR_OK;
	}
	return err_set(e, ERR_CONF, "is not a duration: a whole number and ms, s, m or h, such as 500ms or 2s");
}

void
conf_scalar_put_duration(int64_t ms, char ret[CONF_SCALAR_DURATION_SIZE])
{
	for (size_t i = 0; i < N_UNITS; i++) {
		if (ms % units[i].ms != 0 || (ms == 0 && units[i].ms != 1000))
			continue;
		(void)snprintf(ret, CONF_SCALAR_DURATION_SIZE, "%" PRId64 "%s", ms / units[i].ms, units[i].name.ptr);
		return;
	}
}

static bool
is_word(struct str s, const char *word)
{
	return s.len == strlen(word) && strncasecmp(s.ptr, word, s.len) == 0;
}

enum err_code
conf_scalar_bool(struct str s, bool *ret, struct err *e)
{
	static const char *const words[][2] = { { "false", "true" }, { "no", "yes" }, { "off", "on" } };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		for (int value = 0; value <= 1; value++) {
			if (is_word(s, words[i][value])) {
				*ret = value == 1;
				return ERR_OK;
			}
		}
	}
	return err_set(e, ERR_CONF, "is neither true (yes, on) nor false (no, off)");
}

enum err_code
conf_scalar_whole(struct str s, unsigned min, unsigned max, unsigned *ret, struct err *e)
{
	uint64_t value;

	if (!str_to_u64(s, max, &value) || value < min)
		return err_set(e, ERR_CONF, "is not a whole number from %u to %u", min, max);
	*ret = (unsigned)value;
	return ERR_OK;
}

enum err_code
conf_scalar_percent(struct str s, unsigned *ret, struct err *e)
{
	if (str_has_suffix(s, STR("%")))
		s.len--;
	if (conf_scalar_whole(s, 0, 100, ret, NULL) != ERR_OK)
		return err_set(e, ERR_CONF, "is not a whole percentage from 0%% to 100%%");
	return ERR_OK;
}

static uint64_t
power_of_ten(unsigned n)
{
	uint64_t power = 1;

	while (n-- > 0)
		power *= 10;
	return power;
}

/* ".5" and "1." are refused: the digits of both sides are there, or no point is. */
static bool
take_decimal(struct str s, unsigned decimals, uint64_t *ret)
{
	struct str whole, part = STR("0");
	uint64_t whole_value, part_value;
	bool has_point;
	size_t at;

	has_point = str_find(s, '.', &at);
	whole = has_point ? str_first(s, at) : s;
	if (has_point)
		part = str_skip(s, at + 1);
	if (part.len > decimals || !str_to_u64(whole, UINT32_MAX, &whole_value) ||
	    !str_to_u64(part, UINT32_MAX, &part_value))
		return false;
	*ret = whole_value * power_of_ten(decimals) + part_value * power_of_ten(decimals - (unsigned)part.len);
	return true;
}

enum err_code
conf_scalar_decimal(struct str s, unsigned decimals, unsigned min, unsigned max, unsigned *ret, struct err *e)
{
	double unit = (double)power_of_ten(decimals);
	uint64_t value;

	if (!take_decimal(s, decimals, &value) || value < min || value > max)
		return err_set(e, ERR_CONF, "is not a number from %.15g to %.15g with at most %u decimals", min / unit,
		    max / unit, decimals);
	*ret = (unsigned)value;
	return ERR_OK;
}

enum err_code
conf_scalar_mode(struct str s, unsigned *ret, struct err *e)
{
	unsigned mode = 0;
	bool ok = s.len == 3 || (s.len == 4 && s.ptr[0] == '0');

	for (size_t i = 0; ok && i < s.len; i++) {
		ok = s.ptr[i] >= '0' && s.ptr[i] <= '7';
		mode = mode * 8 + (unsigned)(s.ptr[i] - '0');
	}
	if (!ok)
		return err_set(e, ERR_CONF, "is not a file mode in octal, such as 0660");
	*ret = mode;
	return ERR_OK;
}

static bool
is_host_name(struct str s)
{
	bool only_digits = true;

	for (size_t i = 0; i < s.len; i++) {
		char c = s.ptr[i];
		bool digit = (c >= '0' && c <= '9') || c == '.';

		if (!digit && !(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && c != '-' && c != '_')
			return false;
		only_digits = only_digits && digit;
	}
	/* Digits and points alone would have been an IPv4 address. */
	return s.len > 0 && s.len <= HOST_MAX_BYTES && !only_digits;
}

/* In brackets IPv6; else IPv4 or a name. */
static bool
take_host(struct str host, bool in_brackets, bool *ret_loopback)
{
	char cstr[INET6_ADDRSTRLEN] = "";
	struct in6_addr v6;
	struct in_addr v4;

	*ret_loopback = false;
	if (host.len < sizeof(cstr))
		memcpy(cstr, host.ptr, host.len);
	if (in_brackets) {
		if (inet_pton(AF_INET6, cstr, &v6) != 1)
			return false;
		*ret_loopback = memcmp(&v6, &in6addr_loopback, sizeof(v6)) == 0;
		return true;
	}
	if (inet_pton(AF_INET, cstr, &v4) == 1) {
		*ret_loopback = (ntohl(v4.s_addr) >> 24) == 127;
		return true;
	}
	return is_host_name(host);
}

static bool
take_tcp(struct str s, struct conf_scalar_address *ret)
{
	struct str port = str_after_last(s, ':'), host;
	bool in_brackets = str_has_prefix(s, STR("[")), loopback;
	uint64_t number;

	if (port.len == s.len || !str_to_u64(port, UINT16_MAX, &number) || number == 0)
		return false;
	host = str_first(s, s.len - port.len - 1);
	if (in_brackets) {
		if (!str_has_suffix(host, STR("]")))
			return false;
		host = str_skip(str_first(host, host.len - 1), 1);
	}
	if (host.len == 0 || !take_host(host, in_brackets, &loopback))
		return false;
	*ret = (struct conf_scalar_address){
		.kind = loopback ? CONF_SCALAR_LOOPBACK : CONF_SCALAR_TCP,
		.host = host,
		.port = (uint16_t)number,
	};
	return true;
}

bool
conf_scalar_address(struct str s, struct conf_scalar_address *ret)
{
	static const char abns[] = "abns@";
	bool is_path = str_has_prefix(s, STR("/"));
	struct str name = s;

	if (!is_path && !str_has_prefix(s, str_from_cstr(abns)))
		return take_tcp(s, ret);
	if (!is_path)
		name = str_skip(s, sizeof(abns) - 1);
	if (name.len == 0 || name.len > PATH_MAX_BYTES || str_has_suffix(name, STR("/")))
		return false;
	*ret = (struct conf_scalar_address){ .kind = is_path ? CONF_SCALAR_PATH : CONF_SCALAR_ABNS, .name = name };
	return true;
}
