/*
 * Signed calls to one service of one source: key, signature, clock correction,
 * rate limit, transport, retries, verdict.  Which service, and how it is spoken to,
 * is a struct aws_service: whoever wants another call only reads its answer.
 *
 * A call that is throttled or fails in passing is tried again here, with full
 * jitter, AWS_CALLER_ATTEMPTS times; a stale key is renewed once and the call
 * retried once; a skewed clock is corrected once from the answer's Date.  What
 * comes out is final for that call.
 */
#ifndef AWS_AWS_CALLER_H
#define AWS_AWS_CALLER_H

#include <stdint.h>

#include "aws/aws_endpoint.h"
#include "aws/aws_error.h"
#include "aws/aws_service.h"
#include "aws/bucket.h"
#include "aws/creds_source.h"
#include "base/clk.h"
#include "base/err.h"
#include "base/prng.h"
#include "base/str.h"
#include "io/http.h"

#define AWS_CALLER_ATTEMPTS    3
#define AWS_CALLER_QUEUE_MAX   4096                /* calls accepted and not ended; more is ERR_LIMIT */
#define AWS_CALLER_BODY_MAX    ((size_t)256 << 10) /* of a request */
#define AWS_CALLER_WAIT_MAX_MS INT64_C(20000) /* a service that asks for more time than this gets it from our caller */

struct aws_caller;
struct aws_call;
struct loop;

struct aws_caller_service {
	const struct aws_service *of; /* a constant of aws_service.h */
	struct aws_endpoint_choice at;
	int64_t connect_timeout_ms, timeout_ms;
	unsigned max_in_flight;
	size_t max_response;
};

struct aws_caller_figures {
	uint64_t calls;              /* requests sent, retries included */
	uint64_t throttles;          /* answers that said slow down */
	uint64_t failures;           /* calls that ended in an error */
	int64_t skew_ms;             /* AWS's clock less ours, as corrected for */
	unsigned waiting, in_flight; /* waiting: for the bucket, a key, a free place, or a retry's time */
};

/* Exactly one of body (failure null) or failure is meant; both borrowed for the
 * length of the callback.  failure->class_ is AWS_ERROR_TRANSIENT for a transport fault. */
typedef void aws_caller_done_fn(void *arg, struct str body, const struct aws_error *failure);

/* Copies to; borrows h, keys, bucket and rnd, which must outlive it.  keys null: the
 * calls go unsigned. */
NODISCARD enum err_code aws_caller_new(struct loop *l, struct http *h, struct creds_source *keys, struct bucket *bucket,
    struct prng *rnd, const struct aws_caller_service *to, struct aws_caller **ret, struct err *e);
/* Copies body (of a query service it begins with the action: aws_query.h).  The contract is io/http.h's: an error means no callback, otherwise
 * exactly one, later.  *ret may be given to aws_caller_cancel until then. */
NODISCARD enum err_code aws_caller_send(struct aws_caller *c, const char *action, struct str body,
    aws_caller_done_fn *done, void *arg, struct aws_call **ret, struct err *e);
/* done is not called after this returns.  Not from inside that call's own done. */
void aws_caller_cancel(struct aws_caller *c, struct aws_call *call);
struct aws_caller_figures aws_caller_figures(const struct aws_caller *c);
void aws_caller_close(struct aws_caller *c); /* no callback comes after; null is fine */

#endif
