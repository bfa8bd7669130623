/* By which names a TCP door answers. */
#include "config.h"

#include "control/control_host.h"
#include "unit.h"

static void
check(const char *const *hosts, size_t n, const char *path, bool admits)
{
	for (size_t i = 0; i < n; i++)
		CHECK_ROW(control_host_admits(str_from_cstr(hosts[i]), str_from_cstr(path)) == admits, i, hosts[i]);
}

/* What an operator may call a machine, what a web page can have a browser say, and what is like an address. */
static const char *const names[] = { "haproxy-1.internal", "haproxy-1.internal:8080", "localhost.evil.example",
	"127.0.0.1.evil.example", "evil.example", "evil.example:9101", "evil.localhost", "localhos", "localhostx",
	"localhost.", "localhost:x", "localhost:80@evil.example", "localhost evil", "127.0.0.1:80:80", "127.0.0.1:x",
	"127.0.0.1x", "127.1", "0x7f.1", "2130706433", "::1", "[::1", "::1]", "[::1]x", "[::1]:x", "[::1]:80:80",
	"[::1].evil.example", "[evil.example]", "[127.0.0.1]", "[::1%25lo]", "[]", "", ":", ":80", "." };

static void
an_address_or_localhost_is_answered(void **state)
{
	static const char *const ours[] = { "127.0.0.1", "127.0.0.1:9101", "127.0.0.1:", "10.0.0.7:80", "localhost",
		"LocalHost:9101", "localhost:", "[::1]", "[::1]:9101", "[FD00::1]:80", "[::ffff:127.0.0.1]" };

	(void)state;
	check(ours, N_OF(ours), "/v1/status", true);
	check(ours, N_OF(ours), "/", true);
}

static void
any_other_name_is_not(void **state)
{
	static const char nul[] = "127.0.0.1\0.evil.example";

	(void)state;
	check(names, N_OF(names), "/v1/status", false);
	check(names, N_OF(names), "/", false);
	check(names, N_OF(names), "/metrics/", false);
	check(names, N_OF(names), "/%6detrics", false);
	assert_false(control_host_admits(str_of(nul, sizeof(nul) - 1), STR("/")));
}

static void
health_and_metrics_are_answered_by_any_name(void **state)
{
	(void)state;
	check(names, N_OF(names), "/metrics", true);
	check(names, N_OF(names), "/live", true);
	check(names, N_OF(names), "/ready", true);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_address_or_localhost_is_answered),
		cmocka_unit_test(any_other_name_is_not),
		cmocka_unit_test(health_and_metrics_are_answered_by_any_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
