#!/bin/sh
# Every script of ours, whatever its name.
set -u
: "${top_srcdir:?}"
if ! command -v shellcheck >/dev/null; then
	echo "1..0 # SKIP there is no shellcheck"
	exit 0
fi
cd "$top_srcdir" || exit 1
# shellcheck disable=SC2016 # awk's own $
scripts=$(find .ci haproxy packaging tests -path tests/haproxy/had -prune -o -type f ! -name '*.[cho]' -print0 2>/dev/null |
	xargs -0 awk 'FNR == 1 { if ($0 ~ /^#! ?\/bin\/(ba)?sh/) print FILENAME; nextfile }' | LC_ALL=C sort)
echo 1..1
# shellcheck disable=SC2086 # our own names hold no blanks
if bad=$(shellcheck --format=gcc $scripts 2>&1); then
	echo "ok 1 - shellcheck has nothing to say of $(echo "$scripts" | wc -l) scripts"
else
	echo "not ok 1 - shellcheck has nothing to say"
	echo "$bad" | sed 's/^/# /'
fi
