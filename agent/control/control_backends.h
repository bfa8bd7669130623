/* Views: the backends and the servers that rollcall keeps in them.  Pure. */
#ifndef CONTROL_CONTROL_BACKENDS_H
#define CONTROL_CONTROL_BACKENDS_H

#include "control/control_json.h"
#include "control/control_view.h"

bool control_backends_list(const struct control_facts *f, struct control_slice *s, struct control_response *ret);
bool control_backends_one(const struct control_facts *f, struct control_slice *s, struct control_response *ret);

/* What an act answers with: an array of the one backend, or of all (empty), in slices; the server,
 * or null if no plan shows it. */
bool control_backends_put(struct control_slice *s, const char *name, const struct control_facts *f, struct str only);
void control_backends_put_server(
    struct control_json *w, const char *name, const struct control_facts *f, struct str backend, struct str server);
/* Why a server leaves, on this evidence. */
const char *control_backends_leaving_text(enum evidence ev);

#endif
