/*
 * The last roster on disk (state_dir/roster.json, ecs/roster_file.h): written while
 * clusters are read, and used at a start that cannot read them.
 *
 * It outlives a configuration, and is read once.  Its tasks are added where a cluster was
 * not read within APP_ROSTER_WAIT_MS of the start; once anything is learnt of that
 * cluster, they are not any more.  They may enter, and are evidence for nothing.
 */
#ifndef APP_ROSTER_H
#define APP_ROSTER_H

#include "app_state.h"
#include "base/err.h"
#include "conf/conf.h"
#include "ecs/roster.h"
#include "io/loop.h"

#define APP_ROSTER_WAIT_MS INT64_C(10000)
#define APP_ROSTER_OLD_MS  INT64_C(3600000) /* of what was read longer ago, nothing is used */
/* Between writes, if something changes all the time.  10,000 tasks are 6 MB, and take 25 ms. */
#define APP_ROSTER_SAVE_MS    INT64_C(10000)
#define APP_ROSTER_REFRESH_MS INT64_C(300000) /* likewise if nothing does: its age counts */

struct app_roster;

/* Reads the file; a damaged one is set aside and said.  due: APP_ROSTER_WAIT_MS have passed, and
 * there is something to add.  state is borrowed. */
NODISCARD enum err_code app_roster_new(
    struct loop *l, const struct app_state *state, loop_fn *due, void *arg, struct app_roster **ret, struct err *e);
/* Takes note of what was read, and writes it in time.  Returns a reference: of r, or of a roster
 * with what the file adds to it.  a null, as for who looks once and keeps nothing: of r. */
struct roster *app_roster_add(struct app_roster *a, const struct conf *conf, struct roster *r);
/* What was told of this cluster's services last; borrowed until the next call.  a may be null. */
const struct roster_service *app_roster_services(
    const struct app_roster *a, const struct conf *conf, struct str source, struct str cluster, size_t *ret_n);
void app_roster_save(struct app_roster *a);  /* now, if there is anything new; null is fine */
void app_roster_close(struct app_roster *a); /* null is fine */

#endif
