/* io/http.h by libcurl's multi interface on our loop (facts/ecs.md, section 4). */
#ifndef IO_HTTP_CURL_H
#define IO_HTTP_CURL_H

#include "io/http.h"

NODISCARD enum err_code http_curl_new(struct loop *l, struct http **ret, struct err *e);

#endif
