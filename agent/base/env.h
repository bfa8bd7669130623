/* The environment as a dependency, like the clock: who needs a variable is handed
 * this, so that a test names what there is. */
#ifndef BASE_ENV_H
#define BASE_ENV_H

#include <stdbool.h>
#include <stddef.h>
#include <strings.h>

#include "base/str.h"

struct env {
	const char *(*get)(void *arg, const char *name); /* null if undefined; borrowed until the next change */
	/* The AWS region where no variable names one, by the profile (empty: the usual one), then by
	 * where we run; null: it is not known.  Borrowed until the next call.  May be null itself. */
	const char *(*region)(void *arg, struct str profile);
	bool needs_no_region; /* nobody is going to ask AWS: the configuration may be without any */
	void *arg;
};

static inline const char *
env_get(const struct env *env, const char *name)
{
	return env->get(env->arg, name);
}

static inline struct str
env_str(const struct env *env, const char *name) /* empty if undefined */
{
	return str_from_cstr(env_get(env, name));
}

/* As the AWS SDKs read a boolean: "true" in any case, and nothing else. */
static inline bool
env_is_true(const struct env *env, const char *name)
{
	const char *value = env_get(env, name);

	return value != NULL && strcasecmp(value, "true") == 0;
}

#endif
