/*
 * state_dir/roster.json as any bytes: as they are, and as what follows a header whose
 * checksum is right.  Laws: what is refused is refused with one line of plain text; what
 * is read is written and read again as the same text; and nobody in it proves anything.
 */
#include "config.h"

#include <openssl/evp.h>
#include <string.h>

#include "ecs/roster_file.h"
#include "fuzz.h"

#define HEADER_MAX ((size_t)256)

static void
check_tasks(const struct roster_file_cluster *c)
{
	for (size_t i = 0; i < c->facts->n_tasks; i++) {
		const struct roster_task *t = &c->facts->tasks[i];

		REQUIRE(t->is_remembered && !t->listed && t->missing == 0 && t->ended_wall_ms == 0);
		REQUIRE(t->last_status == ROSTER_RUNNING && t->desired_status == ROSTER_RUNNING);
		REQUIRE(t->health != ROSTER_UNHEALTHY && str_is_printable(t->arn) && t->id.len > 0);
		REQUIRE(t->definition == NULL || str_eq(t->definition->arn, t->definition_arn));
		REQUIRE(roster_facts_find(c->facts, t->arn) == t);
	}
}

static void
check(struct str text)
{
	struct roster_file *f = NULL, *again = NULL;
	struct buf first = buf_make(ROSTER_FILE_TEXT_MAX), second = buf_make(ROSTER_FILE_TEXT_MAX);
	struct err e = ERR_INIT;
	enum err_code code = roster_file_read(text, &f, &e);

	if (code != ERR_OK) {
		REQUIRE((code == ERR_PARSE || code == ERR_REFUSED) && e.code == code);
		REQUIRE(e.msg[0] != '\0' && str_is_printable(str_from_cstr(e.msg)));
		return;
	}
	for (size_t i = 0; i < f->n_clusters; i++)
		check_tasks(&f->clusters[i]);
	REQUIRE(roster_file_write(f->clusters, f->n_clusters, f->saved_wall_ms, &first, NULL) == ERR_OK);
	REQUIRE(roster_file_read(buf_str(&first), &again, NULL) == ERR_OK);
	REQUIRE(roster_file_write(again->clusters, again->n_clusters, again->saved_wall_ms, &second, NULL) == ERR_OK);
	REQUIRE(str_eq(buf_str(&first), buf_str(&second)));
	roster_file_free(f);
	roster_file_free(again);
	buf_free(&first);
	buf_free(&second);
}

static void
check_body(struct str body)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	struct buf text = buf_make(body.len + HEADER_MAX);
	unsigned n = 0;

	REQUIRE(EVP_Digest(body.len > 0 ? body.ptr : "", body.len, digest, &n, EVP_sha256(), NULL) == 1);
	buf_put(&text, STR("{\"rollcall_roster\":1,\"saved_ms\":1700000000000,\"sha256\":\""));
	for (unsigned i = 0; i < n; i++)
		buf_printf(&text, "%02x", digest[i]);
	buf_put(&text, STR("\"}\n"));
	buf_put(&text, body);
	check(buf_str(&text));
	buf_free(&text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	check(str_of(data, size));
	check_body(str_of(data, size));
	return 0;
}
