/*
 * View: GET /, the page.  One file without anything from elsewhere: its script and its
 * style are allowed by their hashes, and nothing else runs or is loaded.  Pure.
 */
#ifndef CONTROL_CONTROL_PAGE_H
#define CONTROL_CONTROL_PAGE_H

#include "control/control_view.h"

/* page.html, as the build puts it into a C file. */
extern const unsigned char control_page_bytes[];
extern const size_t control_page_bytes_size;

void control_page_show(const struct control_facts *f, struct str arg, struct control_response *ret);

#endif
