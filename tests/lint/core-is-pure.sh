#!/bin/sh
# libcore.a decides and does nothing else.  It may call what is listed here, so no driver and
# nothing of the world's; it logs nothing, keeps no state, and each of its objects exports only
# names that begin with its file's name (or the front part of it: plan_diff.c may export plan_free)
# and stand in the header of that name.  Functions that we have given up are called by nobody,
# drivers and programs included.
set -u
: "${top_srcdir:?}" "${top_builddir:?}"
# shellcheck disable=SC1091 # our own
. "$(dirname "$0")/report"
core="$top_builddir/agent/libcore.a"
drive="$top_builddir/agent/libdrive.a"

# Values in, values out.  Time that is passed in may be formatted, addresses may be parsed: both are values.
may='(__)?explicit_bzero|mem(chr|cmp|cpy|mem|move|set)|bcmp|str(chr|cmp|cspn|len|nlen|ncmp|rchr|spn|str)|strn?casecmp'
may="$may|v?snprintf|strerror_r|qsort|bsearch|(__)?gmtime(64)?_r|(__)?timegm(64)?|inet_(ntop|pton)|in6addr_loopback"
may="$may|malloc|calloc|realloc|reallocarray|free|malloc_usable_size|reg(comp|error|exec|free)|__ctype_.*|__errno_location"
may="$may|EVP_(Digest|EncodeBlock|sha256)|HMAC|XML_.*|yaml_event_delete|yaml_parser_(delete|initialize|parse|set_encoding)"
may="$may|yaml_parser_set_input_string|json_(array|object|stringn?|integer|number|real|true|false|null)(_.*)?"
may="$may|json_(pack|loadb|dumps|delete)"
# What compilers add to that, or put into its place: `__memcpy_chk` is memcpy.  The log is asked for below.
may="$may|log_at|__assert_fail|__stack_chk_(fail|fail_local|guard)|_GLOBAL_OFFSET_TABLE_|__tls_get_addr"
may="$may|__(asan|ubsan|lsan|tsan|msan|hwasan|sanitizer|sancov|gcov|llvm|aarch64|aeabi)_.*|__(start|stop)___sancov_.*"
may="$may|__(u?(div|mod|divmod|cmp)|mul|ashl|ashr|lshr|popcount|clz|ctz)[dst]i[234]"
banned='strcpy|strcat|strncpy|strncat|stpcpy|stpncpy|sprintf|vsprintf|gets|strtok|strtok_r|atoi|atol|atoll|atof|strtol|strtoul'
banned="$banned|strtoll|strtoull|strtoumax|strtoimax|strtod|strtof|strtold|sscanf|vsscanf|alloca|strdup|asprintf|vasprintf"
banned="$banned|gmtime|localtime|ctime|asctime|strerror|tmpnam|mktemp"
# strndup is not among them: it is told how long the string is, which strdup has to believe.

work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
cd "$top_srcdir" || exit 1
"${NM:-nm}" -g -A "$core" >"$work/core"
if ! grep -q ' T ' "$work/core"; then
	echo "Bail out! there is no code in $core"
	exit 1
fi

# The sources without comments and texts, for a compiler folds the strcpy of a constant, and no
# object has heard of it.  FILE: LINE.
find agent -name '*.[ch]' ! -name '*_bytes.c' -exec awk '
	FNR == 1 { inside = 0 }
	{
		line = $0
		code = ""
		if (inside && sub(/^([^*]|\*+[^*\/])*\*+\//, "", line))
			inside = 0
		while (!inside && match(line, /"([^"\\]|\\.)*"|\047([^\047\\]|\\.)+\047|\/\/.*|\/\*/)) {
			code = code substr(line, 1, RSTART - 1) " "
			found = substr(line, RSTART, 2)
			line = substr(line, RSTART + RLENGTH)
			inside = found == "/*" && !sub(/^([^*]|\*+[^*\/])*\*+\//, "", line)
		}
		print FILENAME ": " code (inside ? "" : line)
	}' {} + >"$work/words"

echo 1..5
report 1 "core does not reach the world" "$(awk -v may="^($may)\$" '
	$(NF - 1) !~ /^[Uwv]$/ { ours[$NF] = 1; next }
	{ needs[$1 " " $NF] = $NF }
	END {
		for (who in needs) {
			name = plain = needs[who]
			if (name ~ /^__.*_chk$/)
				plain = substr(name, 3, length(name) - 6)
			if (!(name in ours) && name !~ may && plain !~ may)
				print who
		}
	}' "$work/core" | LC_ALL=C sort)"
report 2 "nobody calls a function that we have given up" "$(
	"${NM:-nm}" -u -A "$core" "$drive" "$top_builddir"/agent/*.o "$top_builddir"/agent/cli/*.o 2>/dev/null |
		grep -E " (__isoc[0-9]+_)?($banned)\$| __($banned)_chk\$"
	grep -wE "$banned|asm|__asm|__asm__" "$work/words"
)"
report 3 "exported names are of their file and its header" "$(awk '
	FILENAME ~ /words$/ {
		if (!match($1, /[^\/]*\.h:$/))
			next
		header = substr($1, RSTART, RLENGTH - 3)
		headers[header] = 1
		n = split($0, word, /[^A-Za-z0-9_]+/)
		for (i = 1; i <= n; i++)
			said[header, word[i]] = anywhere[word[i]] = 1
		next
	}
	# The sanitizers and the counters of coverage add theirs.
	$(NF - 1) ~ /^[Uwv]$/ || $NF ~ /^(__odr_asan|__asan|__gcov|__llvm|__prof|__covrec|DW\.ref)/ || NF < 3 { next }
	{
		object = $1
		sub(/\.o:.*/, "", object)
		sub(/.*-/, "", object)
		# What has no header of its own is declared in that of a sibling.
		alone = !(object in headers) && $NF in anywhere
		named = declared = 0
		for (file = object; ; ) {
			named = named || $NF == file || index($NF, file "_") == 1
			declared = declared || (file, $NF) in said
			if (!sub(/_[^_]*$/, "", file))
				break
		}
		if (!named || !(declared || alone))
			print object ": " $NF
	}' "$work/words" "$work/core")"
if grep -qE ' __(asan|ubsan|sanitizer|sancov|gcov|llvm)_' "$work/core"; then
	echo "ok 4 - core keeps no state # SKIP the sanitizers keep theirs in it"
else
	# The log's sink and level are the exception (base/log.h).
	report 4 "core keeps no state" "$(LC_ALL=C "${OBJDUMP:-objdump}" -h -w "$core" | awk '
		/file format/ { object = $1 }
		object ~ /-log\.o:/ || $2 ~ /^\.data\.rel\.ro(\.local)?$/ { next }
		/ ALLOC/ && !/READONLY/ && $3 !~ /^0+$/ { print object " " $2 " has 0x" $3 " bytes" }')"
fi
report 5 "core does not log" "$(grep ' U log_at$' "$work/core")"
