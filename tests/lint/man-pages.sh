#!/bin/sh
# The man pages are as mandoc wants them, and rollcall(1) has each command of `rollcall help`.
set -u
: "${top_srcdir:?}" "${top_builddir:?}"
# shellcheck disable=SC1091 # our own
. "$(dirname "$0")/report"
cd "$top_srcdir/packaging" || exit 1
if ! command -v mandoc >/dev/null; then
	echo "1..0 # SKIP there is no mandoc"
	exit 0
fi
n=0
tell() { # NAME, WHAT IS WRONG
	n=$((n + 1))
	report "$n" "$1" "$2"
}
for page in *.[158]; do
	tell "$page" "$(mandoc -Tlint -Wwarning "$page" 2>&1)"
done
tell "rollcall.1 has each command" "$("$top_builddir/rollcall" help | sed -n '/^commands:/,/^$/s/^  \([a-z-]*\) .*/\1/p' |
	while read -r command; do
		grep -Eq "^\.(It|Op)? ?Ic $command( |\$)" rollcall.1 || echo "$command is missing"
	done)"
tell "rollcall tells its commands" "$("$top_builddir/rollcall" help 2>&1 | grep -q '^  status ' || echo "its help lists none")"
echo "1..$n"
