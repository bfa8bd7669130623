/* The document of the task metadata endpoint, version 4, `/task`.  Pure. */
#ifndef AWS_TASK_METADATA_H
#define AWS_TASK_METADATA_H

#include "base/cleanup.h"
#include "base/err.h"
#include "base/str.h"

#define TASK_METADATA_REGION_SIZE 64

/* The region in its TaskARN, or in that of its Cluster, which may be a mere name.
 * ERR_PARSE: there is none, or body is no such document. */
NODISCARD enum err_code task_metadata_region(struct str body, char ret[TASK_METADATA_REGION_SIZE], struct err *e);

#endif
