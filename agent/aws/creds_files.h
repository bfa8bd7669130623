/*
 * The small local files that say where keys are: the SDKs' config and credentials
 * files, tokens.  Read whole, at once: a driver that blocks for as long as a local disk
 * takes, and never on a pipe.
 */
#ifndef AWS_CREDS_FILES_H
#define AWS_CREDS_FILES_H

#include <stdbool.h>

#include "aws/aws_profiles.h"
#include "base/buf.h"
#include "base/env.h"
#include "base/err.h"

/* Enough of a file's metadata to see that it is another, or was written to. */
struct creds_files_stamp {
	struct {
		uint64_t device, inode, size, mtime_s, mtime_ns; /* all 0: no such file */
	} files[AWS_PROFILES_N_FILES];
};

/* Appends to out, whose limit holds (ERR_LIMIT).  path may begin with "~/".  ERR_IO: e->sys says
 * why it cannot be read; ERR_CONF: it is no file, or there is no HOME; ERR_NOMEM. */
NODISCARD enum err_code creds_files_read(const struct env *env, struct str path, struct buf *out, struct err *e);
/* Reads AWS_CONFIG_FILE and AWS_SHARED_CREDENTIALS_FILE, or what stands in ~/.aws; a file
 * that is not there is empty.  The same errors, and ERR_PARSE: what it holds. */
NODISCARD enum err_code creds_files_profiles(const struct env *env, struct aws_profiles *to, struct err *e);
struct creds_files_stamp creds_files_stamp(const struct env *env);
bool creds_files_is_same(const struct creds_files_stamp *a, const struct creds_files_stamp *b);

#endif
