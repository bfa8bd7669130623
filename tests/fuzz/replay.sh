#!/bin/sh
# Replays the corpus of each fuzz target, as an ordinary test.  A target without a
# corpus, or a corpus without a target, is a failure, too.
set -u
: "${top_srcdir:?}" "${top_builddir:?}"
here="$top_srcdir/tests/fuzz"
out=$(mktemp) || exit 1
trap 'rm -f "$out"' EXIT
n=0

result() { # ok or not ok, what
	n=$((n + 1))
	echo "$1 $n - $2"
}

replay() { # target
	program="$top_builddir/tests/fuzz/replay_$1"
	if [ ! -x "$program" ]; then
		result "not ok" "$1 has no program"
	elif [ -z "$(find "$here/corpus/$1" -type f 2>/dev/null)" ]; then
		result "not ok" "$1 has no corpus"
	elif find "$here/corpus/$1" -type f -print0 | LC_ALL=C sort -z | xargs -0 "$program" >"$out" 2>&1; then
		result ok "$1 survives the $(find "$here/corpus/$1" -type f | wc -l) files of its corpus"
	else
		result "not ok" "$1"
		sed 's/^/# /' "$out"
	fi
}

for source in "$here"/fuzz_*.c; do
	target=${source##*/fuzz_}
	replay "${target%.c}"
done
for corpus in "$here"/corpus/*/; do
	corpus=${corpus%/}
	[ -f "$here/fuzz_${corpus##*/}.c" ] || result "not ok" "corpus ${corpus##*/} has no target"
done
echo "1..$n"
