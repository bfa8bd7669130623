#!/bin/sh
# Each header compiles first and alone, without config.h.
set -u
: "${top_srcdir:?}" "${CC:?}"
cd "$top_srcdir/agent" || exit 1
out=$(mktemp) || exit 1
trap 'rm -f "$out"' EXIT
n=0
for header in $(find . -name '*.h' | LC_ALL=C sort); do
	n=$((n + 1))
	header=${header#./}
	# shellcheck disable=SC2086 # CC may hold options
	if echo "#include \"$header\"" |
		$CC -std=c11 -D_GNU_SOURCE -Wall -Wextra -Werror -fsyntax-only -I. -x c - >"$out" 2>&1; then
		echo "ok $n - $header"
	else
		echo "not ok $n - $header"
		sed 's/^/# /' "$out"
	fi
done
echo "1..$n"
