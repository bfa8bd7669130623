/*
 * The state directory: made if it is missing, and locked, so that no two daemons work
 * on one state.  Its small files are read and written whole.
 *
 * A file is written beside its name and then renamed, so that a reader, and a daemon
 * that was killed at any moment, finds the old one or the new one.  It is not forced
 * to the disk: that would take longer than all else in a pass.  After a crash of the
 * machine it may be older or gone, and so is the HAProxy that it tells of.
 */
#ifndef APP_STATE_H
#define APP_STATE_H

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

#define APP_STATE_APPLIED "applied.json"

struct app_state;

NODISCARD enum err_code app_state_open(struct str dir, struct app_state **ret, struct err *e);
/* For reading alone: no lock, nothing is made, and writing fails.  A directory that is not
 * there holds no files. */
NODISCARD enum err_code app_state_look(struct str dir, struct app_state **ret, struct err *e);
/* Appends the file to out, whose ceiling holds; nothing if there is none (or it is empty). */
NODISCARD enum err_code app_state_read(const struct app_state *s, const char *name, struct buf *out, struct err *e);
NODISCARD enum err_code app_state_write(const struct app_state *s, const char *name, struct str text, struct err *e);
/*
 * For a file that is written before every command: two files take turns, NAME and NAME.new, which
 * is the version before from then on.  Nothing is made, freed or flushed, so it takes a tenth of the
 * time, and never long (a new file in the place of an old one is flushed by ext4 there and then).
 * A killed daemon leaves one version whole, as above; a crash of the machine may leave neither.
 * Who has NAME open while it is written twice sees it change: app_state_read begins anew then.
 */
NODISCARD enum err_code app_state_write_in_turn(
    const struct app_state *s, const char *name, struct str text, struct err *e);
/* Renames NAME to NAME.damaged, in the place of an earlier one. */
NODISCARD enum err_code app_state_set_aside(const struct app_state *s, const char *name, struct err *e);
void app_state_close(struct app_state *s); /* null is fine */

#endif
