/* The bytes of a health check: see grpc_check.h. */
#include "config.h"

#include "hap/grpc_check.h"

#define MESSAGE_HEADER_LEN  5 /* gRPC over HTTP/2: compressed or not, length */
#define TYPE_DATA           0x0
#define TYPE_HEADERS        0x1
#define TYPE_SETTINGS       0x4
#define FLAG_END_STREAM     0x1
#define FLAG_END_HEADERS    0x4
#define HPACK_STRING_MAX    126  /* longer ones begin with more than one byte; none of ours is */
#define HPACK_INDEX_MAX     14   /* the same of an index in four bits */
#define PROTO_SERVICE_FIELD 0x0a /* HealthCheckRequest.service: field 1, a string */
#define HEADERS_MAX         ((size_t)512)

/* RFC 7541, appendix A. */
enum hpack_name {
	HPACK_AUTHORITY = 1,
	HPACK_METHOD_POST = 3,
	HPACK_PATH = 4,
	HPACK_SCHEME_HTTP = 6,
	HPACK_CONTENT_TYPE = 31,
	HPACK_USER_AGENT = 58
};

/* HealthCheckResponse{status: SERVING}, uncompressed, as gRPC frames it.  We accept
 * no compression, so there is no other way to say it. */
#define SERVING_HEX "00000000020801"

/* ---- the name ---- */

static bool
is_name_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

static bool
is_name(struct str part)
{
	if (part.len == 0 || part.ptr[0] == '-' || (part.ptr[0] >= '0' && part.ptr[0] <= '9'))
		return false;
	for (size_t i = 0; i < part.len; i++)
		if (!is_name_char(part.ptr[i]))
			return false;
	return true;
}

static bool
are_names(struct str service)
{
	struct str rest = service, part;

	while (str_next(&rest, '.', &part))
		if (!is_name(part))
			return false;
	return true;
}

enum err_code
grpc_check_service_ok(struct str service, struct err *e)
{
	size_t at;

	if (service.len > GRPC_CHECK_SERVICE_MAX)
		return err_set(e, ERR_ARG, "a service name of %zu bytes is too long: %d at most", service.len,
		    GRPC_CHECK_SERVICE_MAX);
	if (str_find(service, '/', &at))
		return err_set(
		    e, ERR_ARG, "a service is asked for, not a method or a path: as in `my.package.Service`");
	if (service.len > 0 && !are_names(service))
		return err_set(e, ERR_ARG,
		    "that is no name of a gRPC service: letters, digits, _ and - with single dots "
		    "between, as in `my.package.Service`");
	return ERR_OK;
}

/* ---- the request ---- */

static void
put_u32(struct buf *out, size_t v)
{
	buf_put_u8(out, (uint8_t)(v >> 24));
	buf_put_u8(out, (uint8_t)(v >> 16));
	buf_put_u8(out, (uint8_t)(v >> 8));
	buf_put_u8(out, (uint8_t)v);
}

static void
put_frame_header(struct buf *out, size_t len, uint8_t type, uint8_t flags, size_t stream)
{
	buf_put_u8(out, (uint8_t)(len >> 16));
	buf_put_u8(out, (uint8_t)(len >> 8));
	buf_put_u8(out, (uint8_t)len);
	buf_put_u8(out, type);
	buf_put_u8(out, flags);
	put_u32(out, stream);
}

/* Without Huffman's code; RFC 7541, section 5.2. */
static void
put_string(struct buf *out, struct str s)
{
	if (s.len > HPACK_STRING_MAX)
		out->failed = ERR_LIMIT;
	buf_put_u8(out, (uint8_t)s.len);
	buf_put(out, s);
}

/* A header that both ends know by number, name and value. */
static void
put_indexed(struct buf *out, enum hpack_name name)
{
	buf_put_u8(out, (uint8_t)(0x80U | (unsigned)name));
}

/* "Without indexing" (section 6.2.2): nothing is left in the server's table. */
static void
put_header(struct buf *out, enum hpack_name name, struct str value)
{
	if (name <= HPACK_INDEX_MAX) {
		buf_put_u8(out, (uint8_t)name);
	} else {
		buf_put_u8(out, HPACK_INDEX_MAX + 1);
		buf_put_u8(out, (uint8_t)(name - HPACK_INDEX_MAX - 1));
	}
	put_string(out, value);
}

static void
put_header_block(struct buf *out)
{
	put_indexed(out, HPACK_METHOD_POST);
	put_indexed(out, HPACK_SCHEME_HTTP);
	put_header(out, HPACK_PATH, STR("/grpc.health.v1.Health/Check"));
	put_header(out, HPACK_AUTHORITY, STR("localhost"));
	put_header(out, HPACK_CONTENT_TYPE, STR("application/grpc"));
	put_header(out, HPACK_USER_AGENT, STR("haproxy-grpc-check"));
	buf_put_u8(out, 0); /* a name that has no number */
	put_string(out, STR("te"));
	put_string(out, STR("trailers"));
}

static void
put_preface(struct buf *out)
{
	buf_put(out, STR("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"));
	put_frame_header(out, 0, TYPE_SETTINGS, 0, 0);
}

static void
put_headers(struct buf *out)
{
	struct buf block = buf_make(HEADERS_MAX);

	put_header_block(&block);
	put_frame_header(out, block.len, TYPE_HEADERS, FLAG_END_HEADERS, 1);
	buf_put(out, buf_str(&block));
	if (block.failed != ERR_OK)
		out->failed = block.failed;
	buf_free(&block);
}

static void
put_varint(struct buf *out, size_t v)
{
	for (; v >= 0x80; v >>= 7)
		buf_put_u8(out, (uint8_t)(v | 0x80));
	buf_put_u8(out, (uint8_t)v);
}

/* HealthCheckRequest; proto3 writes nothing for an empty string. */
static void
put_message(struct buf *out, struct str service)
{
	if (service.len == 0)
		return;
	buf_put_u8(out, PROTO_SERVICE_FIELD);
	put_varint(out, service.len);
	buf_put(out, service);
}

static void
put_data(struct buf *out, struct str service)
{
	struct buf message = buf_make(GRPC_CHECK_SERVICE_MAX + MESSAGE_HEADER_LEN);

	put_message(&message, service);
	put_frame_header(out, MESSAGE_HEADER_LEN + message.len, TYPE_DATA, FLAG_END_STREAM, 1);
	buf_put_u8(out, 0); /* not compressed */
	put_u32(out, message.len);
	buf_put(out, buf_str(&message));
	if (message.failed != ERR_OK)
		out->failed = message.failed;
	buf_free(&message);
}

enum err_code
grpc_check_request(struct str service, struct buf *out, struct err *e)
{
	enum err_code code = grpc_check_service_ok(service, e);

	if (code != ERR_OK)
		return code;
	put_preface(out);
	put_headers(out);
	put_data(out, service);
	return buf_failed(out, e);
}

/* ---- the lines ---- */

static void
put_hex(struct buf *out, struct str bytes)
{
	for (size_t i = 0; i < bytes.len; i++) {
		char pair[2];

		str_put_hex(&bytes.ptr[i], 1, pair);
		buf_put(out, str_of(pair, sizeof(pair)));
	}
}

static enum err_code
put_lines(struct str service, struct str indent, struct buf *out, struct err *e)
{
	struct buf request = buf_make(GRPC_CHECK_TEXT_MAX);
	enum err_code code = grpc_check_request(service, &request, e);

	if (code == ERR_OK) {
		buf_printf(out, STR_FMT "timeout check 1s\n", STR_ARG(indent));
		buf_printf(out, STR_FMT "option tcp-check\n", STR_ARG(indent));
		buf_printf(out, STR_FMT "tcp-check connect default\n", STR_ARG(indent));
		buf_printf(out, STR_FMT "tcp-check send-binary ", STR_ARG(indent));
		put_hex(out, buf_str(&request));
		buf_printf(out, "\n" STR_FMT "tcp-check expect binary " SERVING_HEX "\n", STR_ARG(indent));
		code = buf_failed(out, e);
	}
	buf_free(&request);
	return code;
}

enum err_code
grpc_check_lines(struct str service, struct buf *out, struct err *e)
{
	return put_lines(service, STR(""), out, e);
}

static void
put_comment(struct str service, struct buf *out)
{
	if (service.len == 0)
		buf_put(out, STR("    # grpc.health.v1, of the server as a whole: up while its health service\n"));
	else
		buf_printf(
		    out, "    # grpc.health.v1, of `" STR_FMT "`: up while its health service\n", STR_ARG(service));
	buf_put(out, STR("    # answers SERVING.  Any other answer (NOT_SERVING, an unknown service, no health\n"
			 "    # service at all) is a wait for the right one: `timeout check` is how long a bad\n"
			 "    # server stays in doubt, so keep it short, and below `inter`.\n"
			 "    # The bytes below are the HTTP/2 request; do NOT set check-proto h2, nor another\n"
			 "    # `option ...chk`.  The servers need `proto h2 check`, or with TLS\n"
			 "    # `ssl alpn h2 check check-ssl check-alpn h2 check-sni NAME`.\n"));
}

enum err_code
grpc_check_section(struct str service, struct buf *out, struct err *e)
{
	enum err_code code = grpc_check_service_ok(service, e);

	if (code != ERR_OK)
		return code;
	put_comment(service, out);
	return put_lines(service, STR("    "), out, e);
}
