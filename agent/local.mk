# Two archives, one rule: nothing in libcore may touch a socket, a clock, the
# environment or the loop.  tests/lint/core-is-pure.sh holds us to it.
noinst_LIBRARIES += agent/libcore.a agent/libdrive.a

agent_libcore_a_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS) $(YAML_CFLAGS) $(CRYPTO_CFLAGS) $(EXPAT_CFLAGS)
agent_libcore_a_SOURCES = \
	%D%/base/arena.c %D%/base/arena.h \
	%D%/base/arena_say.c %D%/base/arena_say.h \
	%D%/base/buf.c %D%/base/buf.h \
	%D%/base/cleanup.h \
	%D%/base/clk.h \
	%D%/base/env.h \
	%D%/base/err.c %D%/base/err.h \
	%D%/base/fault.c %D%/base/fault.h \
	%D%/base/log.c %D%/base/log.h \
	%D%/base/prng.h \
	%D%/base/rfc3339.c %D%/base/rfc3339.h \
	%D%/base/str.c %D%/base/str.h \
	%D%/base/utf8.c %D%/base/utf8.h \
	%D%/conf/conf.c %D%/conf/conf.h \
	%D%/conf/conf_backend.c %D%/conf/conf_backend.h \
	%D%/conf/conf_check.c %D%/conf/conf_check.h \
	%D%/conf/conf_decode.c %D%/conf/conf_decode.h \
	%D%/conf/conf_ecs.c %D%/conf/conf_ecs.h \
	%D%/conf/conf_expand.c %D%/conf/conf_expand.h \
	%D%/conf/conf_haproxy.c %D%/conf/conf_haproxy.h \
	%D%/conf/conf_listen.c %D%/conf/conf_listen.h \
	%D%/conf/conf_policy.c %D%/conf/conf_policy.h \
	%D%/conf/conf_report.c %D%/conf/conf_report.h \
	%D%/conf/conf_retire.c %D%/conf/conf_retire.h \
	%D%/conf/conf_scalar.c %D%/conf/conf_scalar.h \
	%D%/conf/conf_shape.c %D%/conf/conf_shape.h \
	%D%/conf/conf_suggest.c %D%/conf/conf_suggest.h \
	%D%/conf/conf_yaml.c %D%/conf/conf_yaml.h \
	%D%/conf/conf_yaml_fault.c %D%/conf/conf_yaml_fault.h \
	%D%/aws/aws_endpoint.c %D%/aws/aws_endpoint.h \
	%D%/aws/aws_error.c %D%/aws/aws_error.h \
	%D%/aws/aws_profiles.c %D%/aws/aws_profiles.h \
	%D%/aws/aws_query.c %D%/aws/aws_query.h \
	%D%/aws/aws_request.c %D%/aws/aws_request.h \
	%D%/aws/aws_service.c %D%/aws/aws_service.h \
	%D%/aws/aws_xml.c %D%/aws/aws_xml.h \
	%D%/aws/bucket.c %D%/aws/bucket.h \
	%D%/aws/creds.c %D%/aws/creds.h \
	%D%/aws/creds_answer.c %D%/aws/creds_answer.h \
	%D%/aws/creds_container.c %D%/aws/creds_container.h \
	%D%/aws/creds_recipe.c %D%/aws/creds_recipe.h \
	%D%/aws/sigv4.c %D%/aws/sigv4.h \
	%D%/aws/task_metadata.c %D%/aws/task_metadata.h \
	%D%/ecs/arn.c %D%/ecs/arn.h \
	%D%/ecs/ecs_address.c %D%/ecs/ecs_address.h \
	%D%/ecs/ecs_answer.c %D%/ecs/ecs_answer.h \
	%D%/ecs/ecs_answer_host.c %D%/ecs/ecs_answer_host.h \
	%D%/ecs/ecs_answer_task.c %D%/ecs/ecs_answer_task.h \
	%D%/ecs/ecs_answer_task_definition.c \
	%D%/ecs/ecs_backoff.c %D%/ecs/ecs_backoff.h \
	%D%/ecs/ecs_body.c %D%/ecs/ecs_body.h \
	%D%/ecs/ecs_contest.h \
	%D%/ecs/ecs_event.c %D%/ecs/ecs_event.h \
	%D%/ecs/ecs_hosting.c %D%/ecs/ecs_hosting.h \
	%D%/ecs/ecs_hosts.c %D%/ecs/ecs_hosts.h \
	%D%/ecs/ecs_interest.c %D%/ecs/ecs_interest.h \
	%D%/ecs/ecs_json.c %D%/ecs/ecs_json.h \
	%D%/ecs/ecs_ledger.c %D%/ecs/ecs_ledger.h \
	%D%/ecs/ecs_origin.c %D%/ecs/ecs_origin.h \
	%D%/ecs/ecs_ports.c %D%/ecs/ecs_ports.h \
	%D%/ecs/ecs_queue_text.c %D%/ecs/ecs_queue_text.h \
	%D%/ecs/ecs_sought.c %D%/ecs/ecs_sought.h \
	%D%/ecs/ecs_sweep.c %D%/ecs/ecs_sweep.h \
	%D%/ecs/ecs_told.c %D%/ecs/ecs_told.h \
	%D%/ecs/roster.c %D%/ecs/roster.h \
	%D%/ecs/roster_file.c %D%/ecs/roster_file.h \
	%D%/ecs/taskdef.c %D%/ecs/taskdef.h \
	%D%/ecs/taskdef_cache.c %D%/ecs/taskdef_cache.h \
	%D%/label/label.c %D%/label/label.h \
	%D%/label/label_conf.c %D%/label/label_conf.h \
	%D%/label/label_constraint.c %D%/label/label_constraint.h \
	%D%/label/label_expr.c %D%/label/label_expr.h \
	%D%/label/label_reader.c %D%/label/label_reader.h \
	%D%/label/label_rule.c %D%/label/label_rule.h \
	%D%/label/label_settings.c %D%/label/label_settings.h \
	%D%/label/label_text.c %D%/label/label_text.h \
	%D%/label/label_rollcall.c %D%/label/label_traefik.c %D%/label/label_traefik1.c \
	%D%/plan/actual.c %D%/plan/actual.h \
	%D%/plan/applied.c %D%/plan/applied.h \
	%D%/plan/applied_pass.c \
	%D%/plan/desired.c %D%/plan/desired.h \
	%D%/plan/desired_derive.c \
	%D%/plan/desired_label.c %D%/plan/desired_label.h \
	%D%/plan/desired_name.c \
	%D%/plan/desired_port.c %D%/plan/desired_port.h \
	%D%/plan/desired_route.c \
	%D%/plan/desired_select.c %D%/plan/desired_select.h \
	%D%/plan/desired_settle.c %D%/plan/desired_settle.h \
	%D%/plan/desired_share.c %D%/plan/desired_share.h \
	%D%/plan/desired_spec.c \
	%D%/plan/desired_verdict.c %D%/plan/desired_verdict.h \
	%D%/plan/evidence.c %D%/plan/evidence.h \
	%D%/plan/overlay.c %D%/plan/overlay.h \
	%D%/plan/overlay_json.c \
	%D%/plan/plan.c %D%/plan/plan.h \
	%D%/plan/plan_address.c %D%/plan/plan_address.h \
	%D%/plan/plan_bind.c %D%/plan/plan_bind.h \
	%D%/plan/plan_diff.c \
	%D%/plan/plan_draft.c %D%/plan/plan_draft.h \
	%D%/plan/plan_eject.c %D%/plan/plan_eject.h \
	%D%/plan/plan_enter.c %D%/plan/plan_enter.h \
	%D%/plan/plan_guard.c \
	%D%/plan/plan_health.c %D%/plan/plan_health.h \
	%D%/plan/plan_json.c %D%/plan/plan_json.h \
	%D%/plan/plan_leave.c %D%/plan/plan_leave.h \
	%D%/plan/plan_list.c %D%/plan/plan_list.h \
	%D%/plan/plan_orphan.c %D%/plan/plan_orphan.h \
	%D%/plan/plan_pass.c %D%/plan/plan_pass.h \
	%D%/plan/plan_servers.c %D%/plan/plan_servers.h \
	%D%/plan/reason.c %D%/plan/reason.h \
	%D%/plan/weights.c %D%/plan/weights.h \
	%D%/hap/hap_map.c %D%/hap/hap_map.h \
	%D%/hap/hap_master_text.c %D%/hap/hap_master_text.h \
	%D%/hap/hap_pem.c %D%/hap/hap_pem.h \
	%D%/hap/hap_render.c %D%/hap/hap_render.h \
	%D%/hap/hap_server_line.c %D%/hap/hap_server_line.h \
	%D%/hap/grpc_check.c %D%/hap/grpc_check.h \
	%D%/hap/hap_text.c %D%/hap/hap_text.h \
	%D%/hap/hap_text_judge.c \
	%D%/hap/hap_text_replies.c \
	%D%/sync/managed.c %D%/sync/managed.h \
	%D%/sync/managed_file.c %D%/sync/managed_file.h \
	%D%/sync/name_set.c %D%/sync/name_set.h \
	%D%/sync/reconcile.c %D%/sync/reconcile.h \
	%D%/sync/reconcile_ahead.c %D%/sync/reconcile_ahead.h \
	%D%/sync/reconcile_held.c %D%/sync/reconcile_held.h \
	%D%/sync/reconcile_sought.c %D%/sync/reconcile_sought.h \
	%D%/sync/reconcile_state.c %D%/sync/reconcile_state.h \
	%D%/trace/trace_otlp.c %D%/trace/trace_otlp.h \
	%D%/trace/trace_span.c %D%/trace/trace_span.h \
	%D%/outlier/outlier.c %D%/outlier/outlier.h \
	%D%/outlier/outlier_tally.c %D%/outlier/outlier_tally.h \
	%D%/sync/routes.c %D%/sync/routes.h \
	%D%/spop/spop_session.c %D%/spop/spop_session.h \
	%D%/spop/spop_wire.c %D%/spop/spop_wire.h \
	%D%/sync/reload.c %D%/sync/reload.h \
	%D%/control/control_backends.c %D%/control/control_backends.h \
	%D%/control/control_doctor.c %D%/control/control_doctor.h \
	%D%/control/control_events.c %D%/control/control_events.h \
	%D%/control/control_iam.c %D%/control/control_iam.h \
	%D%/control/control_json.c %D%/control/control_json.h \
	%D%/control/control_metric.c %D%/control/control_metric.h \
	%D%/control/control_metrics.c %D%/control/control_metrics.h \
	%D%/control/control_order.c %D%/control/control_order.h \
	%D%/control/control_page.c %D%/control/control_page.h \
	%D%/control/control_host.c %D%/control/control_host.h \
	%D%/control/control_path.c %D%/control/control_path.h \
	%D%/control/control_plan.c %D%/control/control_plan.h \
	%D%/control/control_routes.c %D%/control/control_routes.h \
	%D%/control/control_slice.h \
	%D%/control/control_status.c %D%/control/control_status.h \
	%D%/control/control_tasks.c %D%/control/control_tasks.h \
	%D%/control/control_track.c %D%/control/control_track.h \
	%D%/control/control_view.c %D%/control/control_view.h \
	%D%/cli/cli_json.c %D%/cli/cli_json.h \
	%D%/cli/cli_report.c %D%/cli/cli_report.h \
	%D%/cli/cli_show.c %D%/cli/cli_show.h \
	%D%/cli/cli_table.c %D%/cli/cli_table.h \
	%D%/cli/cli_text.c %D%/cli/cli_text.h \
	%D%/cli/cli_why.c %D%/cli/cli_why.h

# The page, byte for byte.
nodist_agent_libcore_a_SOURCES = %D%/control/control_page_bytes.c
EXTRA_DIST += %D%/control/page.html
CLEANFILES += %D%/control/control_page_bytes.c
agent/control/control_page_bytes.c: $(srcdir)/agent/control/page.html
	$(AM_V_GEN)mkdir -p agent/control && { \
		echo '/* clang-format off */'; echo '#include "config.h"'; echo '#include "control/control_page.h"'; \
		echo 'const unsigned char control_page_bytes[] = {'; \
		od -An -v -tx1 $(srcdir)/agent/control/page.html | sed 's/ \([0-9a-f][0-9a-f]\)/0x\1,/g'; \
		echo '};'; echo 'const size_t control_page_bytes_size = sizeof(control_page_bytes);'; } > $@.new && mv $@.new $@

# What owns handles: rollcalld links it, tests of the drivers too.
agent_libdrive_a_CFLAGS = $(AM_CFLAGS) $(UV_CFLAGS) $(CURL_CFLAGS) $(MHD_CFLAGS) $(ZLIB_CFLAGS) $(JANSSON_CFLAGS) $(CRYPTO_CFLAGS)
agent_libdrive_a_SOURCES = \
	%D%/base/fd.c %D%/base/fd.h \
	%D%/io/http.h \
	%D%/io/http_curl.c %D%/io/http_curl.h \
	%D%/io/http_transfer.c %D%/io/http_transfer.h \
	%D%/io/listener.c %D%/io/listener.h \
	%D%/io/loop.c %D%/io/loop.h \
	%D%/io/notify.c %D%/io/notify.h \
	%D%/io/port_hold.c %D%/io/port_hold.h \
	%D%/conf/conf_file.c %D%/conf/conf_file.h \
	%D%/aws/aws_caller.c %D%/aws/aws_caller.h \
	%D%/aws/creds_fetch.c %D%/aws/creds_fetch.h \
	%D%/aws/creds_files.c %D%/aws/creds_files.h \
	%D%/aws/creds_source.c %D%/aws/creds_source.h \
	%D%/aws/imds.c %D%/aws/imds.h \
	%D%/aws/machine_region.c %D%/aws/machine_region.h \
	%D%/aws/metadata.c %D%/aws/metadata.h \
	%D%/ecs/ecs_self.c %D%/ecs/ecs_self.h \
	%D%/ecs/ecs_queue.c %D%/ecs/ecs_queue.h \
	%D%/ecs/ecs_ages.c %D%/ecs/ecs_ages.h \
	%D%/ecs/ecs_star.c %D%/ecs/ecs_star.h \
	%D%/ecs/ecs_watch.c %D%/ecs/ecs_watch.h \
	%D%/ecs/ecs_watch_cluster.c %D%/ecs/ecs_watch_cluster.h \
	%D%/hap/hap_ca.c %D%/hap/hap_ca.h \
	%D%/hap/hap_exec.c %D%/hap/hap_exec.h \
	%D%/hap/hap_files.c %D%/hap/hap_files.h \
	%D%/hap/hap_link.c %D%/hap/hap_link.h \
	%D%/hap/hap_maps.c %D%/hap/hap_maps.h \
	%D%/hap/hap_master.c %D%/hap/hap_master.h \
	%D%/trace/trace_export.c %D%/trace/trace_export.h \
	%D%/spop/spop_server.c %D%/spop/spop_server.h \
	%D%/control/control_guests.c %D%/control/control_guests.h \
	%D%/control/control_server.c %D%/control/control_server.h \
	%D%/control/control_stream.c %D%/control/control_stream.h

core_libs = $(CRYPTO_LIBS) $(YAML_LIBS) $(JANSSON_LIBS) $(EXPAT_LIBS)
drive_libs = $(UV_LIBS) $(CURL_LIBS) $(MHD_LIBS) $(ZLIB_LIBS)

sbin_PROGRAMS += rollcalld
rollcalld_CFLAGS = $(AM_CFLAGS) $(UV_CFLAGS)
rollcalld_SOURCES = \
	%D%/rollcalld.c \
	%D%/app.c %D%/app.h \
	%D%/app_agent.c %D%/app_agent.h \
	%D%/app_door.c %D%/app_door.h \
	%D%/app_events.c %D%/app_events.h \
	%D%/app_host.c %D%/app_host.h \
	%D%/app_init.c %D%/app_init.h \
	%D%/app_log.c %D%/app_log.h \
	%D%/app_cas.c %D%/app_cas.h \
	%D%/app_managed.c %D%/app_managed.h \
	%D%/app_meter.c %D%/app_meter.h \
	%D%/app_once.c %D%/app_once.h \
	%D%/app_outlier.c %D%/app_outlier.h \
	%D%/app_probe.c %D%/app_probe.h \
	%D%/app_queues.c %D%/app_queues.h \
	%D%/app_region.c %D%/app_region.h \
	%D%/app_roster.c %D%/app_roster.h \
	%D%/app_routes.c %D%/app_routes.h \
	%D%/app_state.c %D%/app_state.h \
	%D%/app_sync.c %D%/app_sync.h \
	%D%/app_trace.c %D%/app_trace.h \
	%D%/app_uneject.c %D%/app_uneject.h
rollcalld_LDADD = agent/libdrive.a agent/libcore.a $(drive_libs) $(core_libs)

bin_PROGRAMS += rollcall
rollcall_CFLAGS = $(AM_CFLAGS) $(CURL_CFLAGS) $(JANSSON_CFLAGS)
rollcall_SOURCES = \
	%D%/cli/rollcall.c \
	%D%/cli/cli_ask.c %D%/cli/cli_ask.h \
	%D%/cli/cli_check.c %D%/cli/cli_check.h \
	%D%/cli/cli_client.c %D%/cli/cli_client.h \
	%D%/cli/cli_command.c %D%/cli/cli_command.h \
	%D%/cli/cli_look.c %D%/cli/cli_look.h \
	%D%/cli/cli_order.c %D%/cli/cli_order.h
rollcall_LDADD = agent/libcore.a $(CURL_LIBS) $(JANSSON_LIBS)
