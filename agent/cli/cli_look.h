/* The commands that look at more than servers: plan, route, events, doctor, metrics.  A
 * driver. */
#ifndef CLI_CLI_LOOK_H
#define CLI_CLI_LOOK_H

#include "cli/cli_command.h"

cli_command_fn cli_look_plan, cli_look_route, cli_look_events, cli_look_doctor, cli_look_metrics;

#endif
