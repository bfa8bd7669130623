/*
 * app_state.h in memory: linked in place of app_state.c, so that a scenario may lose a
 * file, damage it, or fill the disk.
 */
#ifndef MEMORY_STATE_H
#define MEMORY_STATE_H

#include <stdbool.h>

#include "app_state.h"

struct app_state *memory_state_new(void); /* app_state_close frees it; an app_sync only borrows it */
void memory_state_lose(const struct app_state *s, const char *name);   /* "*": all */
void memory_state_damage(const struct app_state *s, const char *name); /* likewise: its second half is gone */
void memory_state_fill(struct app_state *s, bool is_full);             /* no write succeeds */

#endif
