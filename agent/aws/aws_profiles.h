/*
 * The shared files of the SDKs, ~/.aws/config and ~/.aws/credentials: text to
 * profiles.  Pure.
 *
 * In the config file a profile is "[profile NAME]", or "[default]"; in the credentials
 * file it is "[NAME]".  Other sections (sso-session, services) are passed over, as are
 * the indented lines below an empty value.  What one file says twice, the later line
 * says; what both say, the credentials file says (facts/ecs.md, section 3).
 */
#ifndef AWS_AWS_PROFILES_H
#define AWS_AWS_PROFILES_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

#define AWS_PROFILES_TEXT_MAX       ((size_t)256 << 10) /* of one file */
#define AWS_PROFILES_MAX            1000
#define AWS_PROFILES_PROPERTIES_MAX 100 /* of one profile */
#define AWS_PROFILES_ARENA_MAX      ((size_t)4 << 20)

enum aws_profiles_file { AWS_PROFILES_CONFIG, AWS_PROFILES_CREDENTIALS, AWS_PROFILES_N_FILES };

struct aws_profiles;

/* Lives in a, which will hold keys: end it with arena_wipe. */
NODISCARD enum err_code aws_profiles_new(struct arena *a, struct aws_profiles **ret, struct err *e);
/* Reads one file, once.  ERR_PARSE names a line, and never quotes it. */
NODISCARD enum err_code aws_profiles_add(
    struct aws_profiles *p, enum aws_profiles_file file, struct str text, struct err *e);
bool aws_profiles_has(const struct aws_profiles *p, struct str profile);
/* Empty if it is not there.  key in lower case. */
struct str aws_profiles_get(const struct aws_profiles *p, struct str profile, const char *key);
struct str aws_profiles_get_of(
    const struct aws_profiles *p, enum aws_profiles_file file, struct str profile, const char *key);

#endif
