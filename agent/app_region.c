/* The region that nobody names: see app_region.h. */
#include "config.h"

#include "app_region.h"

#include <string.h>

#include "aws/creds_files.h"
#include "aws/creds_recipe.h"

static const char *
of_profile(struct app_region *r, struct str profile)
{
	const struct creds_recipe_config config = { .profile = profile };
	struct arena *a = arena_new(AWS_PROFILES_ARENA_MAX);
	struct aws_profiles *profiles;
	struct str region = STR("");

	r->profile[0] = '\0';
	/* A file that cannot be read is a fault of the credentials, which say so. */
	if (a != NULL && aws_profiles_new(a, &profiles, NULL) == ERR_OK &&
	    creds_files_profiles(r->env, profiles, NULL) == ERR_OK)
		region = aws_profiles_get(profiles, creds_recipe_profile(&config, r->env), "region");
	if (region.len > 0 && region.len < sizeof(r->profile)) {
		memcpy(r->profile, region.ptr, region.len);
		r->profile[region.len] = '\0';
	}
	arena_wipe(a);
	return r->profile[0] != '\0' ? r->profile : NULL;
}

static const char *
of_machine(struct app_region *r)
{
	if (!r->was_asked) {
		r->was_asked = true;
		if (machine_region_find(r->env, r->machine, NULL) != ERR_OK)
			r->machine[0] = '\0';
	}
	return r->machine[0] != '\0' ? r->machine : NULL;
}

const char *
app_region_find(void *arg, struct str profile)
{
	struct app_region *r = arg;
	const char *region = of_profile(r, profile);

	return region != NULL ? region : of_machine(r);
}

void
app_region_close(struct app_region *r)
{
	r->was_asked = true;
}
