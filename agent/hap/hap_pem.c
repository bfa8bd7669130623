/* PEM as payload: see hap_pem.h. */
#include "config.h"

#include "hap/hap_pem.h"

#define LINE_MAX 76 /* of base64; OpenSSL writes 64 */
#define BEGIN    STR("-----BEGIN CERTIFICATE-----")
#define END      STR("-----END CERTIFICATE-----")

static bool
is_base64(struct str line)
{
	if (line.len == 0 || line.len > LINE_MAX)
		return false;
	for (size_t i = 0; i < line.len; i++) {
		char c = line.ptr[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '+' ||
			c == '/' || c == '='))
			return false;
	}
	return true;
}

/* A line with its newline off *rest; false where there is none. */
static bool
next_line(struct str *rest, struct str *ret)
{
	size_t at;

	if (!str_find(*rest, '\n', &at))
		return false;
	*ret = str_first(*rest, at);
	*rest = str_skip(*rest, at + 1);
	return true;
}

/* One certificate off *rest; 0: that is none, else its length. */
static size_t
take_certificate(struct str *rest)
{
	struct str at = *rest, line;
	size_t n_lines = 0, n;

	if (!next_line(&at, &line) || !str_eq(line, BEGIN))
		return 0;
	while (next_line(&at, &line) && is_base64(line))
		n_lines++;
	if (n_lines == 0 || !str_eq(line, END))
		return 0;
	n = rest->len - at.len;
	*rest = at;
	return n;
}

bool
hap_pem_next(struct str *rest, struct str *ret_piece)
{
	struct str at = *rest;
	size_t taken = 0, n;

	while ((n = take_certificate(&at)) > 0 && taken + n <= HAP_PEM_PIECE_MAX)
		taken += n;
	if (taken == 0)
		return false;
	*ret_piece = str_first(*rest, taken);
	*rest = str_skip(*rest, taken);
	return true;
}

enum err_code
hap_pem_check(struct str pem, size_t *ret_n_pieces, struct err *e)
{
	struct str rest = pem, piece;
	size_t n_pieces = 0;

	if (pem.len > HAP_PEM_MAX)
		return err_set(e, ERR_LIMIT, "certificates of %zu bytes: at most %zu are taken", pem.len, HAP_PEM_MAX);
	while (hap_pem_next(&rest, &piece))
		n_pieces++;
	if (rest.len > 0 && take_certificate(&rest) > HAP_PEM_PIECE_MAX)
		return err_set(e, ERR_LIMIT, "a certificate of more than %d bytes", HAP_PEM_PIECE_MAX);
	if (rest.len > 0 || n_pieces == 0)
		return err_set(e, ERR_PARSE, "not certificates in PEM, and nothing else");
	*ret_n_pieces = n_pieces;
	return ERR_OK;
}
