/*
 * Which credentials a source is meant to use, decided in the SDKs' order: the
 * configuration's key; else the environment, the profile, web identity, the container
 * endpoint, the instance; and the roles to assume on top.  Pure: what the environment
 * and the shared files say goes in, what to fetch comes out (facts/ecs.md, section 3,
 * "Chain order").
 */
#ifndef AWS_CREDS_RECIPE_H
#define AWS_CREDS_RECIPE_H

#include <stdbool.h>

#include "aws/aws_profiles.h"
#include "aws/sigv4.h"
#include "base/arena.h"
#include "base/env.h"
#include "base/err.h"
#include "base/str.h"

#define CREDS_RECIPE_ROLES_MAX 5

/* What one `ecs` source of the configuration says; borrowed. */
struct creds_recipe_config {
	struct str access_key_id, secret_access_key, session_token;
	struct str profile, role_arn, external_id;
};

enum creds_recipe_kind {
	CREDS_RECIPE_KEY,          /* it is in the recipe */
	CREDS_RECIPE_WEB_IDENTITY, /* sts:AssumeRoleWithWebIdentity, unsigned */
	CREDS_RECIPE_CONTAINER,    /* AWS_CONTAINER_CREDENTIALS_*_URI */
	CREDS_RECIPE_INSTANCE      /* IMDS */
};

struct creds_recipe_role {
	struct str arn, session_name, external_id; /* external_id may be empty */
	unsigned duration_s;                       /* 0: what AWS takes by itself */
};

struct creds_recipe {
	enum creds_recipe_kind kind;
	struct sigv4_key key;
	struct creds_recipe_role web_identity;
	struct str token_file;
	struct creds_recipe_role roles[CREDS_RECIPE_ROLES_MAX]; /* in the order in which they are assumed */
	size_t n_roles;
	const char *base_name; /* "configuration", "environment", "profile NAME", "container", "instance" */
	const char *name;      /* "role ARN by profile NAME"; base_name where no role is assumed */
};

/* Of the files only AWS_PROFILE (or `default`) and what it points to is looked at.
 * *ret borrows from config, env and profiles, else lives in a: end it with arena_wipe.
 * ERR_CONF says what is wrong, or where a key was looked for in vain. */
NODISCARD enum err_code creds_recipe_make(struct arena *a, const struct creds_recipe_config *config,
    const struct env *env, const struct aws_profiles *profiles, struct creds_recipe *ret, struct err *e);
/* False: what is in the files does not matter, nor that they are malformed. */
bool creds_recipe_needs_profiles(const struct creds_recipe_config *config, const struct env *env);
/* The profile whose region counts: the configuration's, AWS_PROFILE's, or `default`. */
struct str creds_recipe_profile(const struct creds_recipe_config *config, const struct env *env);

#endif
