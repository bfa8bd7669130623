/*
 * Bytes to a world (a configuration, a roster, a HAProxy), and the laws of plan/ on
 * it: see tests/unit/laws.h, whose property test rolls the same worlds from seeds.
 */
#include "config.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "fuzz.h"
#include "laws.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t none[1];
	struct laws_dice dice = { .bytes = size > 0 ? data : none, .n = size };
	struct laws_tally tally = { .worlds = 0 };
	struct world *w = laws_world(&dice);
	const char *broken = laws_check(w, &dice, &tally);

	if (broken != NULL) {
		(void)fprintf(stderr, "law broken: %s\n", broken);
		abort();
	}
	world_free(w);
	return 0;
}
