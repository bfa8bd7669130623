/*
 * The commands that ask rollcalld to do something: drain, ready, weight, eject, uneject,
 * pause, resume, release, refresh, reload, log.  A driver.  What a value may be is the daemon's to say; what it calls a bad parameter
 * is wrong usage here.
 */
#ifndef CLI_CLI_ORDER_H
#define CLI_CLI_ORDER_H

#include "cli/cli_command.h"

cli_command_fn cli_order_drain, cli_order_ready, cli_order_weight, cli_order_eject, cli_order_uneject;
cli_command_fn cli_order_pause, cli_order_resume, cli_order_release;
cli_command_fn cli_order_refresh, cli_order_reload, cli_order_log;

#endif
