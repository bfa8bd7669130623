/*
 * The commands that ask rollcalld to do something: drain, ready, weight, pause, resume.
 * A driver.  What a value may be is the daemon's to say; what it calls a bad parameter
 * is wrong usage here.
 */
#ifndef CLI_CLI_ORDER_H
#define CLI_CLI_ORDER_H

#include "cli/cli_command.h"

cli_command_fn cli_order_drain, cli_order_ready, cli_order_weight, cli_order_pause, cli_order_resume;

#endif
