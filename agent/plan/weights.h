/*
 * Weights as HAProxy takes them: the largest of a backend becomes `largest` (256,
 * or 16 where each point costs), the others in proportion, none below 1 unless it
 * was 0.
 */
#ifndef PLAN_WEIGHTS_H
#define PLAN_WEIGHTS_H

#include <stdbool.h>
#include <stddef.h>

/* In place. */
void weights_scale(unsigned *weights, size_t n, unsigned largest);
/* One that was scaled to 256, as a server of its backend gets it: scaled to 16 where
 * each point costs. */
unsigned weights_of_server(unsigned weight, bool is_small);

#endif
