#include "config.h"

#include "alloc.h"

const struct torture_part torture_control = { NULL, 0 };
