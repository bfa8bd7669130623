/* What tests/valgrind/run has to find: each kind of harm, and none. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int
main(int argc, char **argv)
{
	const char *kind = argc > 1 ? argv[1] : "";
	char *bytes = malloc(8);

	if (bytes == NULL)
		return 1;
	if (strcmp(kind, "unwritten") == 0 && bytes[3] == 'x')
		puts("it was an x");
	if (strcmp(kind, "beyond") == 0)
		bytes[8] = 'x';
	if (strcmp(kind, "open") == 0 && open("/dev/null", O_RDONLY) == -1)
		return 1;
	if (strcmp(kind, "lost") != 0)
		free(bytes);
	bytes = NULL;
	return 0;
}
