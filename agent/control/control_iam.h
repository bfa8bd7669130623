/*
 * View: the IAM policy that a configuration needs, for `rollcalld --iam`: one document,
 * version 2012-10-17, one statement for each need, with the fewest actions and, where IAM
 * knows any, the resources or clusters that they are needed for.  Pure.
 *
 * Accounts that the configuration does not tell are written "*".  A Sid tells what its
 * statement is for; with several sources it ends in the source's name.
 */
#ifndef CONTROL_CONTROL_IAM_H
#define CONTROL_CONTROL_IAM_H

#include "base/buf.h"
#include "conf/conf.h"

/* JSON with line breaks; errors stay in the buf. */
void control_iam_print(const struct conf *conf, struct buf *out);

#endif
