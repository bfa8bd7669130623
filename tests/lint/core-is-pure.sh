#!/bin/sh
# libcore.a decides and does nothing else: it may not call the world or a driver, it
# logs nothing, keeps no state, and each of its objects exports only names that begin with its file's
# name (or the front part of it: plan_diff.c may export plan_free).  Functions that
# we have given up are called by nobody, drivers and programs included.
set -u
: "${top_builddir:?}"
# shellcheck disable=SC1091 # our own
. "$(dirname "$0")/report"
nm=${NM:-nm}
size=${SIZE:-size}
core="$top_builddir/agent/libcore.a"
drive="$top_builddir/agent/libdrive.a"

# Time that is passed in may be formatted, addresses may be parsed: both are values.
world='uv_.*|curl_.*|MHD_.*|socket|socketpair|connect|bind|listen|accept4?|shutdown|setsockopt|send|sendto|sendmsg'
world="$world|recv|recvfrom|recvmsg|poll|ppoll|epoll_.*|select|pselect|open|openat|creat|fopen|fdopen|freopen|fclose"
world="$world|fread|fwrite|read|write|pread|pwrite|readv|writev|close|stat|lstat|fstat|mkdir|unlink|rename|opendir"
world="$world|(__)?(v|f|vf|d|vd)?printf(_chk)?|puts|putchar|fputs|fputc|perror|syslog|getenv|secure_getenv|setenv"
world="$world|time|gettimeofday|clock_gettime|clock|nanosleep|usleep|sleep|alarm|localtime|localtime_r|mktime|strftime"
world="$world|rand|rand_r|random|srand|srandom|drand48|getrandom|getentropy|arc4random.*|RAND_.*|getpid|getuid|isatty"
world="$world|exit|_exit|fork|vfork|exec.*|system|popen|signal|sigaction|pthread_.*|thrd_.*|getaddrinfo|gethostby.*"
world="$world|setlocale|json_(load|dump)(f|fd|_file)|yaml_parser_set_input_file|yaml_emitter_set_output_file"
banned='strcpy|strcat|strncpy|strncat|stpcpy|sprintf|vsprintf|gets|strtok|strtok_r|atoi|atol|atoll|atof|strtol|strtoul'
banned="$banned|strtoll|strtoull|strtoumax|strtoimax|strtod|sscanf|vsscanf|alloca|strdup|asprintf|vasprintf"
banned="$banned|gmtime|localtime|ctime|asctime|strerror|tmpnam|mktemp"

# OBJECT: NAME, for each name that an object needs and matches.
calls() { # pattern, files
	pattern=$1
	shift
	"$nm" -u -A "$@" 2>/dev/null | awk -v pattern="^($pattern)\$" '
		{
			name = $NF
			sub(/@.*/, "", name)
			sub(/^__isoc[0-9]*_/, "", name)
			if (name ~ pattern || (sub(/^__/, "", name) && sub(/_chk$/, "", name) && name ~ pattern))
				print $1 " " $NF
		}'
}

if [ ! -f "$core" ]; then
	echo "Bail out! there is no $core"
	exit 1
fi
# What the drivers export, and the log, which is theirs to write.
drivers=$("$nm" --defined-only -g "$drive" 2>/dev/null | awk 'NF == 3 { printf "%s|", $3 }')
echo 1..5
report 1 "core does not reach the world" "$(calls "$world" "$core")"
report 2 "nobody calls a function that we have given up" \
	"$(calls "$banned" "$core" "$drive" "$top_builddir"/agent/*.o "$top_builddir"/agent/cli/*.o)"
report 3 "exported names begin with the name of their file" "$("$nm" --defined-only -g -A "$core" | awk '
	{
		parts = split($1, path, ":")
		file = path[parts] == "" ? path[parts - 1] : path[parts - 1]
		sub(/.*-/, "", file)
		sub(/\.o$/, "", file)
		if ($NF == file || $NF ~ /^[_.]/)
			next
		do {
			if (index($NF, file "_") == 1)
				next
		} while (sub(/_[^_]*$/, "", file))
		print $1 ": " $NF
	}')"
if "$nm" -u "$core" 2>/dev/null | grep -qE '__(asan|ubsan|sanitizer|gcov|llvm)_'; then
	echo "ok 4 - core keeps no state # SKIP the sanitizers keep theirs in it"
else
	# The log's sink and level are the exception (base/log.h).
	report 4 "core keeps no state" "$("$size" -A -d "$core" | awk '
		/\.o / { object = $1 }
		object ~ /-log\.o$/ || /^\.data\.rel\.ro/ { next }
		$1 ~ /^\.(data|bss|tdata|tbss)(\.|$)/ && $2 > 0 { print object ": " $1 " has " $2 " bytes" }')"
fi
report 5 "core calls no driver and does not log" "$(calls "${drivers}log_at" "$core")"
