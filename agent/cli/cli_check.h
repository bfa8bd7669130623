/* `rollcall grpc-check`: lines for haproxy.cfg.  A driver; no daemon is asked. */
#ifndef CLI_CLI_CHECK_H
#define CLI_CLI_CHECK_H

#include "cli/cli_command.h"

cli_command_fn cli_check_grpc;

#endif
