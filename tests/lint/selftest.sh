#!/bin/sh
# Lint that never complains proves nothing: plants one offender of each kind in a
# tree of its own, and sees that it is the one that is caught.
# shellcheck disable=SC2016 # what is planted expands nothing
set -u
: "${top_srcdir:?}" "${CC:?}"
lint="$top_srcdir/tests/lint"
# shellcheck disable=SC1091 # our own
. "$lint/report"
tree=$(mktemp -d) || exit 1
trap 'rm -rf "$tree"' EXIT
n=0
tried= # the scripts that something was planted for

clean_tree() {
	rm -rf "${tree:?}"/*
	mkdir -p "$tree/agent/base" "$tree/agent/io" "$tree/agent/plan" "$tree/agent/hap" "$tree/tests/lint" "$tree/tests/unit" \
		"$tree/tests/fuzz" "$tree/tests/torture" "$tree/tests/bench" "$tree/tests/scenario"
	cp "$lint/allowed-includes" "$tree/tests/lint/"
	cp "$top_srcdir/.clang-format" "$top_srcdir/.clang-tidy" "$tree/"
	mkdir -p "$tree/.ci" "$tree/docs" "$tree/haproxy" "$tree/packaging"
	: >"$tree/NEWS"
	echo Plain words. >"$tree/README.md"
	printf '.Dd $Mdocdate$\n.Dt ROLLCALL 1\n.Os\n.Sh NAME\n.Nm rollcall\n.Nd a page\n.Sh COMMANDS\n.Bl -tag -width Ds\n.It Ic status\nAll.\n.El\n' \
		>"$tree/packaging/rollcall.1"
	rollcall_helps status
	printf '#!/bin/sh\necho "$1"\n' >"$tree/.ci/run"
	echo '#include <stdint.h>' >"$tree/agent/base/base.h"
	printf '#include "base/base.h"\nint plan_of(int n);\nint plan_planted(void);\n' >"$tree/agent/plan/plan.h"
	printf '#include "plan/plan.h"\n\nint\nplan_of(int n)\n{\n\treturn n;\n}\n' >"$tree/agent/plan/plan.c"
	printf 'int io_open(void);\nint\nio_open(void)\n{\n\treturn 0;\n}\n' >"$tree/agent/io/io.c"
	printf '%s\n' 'agent_libcore_a_SOURCES = %D%/base/base.h %D%/plan/plan.h %D%/plan/plan.c' \
		'agent_libdrive_a_SOURCES = %D%/io/io.c' >"$tree/agent/local.mk"
	: >"$tree/tests/local.mk"
}

rollcall_helps() { # COMMAND...
	{
		printf '#!/bin/sh\ncat <<END\ncommands:\n'
		[ $# = 0 ] || printf '  %s  tells something\n' "$@"
		printf '\nEND\n'
	} >"$tree/rollcall"
	chmod +x "$tree/rollcall"
}

# Compiles the tree as the build does, its warnings apart: archives, members named libcore_a-FILE.o.
archive() { # name, sources
	objects="$tree/objects/$1"
	mkdir -p "$objects"
	prefix=${1%.a}_a
	archive="$tree/agent/$1"
	shift
	for source; do
		name=${source##*/}
		mkdir -p "${source%/*}/.deps"
		# shellcheck disable=SC2086 # both hold options
		$CC -std=c11 -D_GNU_SOURCE -w ${build_flags--O2} -I"$tree/agent" -c "$source" \
			-o "$objects/$prefix-${name%.c}.o" -MD -MF "${source%/*}/.deps/$prefix-${name%.c}.Po" || exit 1
	done
	"${AR:-ar}" rc "$archive" "$objects"/*.o
}

caught() { # script, which of its checks has to complain ("" for none), what
	n=$((n + 1))
	[ -z "$2" ] || tried="$tried $1"
	if [ "$1" = core-is-pure.sh ]; then
		archive libcore.a "$tree"/agent/plan/*.c
		archive libdrive.a "$tree"/agent/io/*.c
	fi
	found=$(top_srcdir=$tree top_builddir=$tree sh "$lint/$1" 2>&1)
	if [ "$(echo "$found" | sed -n 's/^not ok [0-9]* - //p')" = "$2" ] && echo "$found" | grep -q '^ok\|^not ok\|SKIP'; then
		echo "ok $n - $1: $3"
	else
		echo "not ok $n - $1: $3"
		echo "$found" | sed 's/^/# /'
	fi
}

none() { # what, for what nothing is planted
	n=$((n + 1))
	report "$n" "$1" "${2:+nothing is planted for: $2}"
}

plant() { # file, text
	mkdir -p "$tree/$(dirname "$1")"
	printf '%s\n' "$2" >"$tree/$1"
}

for script in include-graph.sh core-is-pure.sh headers-stand-alone.sh all-listed.sh format.sh codespell.sh shellcheck.sh \
	function-length.sh man-pages.sh cppcheck.sh clang-tidy.sh; do
	clean_tree
	caught "$script" "" "a clean tree passes"
done

offends() { # script, its check, what, file, text
	clean_tree
	plant "$4" "$5"
	caught "$1" "$2" "$3 is caught"
}

# Tools that may be missing: what skips proves nothing, and is not counted.
if_there() { # script, its check, what, file, text
	clean_tree
	plant "$4" "$5"
	if_it_runs "$1" "$2" "$3"
}

if_it_runs() { # script, its check, what
	case $(top_srcdir=$tree top_builddir=$tree sh "$lint/$1") in
	*'# SKIP'*) tried="$tried $1" ;;
	*) caught "$1" "$2" "$3 is caught" ;;
	esac
}

clean_tree
set -- '#include <hap/hap_text.h>' '#include "plan/../hap/hap_text.h"' '#include  "hap/hap_text.h"' '# include "hap/hap_text.h"' \
	'#	include "hap/hap_text.h"' '#include"hap/hap_text.h"' '	#include "hap/hap_text.h"' '%:include "hap/hap_text.h"' '#include HEADER'
for text; do
	plant "agent/plan/plan_up$#.c" "$text"
	shift
done
caught include-graph.sh "includes are written plainly" "an include in another form is caught"
none "each form is told" "$(for file in "$tree"/agent/plan/plan_up*; do
	echo "$found" | grep -qF "${file##*/}: $(cat "$file")" || cat "$file"
done)"
offends include-graph.sh "includes go one way" "an include against the stream" agent/plan/plan_up.c '#include "hap/hap_text.h"'
offends include-graph.sh "includes go one way" "an include of the wiring" agent/plan/plan_app.c '#include "app.h"'
offends include-graph.sh "includes go one way" "a room that is not in the table" agent/attic/attic.c '#include "base/base.h"'
offends include-graph.sh "includes go one way" "a driver of hap in cli" agent/cli/cli_hap.c '#include "hap/hap_link.h"'
offends include-graph.sh "what is pure includes what is pure" "a system header in a pure room" agent/plan/plan_look.c '#include <unistd.h>'
offends include-graph.sh "what is pure includes what is pure" "a library in base" agent/base/base_json.c '#include <jansson.h>'
handles="handles are known to drivers only"
offends include-graph.sh "$handles" "libuv in a pure room" agent/plan/plan_uv.c '#include <uv.h>'
offends include-graph.sh "$handles" "a part of libuv" agent/plan/plan_unix.c '#include <uv/unix.h>'
offends include-graph.sh "$handles" "libcurl in a pure room" agent/plan/plan_curl.c '#include <curl/curl.h>'
offends include-graph.sh "$handles" "libuv in what is called like a driver" agent/hap/hap_files.c '#include <uv.h>'
clean_tree
plant agent/plan/plan_files.c '#include <uv.h>'
echo 'agent_libdrive_a_SOURCES += %D%/plan/plan_files.c' >>"$tree/agent/local.mk"
caught include-graph.sh "$handles" "libuv in a driver of a pure room is caught"
clean_tree
plant agent/hap/hap_files.c '#include <uv.h>'
plant agent/cli/cli_hap.c '#include "hap/hap_text.h"'
echo 'agent_libdrive_a_SOURCES += %D%/hap/hap_files.c' >>"$tree/agent/local.mk"
echo 'agent_libcore_a_SOURCES += %D%/hap/hap_text.h' >>"$tree/agent/local.mk"
caught include-graph.sh "" "libuv in a driver and what is pure of a room pass"
# All that the sources show of it is a comment.
clean_tree
plant agent/hap/hap_text.h 'int hap_text(void);'
plant agent/plan/plan_up.c '/**/ #include "hap/hap_text.h"'
echo 'agent_libcore_a_SOURCES += %D%/plan/plan_up.c %D%/hap/hap_text.h' >>"$tree/agent/local.mk"
archive libcore.a "$tree"/agent/plan/*.c
caught include-graph.sh "nothing else was read" "an include that does not look like one is caught"

# Each of them is told.
tells() { # what, each one, at the end of a line or before a bracket
	none "each $1 is told" "$(for name in $2; do
		echo "$found" | grep -qE "[^_[:alnum:]]$name(\(|\$)" || echo "$name"
	done)"
}

impure() { # its check, what, text
	offends core-is-pure.sh "$1" "$2" agent/plan/plan_planted.c "$3"
}

impure "core does not reach the world" "a look at the world" '
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <sys/times.h>
#include <time.h>
#include <unistd.h>
long plan_planted(char *to, FILE *file)
{
	struct timespec at;
	struct tms used;
	if (access(getenv("HOME"), R_OK) || remove(to) || renameat(1, to, 2, to) || flock(1, LOCK_EX))
		abort();
	putc(1, file);
	return timespec_get(&at, TIME_UTC) + times(&used) + time(NULL) + syscall(SYS_getpid) + gethostname(to, 9) + lrand48() +
		open64(to, O_RDONLY) + environ[0][0];
}'
tells "call" "access getenv remove renameat flock abort putc timespec_get times time syscall gethostname lrand48 open64 environ"
impure "core does not reach the world" "output" '
#include <stdio.h>
void plan_planted(void) { printf("%d", 1); }'
impure "core does not reach the world" "input" '
#include <stdio.h>
char *plan_planted(char *to, FILE *file) { return fgets(to, 9, file); }'
impure "core does not reach the world" "a call of a driver" '
int io_open(void);
int plan_planted(void) { return io_open(); }'
offends core-is-pure.sh "nobody calls a function that we have given up" "a function that we have given up" agent/io/io_copy.c '
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
float io_copy(char *to)
{
	strcpy(to, "planted"); /* a comment */ strcat(to, "/*");
	strncpy(to, "planted", 8);
	sprintf(to, "planted");
	return strtof(to, NULL);
}'
tells "function" "strcpy strcat strncpy sprintf strtof"
clean_tree
plant agent/plan/plan_planted.c '
/* strcpy(to, "planted") **/
const char *plan_planted(void) { return "strcat(to, \"planted\")"; /*
	sprintf(to, "planted"); */ }'
caught core-is-pure.sh "" "one that is only talked about passes"
offends core-is-pure.sh "nobody calls a function that we have given up" "the same under its checked name" agent/io/io_copy.c '
char *__strcpy_chk(char *, const char *, unsigned long);
char *io_copy(char *to, const char *from) { return __strcpy_chk(to, from, 9); }'
impure "core does not log" "a line in the log" '
void log_at(int level, const char *room, const char *fmt, ...);
void plan_planted(void) { log_at(0, "plan", "x"); }'
foreign="exported names are of their file and its header"
plan_h='int plan_planted(void); int planner(void); int plank_name(void); int _plan_name(void);'
for name in planner plank_name _plan_name; do
	clean_tree
	plant agent/plan/plan.h "$plan_h"
	plant agent/plan/plan_planted.c "int $name(void) { return 1; }"
	caught core-is-pure.sh "$foreign" "the foreign name $name is caught"
done
impure "$foreign" "a name that no header has" '/* plan_lost */ int plan_lost(void) { return 1; }'
clean_tree
plant agent/plan/plan_planted.h 'int plan_planted_too(void);'
plant agent/plan/other.h 'int plan_lost(void);'
plant agent/plan/plan_planted.c 'int plan_lost(void) { return 1; }'
caught core-is-pure.sh "$foreign" "a name that another header has is caught"

# The sanitizers keep their own state, and then ours is not looked for.
keeps_state() { # what, text
	clean_tree
	plant agent/plan/plan_planted.c "$2"
	archive libcore.a "$tree"/agent/plan/*.c
	if_it_runs core-is-pure.sh "core keeps no state" "$1"
}
keeps_state "a counter" 'int plan_planted(void) { static int n; return ++n; }'
keeps_state "a counter in a section of its own" '
int plan_planted(void) { static int n __attribute__((section("mine"))) = 1; return ++n; }'
keeps_state "a pointer that looks like a constant" '
static int *n __attribute__((section(".data.rel.ro.x"))) = (int *)&n;
int plan_planted(void) { return *++n; }'
keeps_state "a table that can be written to" '
static const char *names[] = { "a", "b" };
const char **plan_planted(void) { return names; }'

clean_tree
plant agent/plan/plan_diff.h 'int plan_diff(void);
int plan_diff_of(void);
const char *plan_name(int i);'
plant agent/plan/plan_diff.c '
int plan_diff(void) { return 1; }
int plan_diff_of(void) { return 1; }
int plan_planted(void) { return 1; }
static const char *const names[] = { "a", "b" };
const char *plan_name(int i) { return names[i]; }'
caught core-is-pure.sh "" "a part of a file's name and a constant table pass"

offends headers-stand-alone.sh "plan/plan_lean.h" "a header that leans on another" agent/plan/plan_lean.h 'uint8_t plan_lean(void);'
clean_tree
plant agent/plan/plan_lost.h 'int plan_lost(void);'
echo '# %D%/plan/plan_lost.h' >>"$tree/agent/local.mk"
caught all-listed.sh "every source is built" "a source that is only talked about is caught"
offends all-listed.sh "every source is built" "a source that is not built" agent/plan/plan_lost.c 'int plan_lost(void);'
offends all-listed.sh "every test is run" "a test that is not run" tests/unit/test_lost.c 'int main(void) { return 0; }'
offends all-listed.sh "every test is run" "a scenario that is not shipped" tests/scenario/lost.scn '# lost'
offends all-listed.sh "every test is run" "a header of a bench" tests/bench/lost.h 'int lost(void);'
offends all-listed.sh "every test is run" "lint that is not run" tests/lint/lost.sh 'exit 0'

long_function="int
plan_long(int n)
{
$(yes '	n++;' | head -n 90)
	return n;
}"
offends function-length.sh "functions are short" "a function of 90 lines" agent/plan/plan_long.c "$long_function"
offends function-length.sh "functions are short" "one in a header" agent/plan/plan_long.h "static inline $long_function"
for above in '/* long: a flat table */
' '/* long: a flat table */
struct plan_table {
	int n;
};' '/* long: a flat table */
static const int plan_table[] = { 1 };'; do
	offends function-length.sh "functions are short" "one whose reason is another's" agent/plan/plan_long.c "$above
$long_function"
done
clean_tree
plant agent/plan/plan_long.c "/* long: a flat table, and
 * a comment of two lines */
$long_function"
caught function-length.sh "" "one with its reason passes"

if_there format.sh "the sources are formatted" "a line out of form" agent/plan/plan_form.c 'int plan_form(void) {return 1;}'
if_there codespell.sh "codespell has nothing to say" "a typing error" README.md "Here a word is t""eh wrong one."
if_there shellcheck.sh "shellcheck has nothing to say" "a script that splits words" packaging/careless '#!/bin/sh
rm $1'
if_there cppcheck.sh "cppcheck has nothing to say" "memory that is lost" agent/plan/plan_lost.c '
#include <stdlib.h>
int plan_lost(void);
int plan_lost(void) { char *p = malloc(9); return p == NULL; }'
if_there cppcheck.sh "cppcheck has nothing to say" "an index beyond its array" agent/plan/plan_index.c '
int plan_index(void);
int plan_index(void) { int a[2] = { 1, 2 }; return a[2]; }'
if_there clang-tidy.sh "clang-tidy has nothing to say" "a 1 that is added in the wrong place" agent/plan/plan_tidy.c '
#include <stdlib.h>
#include <string.h>
char *plan_tidy(const char *s);
char *plan_tidy(const char *s) { return malloc(strlen(s + 1)); }'
if_there man-pages.sh "rollcalld.8" "a macro that there is not" packaging/rollcalld.8 '.Dd $Mdocdate$
.Dt ROLLCALLD 8
.Os
.Sh NAME
.Nm rollcalld
.Nd a page
.Xx none'
clean_tree
rollcall_helps status why
if_it_runs man-pages.sh "rollcall.1 has each command" "a command that no page tells"
clean_tree
rollcall_helps
if_it_runs man-pages.sh "rollcall tells its commands" "a help without commands"

# All that documents.sh reads; the documents, and what Python would find by following a link, may be written to.
documented_tree() {
	rm -rf "${tree:?}"/*
	ln -s "$top_srcdir"/* "$tree/"
	rm "$tree/NEWS" "$tree/docs" "$tree/tests"
	mkdir "$tree/docs" "$tree/tests"
	ln -s "$top_srcdir"/tests/* "$tree/tests/"
	rm "$tree/tests/functional"
	mkdir -p "$tree/tests/functional/rollcall_testlib"
	for file in "$top_srcdir"/NEWS "$top_srcdir"/docs/*.md "$top_srcdir"/tests/functional/*.py \
		"$top_srcdir"/tests/functional/rollcall_testlib/*.py; do
		cat "$file" >"$tree/${file#"$top_srcdir"/}"
	done
}

documented_tree
caught documents.sh "" "our documents pass"
documented_tree
sed 's/^| `[A-Za-z_.]*`/| `rollcall_lost`/' "$top_srcdir/docs/runbook.md" >"$tree/docs/runbook.md"
printf '%s\n' '`test_lost: it_is_lost`, `fuzz_lost`, [lost](lost.md), `rollcall lose all`' >>"$tree/docs/security.md"
echo 'rollcall 0' >"$tree/NEWS"
if_it_runs documents.sh "docs say what is" "a document that is not true"
if [ "${found#*# SKIP}" = "$found" ]; then
	none "each test of the documents fails" "$(sed -n 's/^def \(test_[a-z_]*\).*/\1/p' "$tree/tests/functional/test_documents.py" |
		while read -r name; do
			echo "$found" | grep -q "FAILED .*::$name" || echo "$name"
		done)"
fi
none "something is planted for each script" "$(for script in "$lint"/*.sh; do
	case " $tried selftest.sh " in
	*" ${script##*/} "*) ;;
	*) echo "${script##*/}" ;;
	esac
done)"
echo "1..$n"
