/*
 * Answers that hold a key: the JSON of the container endpoint and of IMDS, the XML of
 * STS.  Pure.  No message quotes an answer.
 */
#ifndef AWS_CREDS_ANSWER_H
#define AWS_CREDS_ANSWER_H

#include "aws/creds.h"
#include "base/err.h"
#include "base/str.h"

#define CREDS_ANSWER_MAX ((size_t)64 << 10) /* ten times what AWS sends */

/* {AccessKeyId, SecretAccessKey, Token, Expiration}; IMDS adds Code, which is then "Success".
 * ERR_REFUSED: the answer is a refusal, with its Code and Message; ERR_PARSE: it is no such answer. */
NODISCARD enum err_code creds_answer_read_json(
    struct str body, const char *source_name, struct creds **ret, struct err *e);
/* AssumeRole and AssumeRoleWithWebIdentity. */
NODISCARD enum err_code creds_answer_read_sts(
    struct str body, const char *source_name, struct creds **ret, struct err *e);

#define CREDS_ANSWER_ACCOUNT_SIZE 16
#define CREDS_ANSWER_ARN_SIZE     300

struct creds_answer_identity {
	char account[CREDS_ANSWER_ACCOUNT_SIZE], arn[CREDS_ANSWER_ARN_SIZE];
};

/* GetCallerIdentity: who we are. */
NODISCARD enum err_code creds_answer_read_identity(struct str body, struct creds_answer_identity *ret, struct err *e);

#endif
