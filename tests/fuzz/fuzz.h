/* What every fuzz target has in common. */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A law of the room under test; libFuzzer keeps the input that breaks it. */
#define REQUIRE(law)             \
	do {                     \
		if (!(law))      \
			abort(); \
	} while (0)

#endif
