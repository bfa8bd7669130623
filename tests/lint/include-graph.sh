#!/bin/sh
# Rooms include each other one way (allowed-includes), and the libraries that own
# handles are known only to the files that have to know them.
set -u
: "${top_srcdir:?}"
# shellcheck disable=SC1091 # our own
. "$(dirname "$0")/report"
cd "$top_srcdir/agent" || exit 1

includes() { # a pattern for what follows #include
	grep -rnE --include='*.[ch]' "^#[[:space:]]*include $1" . | sed 's|^\./||'
}

echo 1..2
report 1 "includes go one way" "$(includes '"' | awk -v table="$top_srcdir/tests/lint/allowed-includes" '
	BEGIN {
		while ((getline line < table) > 0) {
			if (line ~ /^#/ || line == "")
				continue
			split(line, row, ":")
			rooms[row[1]] = 1
			n = split(row[2], may, " ")
			for (i = 1; i <= n; i++)
				allowed[row[1], may[i]] = 1
		}
	}
	{
		split($0, place, ":")
		from = place[1]
		room = from ~ /\// ? substr(from, 1, index(from, "/") - 1) : "."
		match($0, /"[^"]*"/)
		header = substr($0, RSTART + 1, RLENGTH - 2)
		to = header ~ /\// ? substr(header, 1, index(header, "/") - 1) : "."
		if (!(room in rooms))
			print from ": room " room " is not in the table"
		else if (header != "config.h" && to != room && to != "base" && !((room, to) in allowed))
			print from ": " room " may not include " header
	}')"
report 2 "handles are known to drivers only" "$(includes '<(uv\.h|curl/|microhttpd)' | awk '
	{ split($0, place, ":"); from = place[1] }
	/<uv\.h>/ && from ~ /^(io\/|[a-z]+\/[a-z_]*_(server|link|master|files|export)\.c$)/ { next }
	/<curl\// && from ~ /^(io|cli)\// { next }
	/<microhttpd/ && from ~ /^control\/control_(server\.c|stream\.[ch]|guests\.[ch])$/ { next }
	{ print }')"
