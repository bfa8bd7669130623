/*
 * Reads route maps from HAProxy, and swaps them as a whole, over a link that somebody
 * else owns.  Decides nothing.
 */
#ifndef HAP_HAP_MAPS_H
#define HAP_HAP_MAPS_H

#include <stdint.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "base/str.h"
#include "hap/hap_link.h"
#include "hap/hap_map.h"

struct hap_maps;

struct hap_maps_shown {
	uint64_t pid, start_time_s; /* the process that showed it */
	struct hap_map map;
};

/* shown is borrowed for the length of the callback; null on failure.  ERR_REMOTE: HAProxy has no such map. */
typedef void hap_maps_show_fn(void *arg, const struct hap_maps_shown *shown, const struct err *e);
/* e: code OK, or what went wrong: then the map is as it was. */
typedef void hap_maps_swap_fn(void *arg, const struct err *e);

/* Borrows the link, and is closed before it. */
NODISCARD enum err_code hap_maps_new(struct hap_link *link, struct hap_maps **ret, struct err *e);
/* Both: io/http.h's contract.  One at a time (ERR_LIMIT). */
NODISCARD enum err_code hap_maps_show(
    struct hap_maps *m, struct str path, hap_maps_show_fn *done, void *arg, struct err *e);
/* want is copied.  Only this process is told. */
NODISCARD enum err_code hap_maps_swap(struct hap_maps *m, struct str path, const struct hap_map *want, uint64_t pid,
    uint64_t start_time_s, hap_maps_swap_fn *done, void *arg, struct err *e);
void hap_maps_close(struct hap_maps *m); /* no callback comes after; null is fine */

#endif
