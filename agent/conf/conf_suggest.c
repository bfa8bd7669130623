/* Nearest words: see conf_suggest.h. */
#include "config.h"

#include "conf/conf_suggest.h"

#define WORD_MAX 40 /* of longer ones nothing is suggested */

static int
fold(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A' + 'a';
	return c == '-' ? '_' : c;
}

static size_t
least(size_t a, size_t b, size_t c)
{
	size_t ab = a < b ? a : b;

	return ab < c ? ab : c;
}

/* Insertions, deletions, replacements, and neighbours swapped (optimal string
 * alignment).  rows[i % 3] holds the distances of a's first i characters. */
static size_t
distance(struct str a, struct str b)
{
	size_t rows[3][WORD_MAX + 1];

	for (size_t j = 0; j <= b.len; j++)
		rows[0][j] = j;
	for (size_t i = 1; i <= a.len; i++) {
		size_t *row = rows[i % 3];
		const size_t *above = rows[(i + 2) % 3], *above2 = rows[(i + 1) % 3];

		row[0] = i;
		for (size_t j = 1; j <= b.len; j++) {
			int x = fold(a.ptr[i - 1]), y = fold(b.ptr[j - 1]);

			row[j] = least(above[j] + 1, row[j - 1] + 1, above[j - 1] + (x != y));
			if (i > 1 && j > 1 && x == fold(b.ptr[j - 2]) && fold(a.ptr[i - 2]) == y)
				row[j] = least(row[j], row[j], above2[j - 2] + 1);
		}
	}
	return rows[a.len % 3][b.len];
}

struct conf_suggest
conf_suggest_make(struct str word)
{
	return (struct conf_suggest){ .word = word };
}

/* A third of the word may differ, and one letter always: more is another word. */
static size_t
allowance(struct str word)
{
	return word.len < 6 ? 1 : word.len / 3;
}

void
conf_suggest_offer(struct conf_suggest *s, struct str candidate)
{
	size_t d;

	if (s->word.len == 0 || s->word.len > WORD_MAX || candidate.len > WORD_MAX)
		return;
	d = distance(s->word, candidate);
	if (d > allowance(s->word) || (s->best.len > 0 && d >= s->distance))
		return;
	s->best = candidate;
	s->distance = d;
}
