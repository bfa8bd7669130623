#include "config.h"

#include "alloc.h"

const struct torture_part torture_plan = { NULL, 0 };
