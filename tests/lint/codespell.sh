#!/bin/sh
# Typing errors in what people read.  Words that are right here, or wrong on purpose (the
# tests of suggestions), are in the list below.
set -u
: "${top_srcdir:?}"
# shellcheck disable=SC1091 # our own
. "$(dirname "$0")/report"
if ! command -v codespell >/dev/null; then
	echo "1..0 # SKIP there is no codespell"
	exit 0
fi
cd "$top_srcdir" || exit 1
bad=$(find ./*.md NEWS agent docs haproxy packaging tests \
	\( -path tests/haproxy/had -o -path tests/vectors -o -path tests/fuzz/corpus -o -name __pycache__ \) -prune -o \
	-type f \( -name '*.[ch158]' -o -name '*.md' -o -name '*.py' -o -name '*.sh' -o -name '*.cfg' -o -name '*.y*ml' -o -name '*.scn' \
	-o -name '*Dockerfile' -o -name NEWS -o -name 'page.html' \) -print 2>/dev/null |
	LC_ALL=C sort | xargs codespell --ignore-words-list te,nd,iif,fro,nmae,levl,servce,wieght,lables,rutes)
echo 1..1
report 1 "codespell has nothing to say" "$bad"
