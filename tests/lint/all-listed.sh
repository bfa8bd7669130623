#!/bin/sh
# Every source, header, test and script is named in its local.mk: what is not is
# neither built nor run nor shipped, and nobody notices.
set -u
: "${top_srcdir:?}"
# shellcheck disable=SC1091 # our own
. "$(dirname "$0")/report"
cd "$top_srcdir" || exit 1

# What a file is called in local.mk: programs go by their name without .c.
listed_as() {
	case $1 in
	unit/test_*.c) echo "${1%.c}" ;;
	*) echo "$1" ;;
	esac
}

unlisted() { # directory of the local.mk, files
	mk=$1/local.mk
	dir=$1
	shift
	for file; do
		name=$(listed_as "${file#"$dir"/}")
		tr -s '[:blank:]' '\n' <"$mk" | grep -qxF "%D%/$name" || echo "not in local.mk: $file"
	done
}

echo 1..2
# shellcheck disable=SC2046 # our own names hold no blanks
report 1 "every source is built" "$(unlisted agent $(find agent -name '*.[ch]'))"
# shellcheck disable=SC2046
report 2 "every test is run" "$(unlisted tests \
	$(find tests/unit tests/fuzz tests/torture -name '*.[ch]') $(find tests/lint -name '*.sh'))"
