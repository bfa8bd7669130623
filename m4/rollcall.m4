# The few probes that configure.ac needs beyond autoconf's own.

# RC_CHECK_FLAG(FLAG, IF-TAKEN, IF-NOT): -Werror while probing, because clang
# only warns about a flag that it does not know.
AC_DEFUN([RC_CHECK_FLAG], [
	AS_VAR_PUSHDEF([cache], [rc_cv_cflag_$1])
	AC_CACHE_CHECK([whether $CC takes $1], [cache], [
		rc_saved_CFLAGS=$CFLAGS
		CFLAGS="$CFLAGS -Werror $1"
		AC_COMPILE_IFELSE([AC_LANG_PROGRAM([], [])], [AS_VAR_SET([cache], [yes])], [AS_VAR_SET([cache], [no])])
		CFLAGS=$rc_saved_CFLAGS
	])
	AS_VAR_IF([cache], [yes], [$2], [$3])
	AS_VAR_POPDEF([cache])
])

# RC_APPEND_FLAGS(VARIABLE, FLAGS): appends those that the compiler takes.
AC_DEFUN([RC_APPEND_FLAGS], [
	m4_foreach_w([rc_flag], [$2], [RC_CHECK_FLAG(rc_flag, [$1="$$1 rc_flag"])])
])

# _FORTIFY_SOURCE only where optimisation is on (glibc warns otherwise), and
# only if the distribution's compiler has not set it already.
AC_DEFUN([RC_FORTIFY], [
	AC_MSG_CHECKING([whether to set _FORTIFY_SOURCE])
	AC_COMPILE_IFELSE([AC_LANG_PROGRAM([], [[
#if defined(_FORTIFY_SOURCE) || !defined(__OPTIMIZE__)
#error "already set, or of no use"
#endif
	]])], [
		AC_MSG_RESULT([yes])
		EXTRA_CFLAGS="$EXTRA_CFLAGS -D_FORTIFY_SOURCE=2"
	], [AC_MSG_RESULT([no])])
])
