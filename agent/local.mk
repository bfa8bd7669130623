# Two archives, one rule: nothing in libcore may touch a socket, a clock, the
# environment or the loop.  tests/lint/core-is-pure holds us to it.
noinst_LIBRARIES += agent/libcore.a agent/libdrive.a

agent_libcore_a_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS) $(YAML_CFLAGS) $(CRYPTO_CFLAGS)
agent_libcore_a_SOURCES = \
	%D%/base/arena.c %D%/base/arena.h \
	%D%/base/buf.c %D%/base/buf.h \
	%D%/base/cleanup.h %D%/base/clk.h %D%/base/env.h \
	%D%/base/err.c %D%/base/err.h \
	%D%/base/fault.c %D%/base/fault.h \
	%D%/base/log.c %D%/base/log.h \
	%D%/base/prng.h \
	%D%/base/rfc3339.c %D%/base/rfc3339.h \
	%D%/base/str.c %D%/base/str.h \
	%D%/base/utf8.c %D%/base/utf8.h \
	%D%/sync/reconcile.c %D%/sync/reconcile.h

# What owns handles: rollcalld links it, tests of the drivers too.
agent_libdrive_a_CFLAGS = $(AM_CFLAGS) $(UV_CFLAGS) $(CURL_CFLAGS) $(MHD_CFLAGS) $(JANSSON_CFLAGS)
agent_libdrive_a_SOURCES = \
	%D%/conf/conf_file.c %D%/conf/conf_file.h

core_libs = $(CRYPTO_LIBS) $(YAML_LIBS) $(JANSSON_LIBS)

sbin_PROGRAMS += rollcalld
rollcalld_CFLAGS = $(AM_CFLAGS) $(UV_CFLAGS)
rollcalld_SOURCES = \
	%D%/rollcalld.c \
	%D%/app.c %D%/app.h \
	%D%/app_state.c %D%/app_state.h \
	%D%/app_sync.c %D%/app_sync.h
rollcalld_LDADD = agent/libdrive.a agent/libcore.a $(UV_LIBS) $(CURL_LIBS) $(MHD_LIBS) $(core_libs)

bin_PROGRAMS += rollcall
rollcall_CFLAGS = $(AM_CFLAGS) $(CURL_CFLAGS) $(JANSSON_CFLAGS)
rollcall_SOURCES = %D%/cli/rollcall.c
rollcall_LDADD = agent/libcore.a $(CURL_LIBS) $(JANSSON_LIBS)
