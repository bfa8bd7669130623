/*
 * XML answers of the query services, element by element (libexpat).  Pure.
 *
 * What AWS sends is elements and text; a document type, and with it every entity of
 * somebody's own, is refused.  Attributes are passed over.
 */
#ifndef AWS_AWS_XML_H
#define AWS_AWS_XML_H

#include "base/cleanup.h"
#include "base/err.h"
#include "base/str.h"

#define AWS_XML_DEPTH_MAX 32
#define AWS_XML_PATH_MAX  1024
#define AWS_XML_TEXT_MAX  ((size_t)64 << 10) /* of one element */

/*
 * One element has ended: its children were told before it.  path is from the root,
 * "DescribeInstancesResponse/reservationSet/item"; text is what stood in it, trimmed,
 * and empty for one that has children.  Both are borrowed for the length of the call.
 * An error ends the reading.
 */
typedef enum err_code aws_xml_ended_fn(void *arg, struct str path, struct str text, struct err *e);

/* ERR_PARSE: not well-formed; ERR_LIMIT: over a limit above; or what ended said. */
NODISCARD enum err_code aws_xml_read(struct str xml, aws_xml_ended_fn *ended, void *arg, struct err *e);

#endif
