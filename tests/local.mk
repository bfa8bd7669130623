# The tests that need nothing but the compiler: unit/ (cmocka), the fuzz corpora
# replayed, failing allocations, lint.  A unit test is one line below: automake
# takes PROGRAM.c for its source; helpers make a second line.
TEST_EXTENSIONS = .sh
TAP_DRIVER = $(SHELL) $(top_srcdir)/build-aux/tap-driver.sh
LOG_DRIVER = $(TAP_DRIVER)
LOG_COMPILER = $(SHELL) $(top_srcdir)/tests/unit/tap.sh
SH_LOG_DRIVER = $(TAP_DRIVER)
AM_TESTS_ENVIRONMENT = \
	top_srcdir='$(abs_top_srcdir)'; top_builddir='$(abs_top_builddir)'; CC='$(CC)'; \
	build_flags='$(CPPFLAGS) $(EXTRA_CFLAGS) $(CFLAGS)'; export top_srcdir top_builddir CC build_flags;

# What every test is linked with; a fake in a test's own sources comes before the
# archives, which then leave theirs out.
AM_CPPFLAGS += -I$(top_srcdir)/tests/unit $(CMOCKA_CFLAGS) $(JANSSON_CFLAGS) $(CRYPTO_CFLAGS) $(UV_CFLAGS) $(CURL_CFLAGS) $(MHD_CFLAGS)
LDADD = agent/libdrive.a agent/libcore.a $(drive_libs) $(core_libs) $(CMOCKA_LIBS)

# ---- unit ----

unit_tests = \
	%D%/unit/test_actual \
	%D%/unit/test_app_state \
	%D%/unit/test_applied \
	%D%/unit/test_arena \
	%D%/unit/test_arn \
	%D%/unit/test_aws_caller \
	%D%/unit/test_aws_endpoint \
	%D%/unit/test_aws_error \
	%D%/unit/test_aws_profiles \
	%D%/unit/test_aws_query \
	%D%/unit/test_aws_xml \
	%D%/unit/test_bucket \
	%D%/unit/test_buf \
	%D%/unit/test_cli_report \
	%D%/unit/test_cli_show \
	%D%/unit/test_cli_table \
	%D%/unit/test_conf \
	%D%/unit/test_conf_file \
	%D%/unit/test_conf_scalar \
	%D%/unit/test_conf_shape \
	%D%/unit/test_control_doctor \
	%D%/unit/test_control_events \
	%D%/unit/test_control_host \
	%D%/unit/test_control_iam \
	%D%/unit/test_control_order \
	%D%/unit/test_control_reason \
	%D%/unit/test_control_server \
	%D%/unit/test_control_track \
	%D%/unit/test_control_view \
	%D%/unit/test_creds \
	%D%/unit/test_creds_answer \
	%D%/unit/test_creds_recipe \
	%D%/unit/test_creds_source \
	%D%/unit/test_desired \
	%D%/unit/test_desired_label \
	%D%/unit/test_ecs_address \
	%D%/unit/test_ecs_answer \
	%D%/unit/test_ecs_event \
	%D%/unit/test_ecs_hosts \
	%D%/unit/test_ecs_interest \
	%D%/unit/test_ecs_json \
	%D%/unit/test_ecs_queue \
	%D%/unit/test_ecs_sweep \
	%D%/unit/test_ecs_watch \
	%D%/unit/test_err \
	%D%/unit/test_fault \
	%D%/unit/test_fd \
	%D%/unit/test_grpc_check \
	%D%/unit/test_hap_ca \
	%D%/unit/test_hap_exec \
	%D%/unit/test_hap_files \
	%D%/unit/test_hap_link \
	%D%/unit/test_hap_server_line \
	%D%/unit/test_hap_map \
	%D%/unit/test_hap_maps \
	%D%/unit/test_hap_master \
	%D%/unit/test_hap_render \
	%D%/unit/test_hap_text \
	%D%/unit/test_http_curl \
	%D%/unit/test_label \
	%D%/unit/test_label_docs \
	%D%/unit/test_listener \
	%D%/unit/test_log \
	%D%/unit/test_loop \
	%D%/unit/test_managed \
	%D%/unit/test_name_set \
	%D%/unit/test_notify \
	%D%/unit/test_outlier \
	%D%/unit/test_overlay \
	%D%/unit/test_plan_address \
	%D%/unit/test_plan_diff \
	%D%/unit/test_plan_dynamic \
	%D%/unit/test_plan_eject \
	%D%/unit/test_plan_evidence \
	%D%/unit/test_plan_guard \
	%D%/unit/test_plan_laws \
	%D%/unit/test_port_hold \
	%D%/unit/test_prng \
	%D%/unit/test_reconcile \
	%D%/unit/test_reload \
	%D%/unit/test_rfc3339 \
	%D%/unit/test_roster \
	%D%/unit/test_roster_file \
	%D%/unit/test_routes \
	%D%/unit/test_sigv4 \
	%D%/unit/test_spop \
	%D%/unit/test_spop_server \
	%D%/unit/test_str \
	%D%/unit/test_taskdef_cache \
	%D%/unit/test_trace \
	%D%/unit/test_trace_export \
	%D%/unit/test_utf8 \
	%D%/unit/test_weights

control_story = %D%/unit/control_story.c %D%/unit/control_story.h
fake_ecs = %D%/unit/fake_ecs.c %D%/unit/fake_ecs.h
fake_http = %D%/unit/fake_http.c %D%/unit/fake_http.h
fake_link = %D%/unit/fake_link.c %D%/unit/fake_link.h
fake_loop = %D%/unit/fake_loop.c %D%/unit/fake_loop.h
laws = %D%/unit/laws.c %D%/unit/laws.h %D%/unit/laws_ask.c %D%/unit/laws_ask.h \
	%D%/unit/laws_desired.c %D%/unit/laws_plan.c %D%/unit/laws_soft.c %D%/unit/laws_world.c $(plan_apply)
plan_apply = %D%/unit/plan_apply.c %D%/unit/plan_apply.h
worlds = %D%/unit/worlds.c %D%/unit/worlds.h

tests_unit_test_app_state_SOURCES = %D%/unit/test_app_state.c agent/app_state.c agent/app_state.h
tests_unit_test_app_state_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=read
tests_unit_test_aws_caller_SOURCES = %D%/unit/test_aws_caller.c $(fake_loop)
tests_unit_test_cli_show_SOURCES = %D%/unit/test_cli_show.c $(control_story) $(worlds)
tests_unit_test_control_doctor_SOURCES = %D%/unit/test_control_doctor.c $(control_story) $(worlds)
tests_unit_test_control_order_SOURCES = %D%/unit/test_control_order.c $(control_story) $(worlds)
tests_unit_test_control_reason_SOURCES = %D%/unit/test_control_reason.c $(control_story) $(worlds)
tests_unit_test_control_track_SOURCES = %D%/unit/test_control_track.c $(control_story) $(worlds)
tests_unit_test_control_view_SOURCES = %D%/unit/test_control_view.c $(control_story) $(worlds)
tests_unit_test_creds_source_SOURCES = %D%/unit/test_creds_source.c $(fake_http) $(fake_loop)
tests_unit_test_desired_SOURCES = %D%/unit/test_desired.c $(worlds)
tests_unit_test_desired_label_SOURCES = %D%/unit/test_desired_label.c $(worlds)
tests_unit_test_ecs_event_SOURCES = %D%/unit/test_ecs_event.c $(fake_ecs)
tests_unit_test_ecs_queue_SOURCES = %D%/unit/test_ecs_queue.c $(fake_loop)
tests_unit_test_ecs_sweep_SOURCES = %D%/unit/test_ecs_sweep.c $(fake_ecs)
tests_unit_test_ecs_watch_SOURCES = %D%/unit/test_ecs_watch.c $(fake_ecs) $(fake_loop)
tests_unit_test_applied_SOURCES = %D%/unit/test_applied.c $(plan_apply) $(worlds)
tests_unit_test_hap_exec_SOURCES = %D%/unit/test_hap_exec.c $(fake_link)
tests_unit_test_hap_maps_SOURCES = %D%/unit/test_hap_maps.c $(fake_link)
tests_unit_test_hap_master_LDADD = $(LDADD) -lpthread
tests_unit_test_listener_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=bind
tests_unit_test_outlier_SOURCES = %D%/unit/test_outlier.c $(worlds)
tests_unit_test_overlay_SOURCES = %D%/unit/test_overlay.c $(worlds)
tests_unit_test_plan_diff_SOURCES = %D%/unit/test_plan_diff.c $(worlds)
tests_unit_test_plan_dynamic_SOURCES = %D%/unit/test_plan_dynamic.c $(worlds)
tests_unit_test_plan_eject_SOURCES = %D%/unit/test_plan_eject.c $(worlds)
tests_unit_test_plan_evidence_SOURCES = %D%/unit/test_plan_evidence.c $(worlds)
tests_unit_test_plan_guard_SOURCES = %D%/unit/test_plan_guard.c $(plan_apply) $(worlds)
tests_unit_test_plan_laws_SOURCES = %D%/unit/test_plan_laws.c $(laws) $(worlds)
tests_unit_test_reload_SOURCES = %D%/unit/test_reload.c $(control_story) $(worlds)
tests_unit_test_roster_file_SOURCES = %D%/unit/test_roster_file.c $(worlds)
tests_unit_test_reconcile_SOURCES = %D%/unit/test_reconcile.c $(worlds)
tests_unit_test_spop_server_SOURCES = %D%/unit/test_spop_server.c $(fake_loop)
tests_unit_test_trace_export_SOURCES = %D%/unit/test_trace_export.c $(fake_http) $(fake_loop)
EXTRA_DIST += %D%/unit/unit.h %D%/unit/tap.sh

if HAVE_CMOCKA
check_PROGRAMS += $(unit_tests)
TESTS += $(unit_tests)
endif

# ---- fuzz ----

# The same target twice: with a plain main, which replays the corpus under any
# compiler, and with libFuzzer (--enable-fuzzing CC=clang).
check_PROGRAMS += \
	%D%/fuzz/replay_aws_error \
	%D%/fuzz/replay_aws_xml \
	%D%/fuzz/replay_aws_profiles \
	%D%/fuzz/replay_creds_answer \
	%D%/fuzz/replay_conf \
	%D%/fuzz/replay_control_path \
	%D%/fuzz/replay_ecs_answer \
	%D%/fuzz/replay_ecs_event \
	%D%/fuzz/replay_ecs_sweep \
	%D%/fuzz/replay_hap_reply \
	%D%/fuzz/replay_label \
	%D%/fuzz/replay_managed \
	%D%/fuzz/replay_plan \
	%D%/fuzz/replay_roster_file \
	%D%/fuzz/replay_sigv4 \
	%D%/fuzz/replay_spop_session \
	%D%/fuzz/replay_spop_wire \
	%D%/fuzz/replay_state \
	%D%/fuzz/replay_trace_line
tests_fuzz_replay_aws_error_SOURCES = %D%/fuzz/fuzz_aws_error.c %D%/fuzz/replay_main.c
tests_fuzz_replay_aws_xml_SOURCES = %D%/fuzz/fuzz_aws_xml.c %D%/fuzz/replay_main.c
tests_fuzz_replay_aws_profiles_SOURCES = %D%/fuzz/fuzz_aws_profiles.c %D%/fuzz/replay_main.c
tests_fuzz_replay_creds_answer_SOURCES = %D%/fuzz/fuzz_creds_answer.c %D%/fuzz/replay_main.c
tests_fuzz_replay_conf_SOURCES = %D%/fuzz/fuzz_conf.c %D%/fuzz/replay_main.c
tests_fuzz_replay_control_path_SOURCES = %D%/fuzz/fuzz_control_path.c %D%/fuzz/replay_main.c $(control_story) $(worlds)
tests_fuzz_replay_ecs_answer_SOURCES = %D%/fuzz/fuzz_ecs_answer.c %D%/fuzz/replay_main.c
tests_fuzz_replay_ecs_event_SOURCES = %D%/fuzz/fuzz_ecs_event.c %D%/fuzz/replay_main.c
tests_fuzz_replay_ecs_sweep_SOURCES = %D%/fuzz/fuzz_ecs_sweep.c %D%/fuzz/replay_main.c
tests_fuzz_replay_hap_reply_SOURCES = %D%/fuzz/fuzz_hap_reply.c %D%/fuzz/replay_main.c
tests_fuzz_replay_label_SOURCES = %D%/fuzz/fuzz_label.c %D%/fuzz/replay_main.c
tests_fuzz_replay_managed_SOURCES = %D%/fuzz/fuzz_managed.c %D%/fuzz/replay_main.c
tests_fuzz_replay_plan_SOURCES = %D%/fuzz/fuzz_plan.c %D%/fuzz/replay_main.c $(laws) $(worlds)
tests_fuzz_replay_roster_file_SOURCES = %D%/fuzz/fuzz_roster_file.c %D%/fuzz/replay_main.c
tests_fuzz_replay_sigv4_SOURCES = %D%/fuzz/fuzz_sigv4.c %D%/fuzz/replay_main.c
tests_fuzz_replay_spop_session_SOURCES = %D%/fuzz/fuzz_spop_session.c %D%/fuzz/replay_main.c
tests_fuzz_replay_spop_wire_SOURCES = %D%/fuzz/fuzz_spop_wire.c %D%/fuzz/replay_main.c
tests_fuzz_replay_trace_line_SOURCES = %D%/fuzz/fuzz_trace_line.c %D%/fuzz/replay_main.c
tests_fuzz_replay_state_SOURCES = %D%/fuzz/fuzz_state.c %D%/fuzz/replay_main.c
TESTS += %D%/fuzz/replay.sh
EXTRA_DIST += %D%/fuzz/fuzz.h %D%/fuzz/label_lines.h %D%/fuzz/replay.sh %D%/fuzz/corpus %D%/fuzz/dict

if FUZZING
noinst_PROGRAMS += \
	%D%/fuzz/fuzz_aws_error \
	%D%/fuzz/fuzz_aws_xml \
	%D%/fuzz/fuzz_aws_profiles \
	%D%/fuzz/fuzz_creds_answer \
	%D%/fuzz/fuzz_conf \
	%D%/fuzz/fuzz_control_path \
	%D%/fuzz/fuzz_ecs_answer \
	%D%/fuzz/fuzz_ecs_event \
	%D%/fuzz/fuzz_ecs_sweep \
	%D%/fuzz/fuzz_hap_reply \
	%D%/fuzz/fuzz_label \
	%D%/fuzz/fuzz_managed \
	%D%/fuzz/fuzz_plan \
	%D%/fuzz/fuzz_roster_file \
	%D%/fuzz/fuzz_sigv4 \
	%D%/fuzz/fuzz_spop_session \
	%D%/fuzz/fuzz_spop_wire \
	%D%/fuzz/fuzz_state \
	%D%/fuzz/fuzz_trace_line
tests_fuzz_fuzz_control_path_SOURCES = %D%/fuzz/fuzz_control_path.c $(control_story) $(worlds)
tests_fuzz_fuzz_plan_SOURCES = %D%/fuzz/fuzz_plan.c $(laws) $(worlds)
fuzz_ldflags = $(AM_LDFLAGS) -fsanitize=fuzzer
tests_fuzz_fuzz_aws_error_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_aws_xml_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_aws_profiles_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_creds_answer_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_conf_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_control_path_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_ecs_answer_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_ecs_event_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_ecs_sweep_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_hap_reply_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_label_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_managed_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_plan_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_roster_file_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_sigv4_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_spop_session_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_spop_wire_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_trace_line_LDFLAGS = $(fuzz_ldflags)
tests_fuzz_fuzz_state_LDFLAGS = $(fuzz_ldflags)
endif

# ---- scenarios: the fault suite ----

check_PROGRAMS += %D%/scenario/runner
TESTS += %D%/scenario/play.sh
tests_scenario_runner_SOURCES = \
	%D%/scenario/runner.c \
	%D%/scenario/fake_haproxy.c %D%/scenario/fake_haproxy.h \
	%D%/scenario/memory_state.c %D%/scenario/memory_state.h \
	agent/app_events.c agent/app_events.h \
	agent/app_roster.c agent/app_roster.h \
	agent/app_sync.c agent/app_sync.h \
	agent/app_uneject.c agent/app_uneject.h \
	$(fake_loop)
EXTRA_DIST += %D%/scenario/play.sh %D%/scenario/README.md %D%/scenario/RESULTS.md $(scenarios)
scenarios = \
	%D%/scenario/abandoned.scn \
	%D%/scenario/away.scn \
	%D%/scenario/baseline.scn \
	%D%/scenario/checks.scn \
	%D%/scenario/churn.scn \
	%D%/scenario/clock.scn \
	%D%/scenario/damaged.scn \
	%D%/scenario/day.scn \
	%D%/scenario/denied.scn \
	%D%/scenario/deploy.scn \
	%D%/scenario/emptied.scn \
	%D%/scenario/flapping.scn \
	%D%/scenario/foreign.scn \
	%D%/scenario/forgotten.scn \
	%D%/scenario/forsaken.scn \
	%D%/scenario/full.scn \
	%D%/scenario/goingdown.scn \
	%D%/scenario/halfway.scn \
	%D%/scenario/keys.scn \
	%D%/scenario/mass.scn \
	%D%/scenario/matrix.scn \
	%D%/scenario/outage.scn \
	%D%/scenario/planted.scn \
	%D%/scenario/plantedrestart.scn \
	%D%/scenario/released.scn \
	%D%/scenario/reload.scn \
	%D%/scenario/reloadheld.scn \
	%D%/scenario/reloadsick.scn \
	%D%/scenario/remembered.scn \
	%D%/scenario/restart.scn \
	%D%/scenario/reused.scn \
	%D%/scenario/slip.scn \
	%D%/scenario/stranger.scn \
	%D%/scenario/streams.scn \
	%D%/scenario/together.scn \
	%D%/scenario/unhealthy.scn \
	%D%/scenario/unknown.scn

# ---- torture ----

check_PROGRAMS += %D%/torture/alloc
TESTS += %D%/torture/alloc
tests_torture_alloc_SOURCES = \
	%D%/torture/alloc.c %D%/torture/alloc.h \
	%D%/torture/alloc_control.c %D%/torture/alloc_plan.c %D%/torture/alloc_text.c \
	$(control_story) $(fake_ecs) $(plan_apply) $(worlds)
tests_torture_alloc_LDFLAGS = $(AM_LDFLAGS) \
	-Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=reallocarray,--wrap=free \
	-Wl,--wrap=arena_alloc,--wrap=arena_strdup,--wrap=arena_str

# Unit tests of what has descriptors, again, with writes that would block and files in halves.
if HAVE_CMOCKA
io_tests = %D%/torture/io_conf_file %D%/torture/io_hap_ca %D%/torture/io_hap_link %D%/torture/io_hap_master %D%/torture/io_spop_server
check_PROGRAMS += $(io_tests)
TESTS += $(io_tests)
endif
short_io = %D%/torture/short_io.c
tests_torture_io_conf_file_SOURCES = %D%/unit/test_conf_file.c $(short_io)
tests_torture_io_hap_ca_SOURCES = %D%/unit/test_hap_ca.c $(short_io)
tests_torture_io_hap_link_SOURCES = %D%/unit/test_hap_link.c $(short_io)
tests_torture_io_hap_link_CPPFLAGS = $(AM_CPPFLAGS) -DSPARES_ACCEPTED
tests_torture_io_hap_master_SOURCES = %D%/unit/test_hap_master.c $(short_io)
tests_torture_io_hap_master_LDADD = $(LDADD) -lpthread
tests_torture_io_spop_server_SOURCES = %D%/unit/test_spop_server.c $(fake_loop) $(short_io)

# ---- lint ----

lint_tests = \
	%D%/lint/all-listed.sh \
	%D%/lint/codespell.sh \
	%D%/lint/core-is-pure.sh \
	%D%/lint/documents.sh \
	%D%/lint/format.sh \
	%D%/lint/function-length.sh \
	%D%/lint/headers-stand-alone.sh \
	%D%/lint/include-graph.sh \
	%D%/lint/man-pages.sh \
	%D%/lint/selftest.sh \
	%D%/lint/shellcheck.sh
TESTS += $(lint_tests)
# Slower ones, which once in a run of CI are enough: `make lint`.
slow_lint_tests = \
	%D%/lint/clang-tidy.sh \
	%D%/lint/cppcheck.sh
EXTRA_DIST += $(lint_tests) $(slow_lint_tests) %D%/lint/allowed-includes %D%/lint/report
lint: all
	$(MAKE) $(AM_MAKEFLAGS) check TESTS='$(slow_lint_tests)' check_PROGRAMS=
.PHONY: lint

# ---- bench: `make bench`, then tests/bench/apply; no part of check ----

EXTRA_PROGRAMS = %D%/bench/apply %D%/bench/control
EXTRA_DIST += %D%/bench/event %D%/bench/reload %D%/bench/spoe %D%/bench/sweep %D%/bench/RESULTS.md
CLEANFILES += %D%/bench/apply %D%/bench/control
tests_bench_apply_SOURCES = %D%/bench/apply.c
tests_bench_control_SOURCES = %D%/bench/control.c $(worlds)
bench: %D%/bench/apply %D%/bench/control
.PHONY: bench

# ---- what needs HAProxy and Python: tests/run ----

EXTRA_DIST += %D%/run %D%/again %D%/coverage %D%/fuzz/run %D%/valgrind %D%/packaging %D%/haproxy/fetch %D%/functional %D%/fakeaws %D%/load %D%/rng %D%/vectors

# Directories are copied whole: out with what Python left in them.
dist-hook:
	find $(distdir) -name __pycache__ -prune -exec rm -rf {} +
