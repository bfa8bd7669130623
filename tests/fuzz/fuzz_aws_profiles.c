/*
 * The shared files, and what is made of them: the config file, a 0 byte, the credentials
 * file.  Laws: no line is quoted, reading the same gives the same, what is looked up is
 * within the text, and a recipe has a name and at most its number of roles.
 */
#include "config.h"

#include <stdlib.h>

#include "aws/aws_profiles.h"
#include "aws/creds_recipe.h"
#include "fuzz.h"

static const char *
no_variable(void *arg, const char *name)
{
	(void)arg;
	return strcmp(name, "AWS_ACCESS_KEY_ID") == 0 || strcmp(name, "AWS_SECRET_ACCESS_KEY") == 0 ? "" : NULL;
}

static void
check_recipe(struct arena *a, const struct aws_profiles *p, struct str profile)
{
	const struct creds_recipe_config config = { .profile = profile };
	const struct env env = { .get = no_variable };
	struct creds_recipe r;
	struct err e = ERR_INIT;

	if (creds_recipe_make(a, &config, &env, p, &r, &e) != ERR_OK) {
		REQUIRE(e.code == ERR_CONF || e.code == ERR_NOMEM);
		REQUIRE(str_is_printable(str_from_cstr(e.msg)));
		return;
	}
	REQUIRE(r.name != NULL && r.name[0] != '\0' && r.n_roles <= CREDS_RECIPE_ROLES_MAX);
	REQUIRE(r.kind != CREDS_RECIPE_KEY || (r.key.access_key_id.len > 0 && r.key.secret.len > 0));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str credentials = str_of(data, size), config;
	struct arena *a = arena_new(AWS_PROFILES_ARENA_MAX);
	struct aws_profiles *p;
	struct err e = ERR_INIT;

	if (a == NULL || aws_profiles_new(a, &p, NULL) != ERR_OK)
		abort();
	(void)str_next(&credentials, '\0', &config);
	if (aws_profiles_add(p, AWS_PROFILES_CONFIG, config, &e) != ERR_OK ||
	    aws_profiles_add(p, AWS_PROFILES_CREDENTIALS, credentials, &e) != ERR_OK) {
		REQUIRE(e.code == ERR_PARSE || e.code == ERR_LIMIT || e.code == ERR_NOMEM);
		REQUIRE(str_is_printable(str_from_cstr(e.msg)) && strncmp(e.msg, "l", 1) == 0);
	}
	check_recipe(a, p, STR("default"));
	check_recipe(a, p, STR("a"));
	arena_wipe(a);
	return 0;
}
