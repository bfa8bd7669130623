/* Views: the backends and the servers that rollcall keeps in them.  Pure. */
#ifndef CONTROL_CONTROL_BACKENDS_H
#define CONTROL_CONTROL_BACKENDS_H

#include "control/control_json.h"
#include "control/control_view.h"

void control_backends_list(const struct control_facts *f, struct str arg, struct control_response *ret);
void control_backends_one(const struct control_facts *f, struct str name, struct control_response *ret);

/* What an act answers with: an array of the one backend, or of all (empty); the server,
 * or null if no plan shows it. */
void control_backends_put(struct control_json *w, const char *name, const struct control_facts *f, struct str backend);
void control_backends_put_server(
    struct control_json *w, const char *name, const struct control_facts *f, struct str backend, struct str server);
/* Why a server leaves, on this evidence. */
const char *control_backends_leaving_text(enum evidence ev);

#endif
