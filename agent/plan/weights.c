/* Weights in proportion: see weights.h. */
#include "config.h"

#include "plan/weights.h"

#include <stdint.h>

#define LARGEST       256u
#define LARGEST_SMALL 16u

static unsigned
largest_of(const unsigned *weights, size_t n)
{
	unsigned max = 0;

	for (size_t i = 0; i < n; i++)
		if (weights[i] > max)
			max = weights[i];
	return max;
}

void
weights_scale(unsigned *weights, size_t n, unsigned largest)
{
	unsigned max = largest_of(weights, n);

	for (size_t i = 0; i < n; i++) {
		uint64_t nearest;

		if (weights[i] == 0)
			continue;
		nearest = ((uint64_t)weights[i] * largest + max / 2) / max;
		weights[i] = nearest > 0 ? (unsigned)nearest : 1;
	}
}

unsigned
weights_of_server(unsigned weight, bool is_small)
{
	unsigned pair[2] = { weight, LARGEST };

	if (!is_small)
		return weight;
	weights_scale(pair, 2, LARGEST_SMALL);
	return pair[0];
}
