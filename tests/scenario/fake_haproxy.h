/*
 * A HAProxy of text, on the clock of a fake loop: the commands of hap_text in, the
 * replies of one version out (tests/vectors/hap, recorded from real ones), behind the
 * interface of hap_link.  One backend, `grpc`, with slots in 2.6 and none from 3.0 on,
 * and beside them a server that is not ours.
 *
 * How checks, maintenance and counts go is what facts/haproxy.md measured, and
 * plan/actual.h tells.  What HAProxy would do, and no daemon should ask of it (an address
 * for a slot with streams, calls for a server that no check has passed ...), is done, and
 * noted as broken.
 */
#ifndef FAKE_HAPROXY_H
#define FAKE_HAPROXY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "hap/hap_link.h"
#include "io/loop.h"

#define FAKE_HAPROXY_BACKEND "grpc"
#define FAKE_HAPROXY_PORT    50051

struct fake_haproxy;

enum fake_haproxy_manner {
	FAKE_HAPROXY_ANSWERS,
	FAKE_HAPROXY_IS_AWAY, /* nobody accepts */
	FAKE_HAPROXY_HANGS,   /* it accepts, reads, and says nothing */
	FAKE_HAPROXY_BREAKS,  /* it carries out half of a batch, and closes with less than that answered */
	FAKE_HAPROXY_STOPS    /* it goes down without a successor: `Stopping: 1` */
};

struct fake_haproxy_server {
	const char *name, *address; /* address: "" if it has none */
	bool is_ours;
	bool takes_calls; /* ready, up, of some weight, and with an address */
	unsigned streams;
};

struct fake_haproxy_world {
	bool (*passes)(void *arg, const char *address); /* a health check of it, now */
	void (*before)(void *arg); /* a batch that changes something begins; checks that were due are over */
	void (*after)(void *arg);
	void (*shut)(void *arg, const char *address); /* streams of it were shut */
	void (*broke)(void *arg);                     /* see fake_haproxy_break_next */
	void (*slipped)(void *arg);                   /* see fake_haproxy_slip_next */
	void *arg;
};

/* version: "2.6", "3.0", "3.2" or "3.4"; vectors: the directory of tests/vectors/hap. */
struct fake_haproxy *fake_haproxy_new(
    struct loop *l, const char *version, const char *vectors, const struct fake_haproxy_world *world);
void fake_haproxy_free(struct fake_haproxy *h);
/* A connection of one daemon, which closes it; h must outlive it. */
struct hap_link *fake_haproxy_link(struct fake_haproxy *h);

void fake_haproxy_behave(struct fake_haproxy *h, enum fake_haproxy_manner m);
/* Another process.  keeps: it knows the servers of the one before, with their addresses, as from
 * a file that it was started with; else only those of its configuration. */
void fake_haproxy_restart(struct fake_haproxy *h, bool keeps);
/* The next batch that changes something is carried out by half, and not answered; then broke is
 * called. */
void fake_haproxy_break_next(struct fake_haproxy *h);
/* Before the next batch that changes something slipped is called, to restart it. */
void fake_haproxy_slip_next(struct fake_haproxy *h);
void fake_haproxy_set_streams(struct fake_haproxy *h, const char *address, unsigned n);

size_t fake_haproxy_batches(const struct fake_haproxy *h); /* so far */
size_t fake_haproxy_count(const struct fake_haproxy *h);
struct fake_haproxy_server fake_haproxy_at(const struct fake_haproxy *h, size_t i);
const char *fake_haproxy_broken(const struct fake_haproxy *h); /* the first law that was; or null */

#endif
