/* Which credentials a source is meant to use: see creds_recipe.h. */
#include "config.h"

#include "aws/creds_recipe.h"

#include "base/buf.h"

#define SESSION_NAME   "rollcall"
#define NAME_MAX_BYTES ((size_t)8192)
#define SHOWN_MAX      60 /* of a profile's name, in a message */

struct making {
	struct arena *arena;
	const struct creds_recipe_config *config;
	const struct env *env;
	const struct aws_profiles *profiles;
	struct creds_recipe *ret;
	struct str visited[CREDS_RECIPE_ROLES_MAX]; /* profiles whose roles we are on the way to */
	size_t n_visited;
	struct err *e;
};

static struct str
of_profile(const struct making *m, struct str profile, const char *key)
{
	return aws_profiles_get(m->profiles, profile, key);
}

static struct str
shown(struct str profile)
{
	return str_is_printable(profile) ? str_first(profile, SHOWN_MAX) : STR("(not printable)");
}

#define refuse(m, profile, ...) refuse_as((m), (profile), STR(__VA_ARGS__))

static enum err_code
refuse_as(const struct making *m, struct str profile, struct str why)
{
	return err_set(m->e, ERR_CONF, "profile `" STR_FMT "`: " STR_FMT, STR_ARG(shown(profile)), STR_ARG(why));
}

static enum err_code
starved(const struct making *m)
{
	return err_set(m->e, ERR_NOMEM, "no memory to look for the AWS key");
}

static const char *
name_profile(const struct making *m, struct str profile)
{
	static const char word[] = "profile ";
	char *name = arena_alloc(m->arena, sizeof(word) + profile.len, 1);

	if (name == NULL)
		return NULL;
	memcpy(name, word, sizeof(word) - 1);
	memcpy(name + sizeof(word) - 1, profile.ptr, profile.len);
	return name;
}

/* ---- the base: the first key of all ---- */

static void
use_key(struct making *m, struct str id, struct str secret, struct str token, const char *name)
{
	m->ret->kind = CREDS_RECIPE_KEY;
	m->ret->key = (struct sigv4_key){ id, secret, token };
	m->ret->base_name = name;
}

static void
use_endpoint(struct making *m, enum creds_recipe_kind kind, const char *name)
{
	m->ret->kind = kind;
	m->ret->base_name = name;
}

static bool
has_container(const struct making *m)
{
	return env_str(m->env, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI").len > 0 ||
	       env_str(m->env, "AWS_CONTAINER_CREDENTIALS_FULL_URI").len > 0;
}

/* *ret_found false: the environment has no key. */
static enum err_code
use_environment(struct making *m, bool *ret_found)
{
	struct str id = env_str(m->env, "AWS_ACCESS_KEY_ID");
	struct str secret = env_str(m->env, "AWS_SECRET_ACCESS_KEY");

	*ret_found = id.len > 0 || secret.len > 0;
	if (id.len == 0 && secret.len > 0)
		return err_set(m->e, ERR_CONF, "AWS_SECRET_ACCESS_KEY is set, AWS_ACCESS_KEY_ID is not");
	if (secret.len == 0 && id.len > 0)
		return err_set(m->e, ERR_CONF, "AWS_ACCESS_KEY_ID is set, AWS_SECRET_ACCESS_KEY is not");
	if (*ret_found)
		use_key(m, id, secret, env_str(m->env, "AWS_SESSION_TOKEN"), "environment");
	return ERR_OK;
}

static bool
has_key(const struct making *m, struct str profile)
{
	return of_profile(m, profile, "aws_access_key_id").len > 0 ||
	       of_profile(m, profile, "aws_secret_access_key").len > 0;
}

static enum err_code
use_profile_key(struct making *m, struct str profile)
{
	struct str id = of_profile(m, profile, "aws_access_key_id");
	struct str secret = of_profile(m, profile, "aws_secret_access_key");
	const char *name = name_profile(m, profile);

	if (name == NULL)
		return starved(m);
	if (id.len == 0)
		return refuse(m, profile, "aws_secret_access_key without aws_access_key_id");
	if (secret.len == 0)
		return refuse(m, profile, "aws_access_key_id without aws_secret_access_key");
	use_key(m, id, secret, of_profile(m, profile, "aws_session_token"), name);
	return ERR_OK;
}

/* ---- roles ---- */

static bool
is_name_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c != '\0' && strchr("_+=,.@-", c) != NULL);
}

/* RoleSessionName's pattern in STS's model. */
static bool
is_session_name(struct str s)
{
	for (size_t i = 0; i < s.len; i++)
		if (!is_name_char(s.ptr[i]))
			return false;
	return s.len >= 2 && s.len <= 64;
}

static bool
is_role_arn(struct str s)
{
	return str_has_prefix(s, STR("arn:")) && s.len >= 20 && s.len <= 2048 && str_is_printable(s) &&
	       memchr(s.ptr, ' ', s.len) == NULL;
}

static enum err_code
fill_role(const struct making *m, struct str profile, struct creds_recipe_role *ret)
{
	struct str duration = of_profile(m, profile, "duration_seconds");
	struct str session = of_profile(m, profile, "role_session_name");
	uint64_t seconds = 0;

	ret->arn = of_profile(m, profile, "role_arn");
	ret->external_id = of_profile(m, profile, "external_id");
	ret->session_name = session.len > 0 ? session : STR(SESSION_NAME);
	if (!is_role_arn(ret->arn))
		return refuse(m, profile, "its role_arn is no ARN");
	if (!is_session_name(ret->session_name))
		return refuse(m, profile, "its role_session_name is not 2 to 64 of a-z A-Z 0-9 _ + = , . @ -");
	if (duration.len > 0 && (!str_to_u64(duration, 43200, &seconds) || seconds < 900))
		return refuse(m, profile, "its duration_seconds is not from 900 to 43200");
	ret->duration_s = (unsigned)seconds;
	return ERR_OK;
}

static bool
assumes_role(const struct making *m, struct str profile)
{
	return of_profile(m, profile, "role_arn").len > 0 && of_profile(m, profile, "web_identity_token_file").len == 0;
}

static enum err_code
push_role(struct making *m, struct str profile)
{
	if (of_profile(m, profile, "mfa_serial").len > 0)
		return refuse(m, profile, "it has mfa_serial: a daemon has no one to ask for a code; use another role");
	if (m->n_visited == CREDS_RECIPE_ROLES_MAX)
		return refuse(m, profile, "more than 5 roles, one assumed by another");
	m->visited[m->n_visited++] = profile;
	return fill_role(m, profile, &m->ret->roles[m->ret->n_roles++]);
}

static bool
was_visited(const struct making *m, struct str profile)
{
	for (size_t i = 0; i < m->n_visited; i++)
		if (str_eq(m->visited[i], profile))
			return true;
	return false;
}

static enum err_code
use_credential_source(struct making *m, struct str profile, struct str source)
{
	bool found;
	enum err_code code;

	if (str_eq(source, STR("EcsContainer"))) {
		if (!has_container(m))
			return refuse(m, profile,
			    "credential_source is EcsContainer, and AWS_CONTAINER_CREDENTIALS_RELATIVE_URI is not set");
		use_endpoint(m, CREDS_RECIPE_CONTAINER, "container");
		return ERR_OK;
	}
	if (str_eq(source, STR("Ec2InstanceMetadata"))) {
		use_endpoint(m, CREDS_RECIPE_INSTANCE, "instance");
		return ERR_OK;
	}
	if (!str_eq(source, STR("Environment")))
		return refuse(
		    m, profile, "its credential_source is none of Environment, EcsContainer, Ec2InstanceMetadata");
	code = use_environment(m, &found);
	if (code == ERR_OK && !found)
		return refuse(m, profile, "credential_source is Environment, and AWS_ACCESS_KEY_ID is not set");
	return code;
}

/* *ret_next: the profile whose key assumes the role of this one; empty: the base is known. */
static enum err_code
step_role(struct making *m, struct str profile, struct str *ret_next)
{
	struct str from = of_profile(m, profile, "source_profile"), at = of_profile(m, profile, "credential_source");
	enum err_code code;

	*ret_next = STR("");
	if (from.len > 0 && at.len > 0)
		return refuse(m, profile, "source_profile and credential_source are both given: it takes one of them");
	if (from.len == 0 && at.len == 0)
		return refuse(m, profile, "role_arn needs source_profile or credential_source beside it");
	code = push_role(m, profile);
	if (code != ERR_OK)
		return code;
	if (at.len > 0)
		return use_credential_source(m, profile, at);
	if (str_eq(from, profile))
		return has_key(m, profile)
			   ? use_profile_key(m, profile)
			   : refuse(m, profile, "it is its own source_profile, and has no key of its own");
	if (!aws_profiles_has(m->profiles, from))
		return refuse(m, from, "no such profile, and a source_profile names it");
	if (was_visited(m, from))
		return refuse(m, profile, "its source_profile leads back to it");
	*ret_next = from;
	return ERR_OK;
}

/* ---- a profile without a role ---- */

static enum err_code
use_web_identity(struct making *m, struct str token_file, struct creds_recipe_role role, const char *name)
{
	struct creds_recipe *r = m->ret;

	r->kind = CREDS_RECIPE_WEB_IDENTITY;
	r->token_file = token_file;
	r->web_identity = role;
	r->base_name = name;
	return ERR_OK;
}

static enum err_code
use_profile_web_identity(struct making *m, struct str profile)
{
	struct creds_recipe_role role;
	enum err_code code;

	if (of_profile(m, profile, "role_arn").len == 0)
		return refuse(m, profile, "web_identity_token_file needs role_arn beside it");
	code = fill_role(m, profile, &role);
	if (code != ERR_OK)
		return code;
	return use_web_identity(m, of_profile(m, profile, "web_identity_token_file"), role, "web identity");
}

/* What a profile holds besides roles; *ret_found false: nothing. */
static enum err_code
use_profile(struct making *m, struct str profile, bool *ret_found)
{
	bool shared_key =
	    aws_profiles_get_of(m->profiles, AWS_PROFILES_CREDENTIALS, profile, "aws_access_key_id").len > 0;

	*ret_found = true;
	if (of_profile(m, profile, "web_identity_token_file").len > 0)
		return use_profile_web_identity(m, profile);
	if (of_profile(m, profile, "sso_account_id").len > 0 || of_profile(m, profile, "sso_role_name").len > 0)
		return refuse(m, profile, "it signs in by SSO, which a daemon cannot; use a role or a key");
	if (!shared_key && of_profile(m, profile, "credential_process").len > 0)
		return refuse(m, profile,
		    "it has credential_process: not part of this version; use a role, a key, or another profile");
	if (has_key(m, profile))
		return use_profile_key(m, profile);
	*ret_found = false;
	return ERR_OK;
}

/* From the profile whose role is wanted to the key that assumes the first of them. */
static enum err_code
follow_roles(struct making *m, struct str profile)
{
	enum err_code code = ERR_OK;
	bool found = true;

	while (code == ERR_OK && profile.len > 0) {
		bool by_role = assumes_role(m, profile) && (m->n_visited == 0 || !has_key(m, profile));

		if (by_role) {
			code = step_role(m, profile, &profile);
			continue;
		}
		code = use_profile(m, profile, &found);
		if (code == ERR_OK && !found)
			return refuse(m, profile, "it has no key, and a source_profile names it");
		profile = STR("");
	}
	return code;
}

/* ---- the chain ---- */

static enum err_code
use_env_web_identity(struct making *m)
{
	struct str session = env_str(m->env, "AWS_ROLE_SESSION_NAME");
	struct creds_recipe_role role = {
		.arn = env_str(m->env, "AWS_ROLE_ARN"),
		.session_name = session.len > 0 ? session : STR(SESSION_NAME),
		.external_id = STR(""),
	};

	if (role.arn.len == 0)
		return err_set(m->e, ERR_CONF, "AWS_WEB_IDENTITY_TOKEN_FILE is set, AWS_ROLE_ARN is not");
	if (!is_role_arn(role.arn))
		return err_set(m->e, ERR_CONF, "AWS_ROLE_ARN holds no ARN");
	if (!is_session_name(role.session_name))
		return err_set(m->e, ERR_CONF, "AWS_ROLE_SESSION_NAME is not 2 to 64 of a-z A-Z 0-9 _ + = , . @ -");
	return use_web_identity(m, env_str(m->env, "AWS_WEB_IDENTITY_TOKEN_FILE"), role, "web identity");
}

/* What is left when neither environment nor files have anything. */
static enum err_code
use_machine(struct making *m)
{
	if (has_container(m)) {
		use_endpoint(m, CREDS_RECIPE_CONTAINER, "container");
		return ERR_OK;
	}
	if (env_is_true(m->env, "AWS_EC2_METADATA_DISABLED"))
		return err_set(m->e, ERR_CONF,
		    "no AWS key: not in the configuration, AWS_ACCESS_KEY_ID or a profile; no web identity, no "
		    "container "
		    "endpoint, and AWS_EC2_METADATA_DISABLED is set");
	use_endpoint(m, CREDS_RECIPE_INSTANCE, "instance");
	return ERR_OK;
}

static enum err_code
use_chain(struct making *m)
{
	struct str profile = creds_recipe_profile(m->config, m->env);
	bool by_environment = m->config->profile.len == 0, found = false;
	enum err_code code = by_environment ? use_environment(m, &found) : ERR_OK;

	if (code != ERR_OK || found)
		return code;
	if (!aws_profiles_has(m->profiles, profile) && !str_eq(profile, STR("default")))
		return refuse(m, profile, "no such profile in the shared config and credentials files");
	if (assumes_role(m, profile))
		return follow_roles(m, profile);
	if (by_environment && env_str(m->env, "AWS_WEB_IDENTITY_TOKEN_FILE").len > 0)
		return use_env_web_identity(m);
	code = use_profile(m, profile, &found);
	return code == ERR_OK && !found ? use_machine(m) : code;
}

/* ---- the whole ---- */

/* They were found from the last to the first. */
static void
reverse_roles(struct creds_recipe *r)
{
	for (size_t i = 0; i < r->n_roles / 2; i++) {
		struct creds_recipe_role other = r->roles[i];

		r->roles[i] = r->roles[r->n_roles - 1 - i];
		r->roles[r->n_roles - 1 - i] = other;
	}
}

static enum err_code
add_configured_role(struct making *m)
{
	struct creds_recipe *r = m->ret;

	if (m->config->role_arn.len == 0)
		return ERR_OK;
	if (r->n_roles == CREDS_RECIPE_ROLES_MAX)
		return err_set(m->e, ERR_CONF, "more than %d roles, one assumed by another", CREDS_RECIPE_ROLES_MAX);
	r->roles[r->n_roles++] = (struct creds_recipe_role){
		.arn = m->config->role_arn,
		.session_name = STR(SESSION_NAME),
		.external_id = m->config->external_id,
	};
	return ERR_OK;
}

/* "role B by role A by profile x" */
static enum err_code
name_whole(struct making *m)
{
	struct creds_recipe *r = m->ret;
	struct buf name = buf_make(NAME_MAX_BYTES);

	for (size_t i = r->n_roles; i-- > 0;)
		buf_printf(&name, "role " STR_FMT " by ", STR_ARG(r->roles[i].arn));
	if (r->kind == CREDS_RECIPE_WEB_IDENTITY)
		buf_printf(&name, "role " STR_FMT " by ", STR_ARG(r->web_identity.arn));
	buf_put(&name, str_from_cstr(r->base_name));
	r->name = buf_failed(&name, NULL) == ERR_OK ? arena_strdup(m->arena, buf_str(&name)) : r->base_name;
	buf_free(&name);
	return r->name != NULL ? ERR_OK : starved(m);
}

enum err_code
creds_recipe_make(struct arena *a, const struct creds_recipe_config *config, const struct env *env,
    const struct aws_profiles *profiles, struct creds_recipe *ret, struct err *e)
{
	struct creds_recipe made = { .kind = CREDS_RECIPE_KEY };
	struct making m = { .arena = a, .config = config, .env = env, .profiles = profiles, .ret = &made, .e = e };
	enum err_code code = ERR_OK;

	if (config->access_key_id.len > 0 || config->secret_access_key.len > 0)
		use_key(&m, config->access_key_id, config->secret_access_key, config->session_token, "configuration");
	else
		code = use_chain(&m);
	reverse_roles(&made);
	if (code == ERR_OK)
		code = add_configured_role(&m);
	if (code == ERR_OK)
		code = name_whole(&m);
	if (code == ERR_OK)
		*ret = made;
	return code;
}

bool
creds_recipe_needs_profiles(const struct creds_recipe_config *config, const struct env *env)
{
	if (config->access_key_id.len > 0)
		return false;
	return config->profile.len > 0 || env_str(env, "AWS_ACCESS_KEY_ID").len == 0;
}

struct str
creds_recipe_profile(const struct creds_recipe_config *config, const struct env *env)
{
	struct str profile = config->profile.len > 0 ? config->profile : env_str(env, "AWS_PROFILE");

	if (profile.len == 0)
		profile = env_str(env, "AWS_DEFAULT_PROFILE");
	return profile.len > 0 ? profile : STR("default");
}
