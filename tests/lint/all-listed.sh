#!/bin/sh
# Every source, header, test, scenario and script is named in its local.mk: what is not is
# neither built nor run nor shipped, and nobody notices.
set -u
: "${top_srcdir:?}"
# shellcheck disable=SC1091 # our own
. "$(dirname "$0")/report"
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
cd "$top_srcdir" || exit 1
export LC_ALL=C

unlisted() { # directory of the local.mk, files
	sed 's/#.*//' "$1/local.mk" | tr -s '[:blank:]' '\n' | sed -n "s|^%D%/|$1/|p" | sort -u >"$work/listed"
	shift
	# Programs go by their name without .c.
	printf '%s\n' "$@" | sed '/^$/d; s|^\(tests/unit/test_.*\)\.c$|\1|' | sort | comm -23 - "$work/listed" | sed 's/^/not in local.mk: /'
}

echo 1..2
# shellcheck disable=SC2046 # our own names hold no blanks
report 1 "every source is built" "$(unlisted agent $(find agent -name '*.[ch]'))"
# shellcheck disable=SC2046
report 2 "every test is run" "$(unlisted tests \
	$(find tests/unit tests/fuzz tests/torture tests/bench tests/scenario -name '*.[ch]' -o -name '*.scn') $(find tests/lint -name '*.sh'))"
