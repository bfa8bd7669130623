#!/bin/sh
# What cppcheck calls an error or a warning: for `make lint`, some 10 s.
set -u
: "${top_srcdir:?}"
if ! command -v cppcheck >/dev/null; then
	echo "1..0 # SKIP there is no cppcheck"
	exit 0
fi
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
cd "$top_srcdir" || exit 1
cat >"$work/queue.h" <<-'EOF'
	#define TAILQ_FOREACH(var, head, field) for ((var) = (head)->tqh_first; (var); (var) = (var)->field.tqe_next)
	#define STAILQ_FOREACH(var, head, field) for ((var) = (head)->stqh_first; (var); (var) = (var)->field.stqe_next)
EOF
# It knows neither sys/queue.h, nor what memcpy does to a list of pointers, nor that what
# returns ERR_OK has set its result.
cppcheck --quiet --std=c11 -j2 --enable=warning,portability,performance --inline-suppr --error-exitcode=1 \
	--cppcheck-build-dir="$work" --suppress=missingIncludeSystem --suppress=unusedStructMember \
	--suppress=uninitStructMember --suppress=ctunullpointer --suppress='memleak:agent/plan/overlay.c' -Iagent -D__linux__ -D'PACKAGE_VERSION=""' \
	--include="$work/queue.h" agent >"$work/out" 2>&1
status=$?
echo 1..1
if [ "$status" = 0 ]; then
	echo "ok 1 - cppcheck has nothing to say"
else
	echo "not ok 1 - cppcheck has nothing to say"
	sed 's/^/# /' "$work/out"
fi
