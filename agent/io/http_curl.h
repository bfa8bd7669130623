/* io/http.h by libcurl's multi interface on our loop (facts/ecs.md, section 4). */
#ifndef IO_HTTP_CURL_H
#define IO_HTTP_CURL_H

#include "io/http.h"

/* ca_file: whose CAs are trusted instead of the system's; null or empty: the system's.
 * Borrowed; read at each connection. */
NODISCARD enum err_code http_curl_new(struct loop *l, const char *ca_file, struct http **ret, struct err *e);

#endif
