/*
 * The body of a call to a query service (EC2, STS, SNS): a form, percent-encoded.
 * Pure.
 *
 *   aws_query_begin(&body, &aws_service_ec2, "DescribeInstances");
 *   aws_query_put(&body, "Filter.1.Name", STR("instance-id"));
 *   aws_query_put_nth(&body, "Filter.1.Value", 1, id);
 *
 * Errors stay in the buf: buf_failed, once, at the end.
 */
#ifndef AWS_AWS_QUERY_H
#define AWS_AWS_QUERY_H

#include "aws/aws_service.h"
#include "base/buf.h"
#include "base/str.h"

void aws_query_begin(struct buf *out, const struct aws_service *to, const char *action);
/* name is ours, and needs no encoding; value is anything. */
void aws_query_put(struct buf *out, const char *name, struct str value);
void aws_query_put_nth(struct buf *out, const char *name, unsigned nth, struct str value); /* "NAME.NTH" */

#endif
