#!/bin/sh
# The sources are as `make format` leaves them.  Other versions of clang-format
# have other opinions, so only the one of .clang-format's first line is asked.
set -u
: "${top_srcdir:?}"
# shellcheck disable=SC1091 # our own
. "$(dirname "$0")/report"
cd "$top_srcdir" || exit 1
wanted=$(sed -n '1s/.*clang-format \([0-9]*\).*/\1/p' .clang-format)
for tool in "clang-format-$wanted" clang-format; do
	"$tool" --version 2>/dev/null | grep -q "version $wanted\." && break
	tool=
done
if [ -z "$tool" ]; then
	echo "1..0 # SKIP there is no clang-format $wanted"
	exit 0
fi
# tests/haproxy/had holds other people's work.
bad=$(find agent tests -path tests/haproxy/had -prune -o -name '*.[ch]' -print | LC_ALL=C sort | xargs "$tool" --dry-run 2>&1 |
	sed -n 's/^\([^:]*\):\([0-9]*\):.*/\1:\2/p' | sort -u)
echo 1..1
report 1 "the sources are formatted" "$bad"
