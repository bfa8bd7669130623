/*
 * View: /metrics, Prometheus's text format 0.0.4.  Pure.
 *
 * Names are rollcall_*, in base units; what only grows ends in _total.  Labels are names of
 * sources, clusters and backends and our own words, so that the number of series stays
 * bounded; rollcall_server_info alone has one for each server.
 */
#ifndef CONTROL_CONTROL_METRICS_H
#define CONTROL_CONTROL_METRICS_H

#include "control/control_view.h"

#define CONTROL_METRICS_TYPE "text/plain; version=0.0.4; charset=utf-8"

bool control_metrics_show(const struct control_facts *f, struct control_slice *s, struct control_response *ret);

#endif
