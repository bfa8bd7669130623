/* The environment as a dependency, like the clock: who needs a variable is handed
 * this, so that a test names what there is. */
#ifndef BASE_ENV_H
#define BASE_ENV_H

struct env {
	const char *(*get)(void *arg, const char *name); /* null if undefined; borrowed until the next change */
	void *arg;
};

static inline const char *
env_get(const struct env *env, const char *name)
{
	return env->get(env->arg, name);
}

#endif
