/*
 * A main for the fuzz targets that needs no libFuzzer: feeds each file named on
 * the command line to the target, once, so that `make check` replays the corpora
 * under any compiler (replay.sh).
 */
#include "config.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"

#define FILE_MAX ((size_t)1 << 20) /* libFuzzer's own ceiling */

static bool
read_file(const char *path, uint8_t *bytes, size_t *ret_n)
{
	FILE *f = fopen(path, "re");

	if (f == NULL)
		return false;
	*ret_n = fread(bytes, 1, FILE_MAX, f);
	return fclose(f) == 0;
}

/* A copy of just this size, so that a sanitizer sees each byte read past it. */
static bool
replay(const uint8_t *bytes, size_t n)
{
	uint8_t *exact = malloc(n > 0 ? n : 1);

	if (exact == NULL)
		return false;
	memcpy(exact, bytes, n);
	(void)LLVMFuzzerTestOneInput(exact, n);
	free(exact);
	return true;
}

int
main(int argc, char **argv)
{
	static uint8_t bytes[FILE_MAX];
	size_t n = 0;

	for (int i = 1; i < argc; i++) {
		if (!read_file(argv[i], bytes, &n) || !replay(bytes, n)) {
			perror(argv[i]);
			return EXIT_FAILURE;
		}
	}
	return EXIT_SUCCESS;
}
