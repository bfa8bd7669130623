/* Which addresses of AWS's answers are taken. */
#include "config.h"

#include <sys/socket.h>

#include "ecs/ecs_address.h"
#include "unit.h"

struct row {
	int family;
	const char *text, *taken; /* null: refused */
};

static void
check(const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct arena *a = arena_new(4096);
		struct str text = STR("before");
		struct err e = ERR_INIT;
		enum err_code code = ecs_address_read(a, rows[i].family, str_from_cstr(rows[i].text), &text, &e);

		CHECK_ROW(code == (rows[i].taken != NULL ? ERR_OK : ERR_PARSE), i, rows[i].text);
		CHECK_ROW(
		    str_eq(text, str_from_cstr(rows[i].taken != NULL ? rows[i].taken : "before")), i, rows[i].text);
		CHECK_ROW(rows[i].taken != NULL || strcmp(e.msg, ECS_ADDRESS_REFUSED) == 0, i, e.msg);
		arena_free(a);
	}
}

static void
an_address_is_one_text(void **state)
{
	static const struct row rows[] = {
		{ AF_INET, "10.0.0.1", "10.0.0.1" },
		{ AF_INET6, "FD00:0:0::0001", "fd00::1" },
		{ AF_INET6, "2001:db8:0:0:0:0:0:1", "2001:db8::1" },
		{ AF_INET, "", NULL },
		{ AF_INET, "10.0.0", NULL },
		{ AF_INET, "010.0.0.1", NULL },
		{ AF_INET, "10.0.0.1 ", NULL },
		{ AF_INET, "10.0.0.1:80", NULL },
		{ AF_INET, "fd00::1", NULL },
		{ AF_INET6, "10.0.0.1", NULL },
		{ AF_INET6, "fd00::1%eth0", NULL },
		{ AF_INET6, "[fd00::1]", NULL },
	};

	(void)state;
	check(rows, N_OF(rows));
}

/* The first and the last of each range, and their neighbours. */
static void
where_no_server_can_be_is_refused(void **state)
{
	static const struct row rows[] = {
		{ AF_INET, "0.0.0.0", NULL },
		{ AF_INET, "0.255.255.255", NULL },
		{ AF_INET, "1.0.0.0", "1.0.0.0" },
		{ AF_INET, "169.253.255.255", "169.253.255.255" },
		{ AF_INET, "169.254.0.0", NULL },
		{ AF_INET, "169.254.169.254", NULL },
		{ AF_INET, "169.254.170.2", NULL },
		{ AF_INET, "169.254.255.255", NULL },
		{ AF_INET, "169.255.0.0", "169.255.0.0" },
		{ AF_INET, "223.255.255.255", "223.255.255.255" },
		{ AF_INET, "224.0.0.0", NULL },
		{ AF_INET, "239.255.255.255", NULL },
		{ AF_INET, "240.0.0.0", "240.0.0.0" },
		{ AF_INET, "255.255.255.254", "255.255.255.254" },
		{ AF_INET, "255.255.255.255", NULL },
		{ AF_INET6, "::", NULL },
		{ AF_INET6, "::2", NULL },
		{ AF_INET6, "::169.254.169.254", NULL },
		{ AF_INET6, "::10.0.0.1", NULL },
		{ AF_INET6, "::1:0:0", "::1:0:0" },
		{ AF_INET6, "::fffe:ffff:ffff", "::fffe:ffff:ffff" },
		{ AF_INET6, "::ffff:0.0.0.0", NULL },
		{ AF_INET6, "::ffff:127.0.0.1", NULL },
		{ AF_INET6, "::ffff:a9fe:a9fe", NULL },
		{ AF_INET6, "::ffff:ffff:ffff", NULL },
		{ AF_INET6, "::1:0:0:0", "::1:0:0:0" },
		{ AF_INET6, "fd00:ec1:ffff::", "fd00:ec1:ffff::" },
		{ AF_INET6, "fd00:ec2::254", NULL },
		{ AF_INET6, "fd00:ec2:ffff:ffff:ffff:ffff:ffff:ffff", NULL },
		{ AF_INET6, "fd00:ec3::", "fd00:ec3::" },
		{ AF_INET6, "fe7f::1", "fe7f::1" },
		{ AF_INET6, "fe80::", NULL },
		{ AF_INET6, "febf:ffff::1", NULL },
		{ AF_INET6, "fec0::1", "fec0::1" },
		{ AF_INET6, "feff::1", "feff::1" },
		{ AF_INET6, "ff00::", NULL },
		{ AF_INET6, "ff02::1", NULL },
		{ AF_INET6, "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", NULL },
	};

	(void)state;
	check(rows, N_OF(rows));
}

static void
loopback_is_taken(void **state)
{
	static const struct row rows[] = {
		{ AF_INET, "127.0.0.1", "127.0.0.1" },
		{ AF_INET, "127.255.255.255", "127.255.255.255" },
		{ AF_INET6, "::1", "::1" },
	};

	(void)state;
	check(rows, N_OF(rows));
}

static void
text_with_a_nul_or_too_long_is_refused(void **state)
{
	static const char nul[] = "10.0.0.1\0.2", zeros[100] = "10.0.0.1";
	struct arena *a = arena_new(4096);
	struct str ret;

	(void)state;
	assert_int_equal(ecs_address_read(a, AF_INET, str_of(nul, sizeof(nul) - 1), &ret, NULL), ERR_PARSE);
	assert_int_equal(ecs_address_read(a, AF_INET, str_of(zeros, sizeof(zeros)), &ret, NULL), ERR_PARSE);
	arena_free(a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_address_is_one_text),
		cmocka_unit_test(where_no_server_can_be_is_refused),
		cmocka_unit_test(loopback_is_taken),
		cmocka_unit_test(text_with_a_nul_or_too_long_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
