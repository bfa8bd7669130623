/*
 * Weights as HAProxy takes them: the largest of a backend becomes `largest` (256,
 * or 16 where each point costs), the others in proportion, none below 1 unless it
 * was 0.
 */
#ifndef PLAN_WEIGHTS_H
#define PLAN_WEIGHTS_H

#include <stddef.h>

/* In place. */
void weights_scale(unsigned *weights, size_t n, unsigned largest);

#endif
