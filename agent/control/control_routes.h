/* Views: which host and path leads to which backend, and where one call would go.  Pure. */
#ifndef CONTROL_CONTROL_ROUTES_H
#define CONTROL_CONTROL_ROUTES_H

#include "control/control_path.h"
#include "control/control_view.h"

bool control_routes_list(const struct control_facts *f, struct control_slice *s, struct control_response *ret);
size_t control_routes_count(const struct control_facts *f);
/* ?entrypoint=&host=&path=: the route that HAProxy's map would find (the longest prefix of
 * this host, else of any host), and the servers that take its calls now. */
void control_routes_find(const struct control_facts *f, const struct control_query *q, struct control_response *ret);

#endif
