/* A condition that lasts: see fault.h. */
#include "config.h"

#include "base/fault.h"

#include <string.h>

static uint64_t
mix(uint64_t hash, unsigned char c)
{
	return (hash ^ c) * UINT64_C(0x100000001b3); /* FNV-1a */
}

static bool
has_digit(const char *word, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (word[i] >= '0' && word[i] <= '9')
			return true;
	return false;
}

/* A position, a count or an id differs at every try: words with digits are as good
 * as each other. */
static uint64_t
mix_words(uint64_t hash, const char *text, size_t len)
{
	while (len > 0) {
		const char *space = memchr(text, ' ', len);
		size_t n = space != NULL ? (size_t)(space - text) : len;

		if (has_digit(text, n))
			hash = mix(hash, '0');
		else
			for (size_t i = 0; i < n; i++)
				hash = mix(hash, (unsigned char)text[i]);
		hash = mix(hash, ' ');
		n += space != NULL ? 1 : 0;
		text += n;
		len -= n;
	}
	return hash;
}

/* So do bytes that could not be read, where they are quoted. */
static uint64_t
gist_of(const struct err *e)
{
	uint64_t hash = mix(UINT64_C(0xcbf29ce484222325), (unsigned char)e->code);
	const char *at = e->msg;

	while (e->code == ERR_PARSE && *at != '\0') {
		size_t n = strcspn(at, "`");

		hash = mix(mix_words(hash, at, n), '`');
		at += n + (at[n] == '`' ? 1 : 0);
		n = strcspn(at, "`"); /* cut off, the quotation has no end */
		at += n + (at[n] == '`' ? 1 : 0);
	}
	return mix_words(hash, at, strlen(at));
}

bool
fault_raise(struct fault *f, int64_t mono_ms, const struct err *e)
{
	const uint64_t gist = gist_of(e);
	bool is_due, is_new;

	if (!f->on)
		*f = (struct fault){ .on = true, .since_ms = mono_ms };
	f->err = *e;
	f->count++;
	is_due = f->count > 1 && mono_ms - f->spoken_ms >= FAULT_REMIND_MS;
	is_new = f->count == 1 || (f->gist != gist && f->n_texts < FAULT_TEXTS_MAX);
	if (!is_due && !is_new)
		return false;
	f->n_texts = is_due ? 1 : f->n_texts + 1;
	f->gist = gist;
	f->spoken_ms = mono_ms;
	return true;
}

bool
fault_clear(struct fault *f)
{
	bool was_on = f->on;

	f->on = false;
	return was_on;
}
