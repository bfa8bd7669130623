#!/bin/sh
# Rooms include each other one way, what is pure no system header but its own few
# (allowed-includes), and the libraries that own handles are known only to the files that have
# to know them.  The sources tell who includes whom, if they say it plainly; what hides from
# that, behind a comment, say, is in the lists of what the compiler has read.
set -u
: "${top_srcdir:?}" "${top_builddir:?}"
# shellcheck disable=SC1091 # our own
. "$(dirname "$0")/report"
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
cd "$top_srcdir/agent" || exit 1

grep -rnE --include='*.[ch]' '^[[:space:]]*(#|%:|\?\?=)[[:space:]]*(include|import)' . | sed 's|^\./||' >"$work/includes"
cat >"$work/tables.awk" <<-'EOF'
	function room_of(path) { return path ~ /\// ? substr(path, 1, index(path, "/") - 1) : "." }
	function library_of(header) {
		if (header ~ /(^|\/)uv(\/[a-z_-]+)?\.h$/)
			return "uv"
		if (header ~ /(^|\/)curl\/[a-z_]+\.h$/)
			return "curl"
		return header ~ /(^|\/)microhttpd[a-z_]*\.h$/ ? "microhttpd" : ""
	}
	# Whose file it is, as local.mk has it: agent_libcore_a_SOURCES, say.
	FILENAME ~ /local\.mk$/ {
		if (/=/)
			owner = $1
		for (i = 1; i <= NF; i++)
			if (sub(/^%D%\//, "", $i))
				listed[$i] = owner
		next
	}
	FILENAME ~ /allowed-includes$/ {
		if (/^#/ || !NF)
			next
		room = $1
		sub(/:$/, "", room)
		rooms[room] = 1
		for (i = 2; i <= NF; i++) {
			only_pure = gsub(/[()]/, "", $i)
			allowed[room, $i] = only_pure ? "pure" : "all"
		}
		next
	}
	function is_of(file, owners) { return file in listed && listed[file] ~ owners }
EOF
tables="local.mk $top_srcdir/tests/lint/allowed-includes"

# shellcheck disable=SC2086 # two files
awk "$(cat "$work/tables.awk")"'
	{
		split($0, place, ":")
		from = place[1]
		room = room_of(from)
		text = substr($0, length(place[1] place[2]) + 3)
		header = text
		gsub(/^[^"<]*["<]|[">].*/, "", header)
		to = room_of(header)
		library = library_of(header)
	}
	text !~ /^#include ("([a-z]+\/)?[a-z0-9_]+\.h"|<[a-z0-9_\/]+\.h>)([ \t]|$)/ { print 1, from ": " text; next }
	!(room in rooms) { print 2, from ": room " room " is not in the table"; next }
	text ~ /</ && (header in listed || header ~ /\// && to in rooms) {
		print 1, from ": " text ": ours are in quotes"
		next
	}
	text ~ /"/ && header != "config.h" && to != room && to != "base" {
		if (!((room, to) in allowed))
			print 2, from ": room " room " may not include " header
		else if (allowed[room, to] == "pure" && !is_of(header, "libcore"))
			print 2, from ": of room " to ", room " room " may include what is pure, and not " header
	}
	text ~ /</ && !library && !is_of(from, "libdrive|rollcall") && !(("libc", header) in allowed) &&
	    (room == "base" || !(("libraries", header) in allowed)) { print 3, from ": " header }
	library == "uv" && is_of(from, "libdrive") && (room == "io" || (room, "io") in allowed) { next }
	library == "curl" && room ~ /^(io|cli)$/ { next }
	library == "microhttpd" && from ~ /^control\/control_(server\.c|stream\.[ch]|guests\.[ch])$/ { next }
	library { print 4, from ": " header }' $tables "$work/includes" >"$work/found"

# Through others a room may see what those may.  A file that is gone may have left its list.
(cd "$top_builddir/agent" && find . -name '*.Po' -size +100c -exec cat {} +) |
	sed -n '/\.o:/p; /^ /p' >"$work/read"
# shellcheck disable=SC2086
awk "$(cat "$work/tables.awk")"'
	FNR == 1 {
		for (over in rooms)
			for (room in rooms)
				for (to in rooms)
					if ((room, over) in allowed && (over, to) in allowed)
						allowed[room, to] = "all"
	}
	{
		for (i = 1; i <= NF; i++) {
			file = $i
			while (sub(/[^\/.]+\/\.\.\//, "", file))
				;
			ours = sub(/^(.*\/)?agent\//, "", file) && file in listed
			to = room_of(file)
			if (ours && file ~ /\.c$/) {
				from = file
				room = to
			} else if (ours && to != room && to != "base" && !((room, to) in allowed) || !ours && library_of(file) && is_of(from, "libcore"))
				print 5, from ": the compiler has read " file
			else if (file ~ /\.o:$/) # whose source is told next, if it is there still
				from = room = "."
		}
	}' $tables "$work/read" >>"$work/found"

found() { # number
	sed -n "s/^$1 //p" "$work/found" | LC_ALL=C sort -u
}

echo 1..5
report 1 "includes are written plainly" "$(found 1)"
report 2 "includes go one way" "$(found 2)"
report 3 "what is pure includes what is pure" "$(found 3)"
report 4 "handles are known to drivers only" "$(found 4)"
if [ -s "$work/read" ]; then
	report 5 "nothing else was read" "$(found 5)"
else
	echo "ok 5 - nothing else was read # SKIP the compiler was not asked what it read"
fi
