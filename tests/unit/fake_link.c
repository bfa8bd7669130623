/* A link by hand: see fake_link.h. */
#include "config.h"

#include "fake_link.h"

#include "unit.h"

#define REPLIES_MAX 64

static enum err_code
fake_ask(struct hap_link *link, const struct str *commands, size_t n, hap_link_gate_fn *gate, hap_link_done_fn *done,
    void *arg, struct err *e)
{
	struct fake_link *f = (struct fake_link *)link;
	struct fake_link_asked *a = &f->asked[f->n_asked];

	if (f->refuses != ERR_OK)
		return err_set(e, f->refuses, "the link refuses");
	assert_true(f->n_asked < FAKE_LINK_ASKED_MAX);
	f->n_asked++;
	*a = (struct fake_link_asked){
		.commands = buf_make((size_t)1 << 20), .n = n, .gate = gate, .done = done, .arg = arg
	};
	for (size_t i = 0; i < n; i++) {
		buf_put(&a->commands, commands[i]);
		buf_put_u8(&a->commands, '\n');
	}
	return ERR_OK;
}

static void
fake_close(struct hap_link *link)
{
	((struct fake_link *)link)->n_closed++;
}

void
fake_link_open(struct fake_link *f)
{
	*f = (struct fake_link){ .link = { .address = "/run/admin.sock", .ask = fake_ask, .close = fake_close } };
}

void
fake_link_free(struct fake_link *f)
{
	for (size_t i = 0; i < f->n_asked; i++)
		buf_free(&f->asked[i].commands);
}

void
fake_link_answer(struct fake_link *f, const char *const *replies, size_t n)
{
	struct fake_link_asked *a = &f->asked[f->n_answered++];
	struct str list[REPLIES_MAX];
	struct err e = ERR_INIT;

	assert_true(f->n_answered <= f->n_asked && n <= REPLIES_MAX);
	for (size_t i = 0; i < n; i++)
		list[i] = str_from_cstr(replies[i]);
	(void)err_set(&e, ERR_CLOSED, "closed by HAProxy");
	if (a->gate != NULL && n > 0 && !a->gate(a->arg, list[0])) {
		a->done(a->arg, list, 1, NULL);
		return;
	}
	a->done(a->arg, list, n, n < a->n ? &e : NULL);
}
