/* The only part of this room that touches the file system and the environment. */
#ifndef CONF_CONF_FILE_H
#define CONF_CONF_FILE_H

#include "conf/conf.h"

/* path null: the text in $ROLLCALL_CONFIG unless that is empty, else
 * /etc/rollcall/rollcall.yaml.  A file or a pipe; of a pipe the text is waited for.
 * *ret_name is what to call it in messages: the path, or "ROLLCALL_CONFIG"; it is
 * set on failure, too. */
NODISCARD enum err_code conf_file_load(struct arena *a, const char *path, const struct env *env,
    const struct conf **ret, const char **ret_name, struct conf_notes *reterr_faults, struct err *e);

#endif
