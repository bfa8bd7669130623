/*
 * Files that HAProxy reads at its start: written whole or not at all.
 *
 * In a thread of libuv's pool, because a disk may take its time, and the loop has
 * calls to keep from a task that ends.  The contract is io/http.h's.
 */
#ifndef HAP_HAP_FILES_H
#define HAP_HAP_FILES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

#define HAP_FILES_MAX 3

struct loop;
struct hap_files;

struct hap_files_change {
	const char *name; /* in the directory; a constant */
	bool is_removed;  /* else text is its new content */
	struct str text;
};

/* e: code OK, or what went wrong; the changes before it are done. */
typedef void hap_files_done_fn(void *arg, const struct err *e);

/* dir is copied, as is what is written.  One batch at a time. */
NODISCARD enum err_code hap_files_new(struct loop *l, struct str dir, struct hap_files **ret, struct err *e);
NODISCARD enum err_code hap_files_write(struct hap_files *f, const struct hap_files_change *changes, size_t n,
    hap_files_done_fn *done, void *arg, struct err *e);
/* What f writes first is written after what is being written by before, which is closed now and writes
 * no more; f has written nothing yet.  True: something is, and what f's owner has read of it is old. */
bool hap_files_follow(struct hap_files *f, struct hap_files *before);
void hap_files_close(struct hap_files *f); /* what is being written is written; no callback comes after; null is fine */

/* At once, by whoever may wait. */
NODISCARD enum err_code hap_files_put(const char *path, struct str text, struct err *e);
/* Appends its content, within out's limit; *ret_is_there false: there is no such file. */
NODISCARD enum err_code hap_files_get(const char *path, struct buf *out, bool *ret_is_there, struct err *e);

#endif
