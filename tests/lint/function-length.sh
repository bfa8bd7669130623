#!/bin/sh
# How long functions are, in lines from brace to brace: tells median and p90, and refuses
# one of more than 80 that is not a flat switch or table (a line `/* long: WHY */` directly above
# it says so).  The layout is clang-format's: a function's braces stand in the first column.
set -u
: "${top_srcdir:?}"
cd "$top_srcdir" || exit 1
out=$(mktemp) || exit 1
trap 'rm -f "$out"' EXIT
# shellcheck disable=SC2016 # awk's own $
find agent -name '*.[ch]' ! -name '*_bytes.c' | LC_ALL=C sort | xargs awk '
	FNR == 1 { inside = 0; excused = 0 }
	!inside && (/^$/ || /[;}]$/) { excused = 0 }
	/^\/\* long: / { excused = 1 }
	/^[a-z_].*\(/ && !inside { name = $0; sub(/\(.*/, "", name); sub(/.*[ *]/, "", name) }
	/^\{/ { inside = 1; begin = FNR }
	/^\}/ && inside {
		print FNR - begin - 1, FILENAME ": " name, excused
		inside = 0
		excused = 0
	}' | sort -n >"$out"
n=$(wc -l <"$out")
at() { # percent
	awk -v at="$((n * $1 / 100 + 1))" 'NR == at { print $1 }' "$out"
}
long=$(awk '$1 > 80 && $NF == 0' "$out")
echo 1..1
echo "# $n functions: median $(at 50) lines, p90 $(at 90), p99 $(at 99), the longest $(tail -n 1 "$out" | cut -d' ' -f1,3)"
if [ "$n" -eq 0 ]; then
	echo "not ok 1 - there are functions"
elif [ -z "$long" ] && { [ "$(at 90)" -le 50 ] || [ "$n" -lt 100 ]; }; then
	echo "ok 1 - functions are short"
else
	echo "not ok 1 - functions are short"
	echo "$long" | sed 's/^/# /'
fi
