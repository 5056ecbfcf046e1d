#!/bin/sh
# The house's architecture, as TAP: includes form no circle, each library is included by one .c
# file and by no header, files keep their size, and the pure modules call nothing that has an
# effect or reads a clock (judged by the undefined symbols of their objects).
# Usage: check-includes.sh SOURCE_DIR LIBCORE_A
set -u
src=$1/src
lib=$2
n=0
failures=0

report() { # ok|not ok, description, diagnostics
    n=$((n + 1))
    echo "$1 $n - $2"
    [ "$1" = ok ] || failures=1
    [ -z "${3:-}" ] || echo "$3" | sed 's/^/# /'
}

expect_empty() { # description, text that must be empty
    if [ -z "$2" ]; then report ok "$1"; else report 'not ok' "$1" "$2"; fi
}

echo 1..5

# tsort complains about loops; a pair "a b" says that a includes b.
loops=$(grep -H '^#include "' "$src"/*.h "$src"/*/*.h | sed 's|^.*/\([^/:]*\):#include "\(.*\)"|\1 \2|' |
    tsort 2>&1 >/dev/null)
expect_empty 'includes form no circle' "$loops"

# The header of each library, and the only file that may include it: one in each program.
wrong=''
while read -r header owners; do
    users=$(cd "$src" && grep -l "^#include <$header" -- *.[ch] */*.[ch] | tr '\n' ' ')
    [ "$users" = "$owners " ] || wrong="$wrong$header is included by: $users(only $owners may)
"
done <<EOF
systemd/sd-event.h oomd.c desk/desk.c
systemd/sd-daemon.h oomd.c desk/desk.c
systemd/sd-bus.h ctl/ctl-reload.c desk/bus.c
systemd/sd-journal.h report-output.c
libproc2/ sensor.c
libcgroup.h cgroup.c
ini.h config.c
jansson.h json.c
bpf/ bpf/load.c bpf/tasks.bpf.c
EOF
expect_empty 'each library is included by one file' "$wrong"

expect_empty 'no header includes a library' \
    "$(grep -nE '^#include <(systemd/|libproc2/|libcgroup|ini\.h|bpf/|jansson)' "$src"/*.h "$src"/*/*.h)"

expect_empty 'no file is over 500 lines' \
    "$(wc -l "$src"/*.[ch] "$src"/*/*.[ch] | awk '$2 != "total" && $1 > 500')"

# What pure code may call: memory and string functions, regexec, and other pure modules.
allowed='^(_GLOBAL_OFFSET_TABLE_|__stack_chk_fail|__asan_.*|__ubsan_.*|__tsan_.*|__sanitizer_.*|__u?divti3|memcpy|memset|memmove|memcmp|memchr|strlen|strcmp|strncmp|strchr|strrchr|strstr|strcspn|strspn|strnlen|strtoull|strtoul|snprintf|regexec|calloc|malloc|free|__errno_location|__isoc99_sscanf|__memcpy_chk|__memset_chk|__snprintf_chk|__ctype_b_loc|bcmp|(config|engine|verdict|victim|hidden|sharedmm|psi|fill_rate|snapshot_find)(_.*)?)$'
impure=''
for module in container engine engine-outcome engine-state verdict victim victim-hidden victim-rank victim-rules victim-set sharedmm \
    sharedmm-settle psi config-value whole; do
    used=$(nm -u "$lib" 2>/dev/null | awk -v m="$module.c.o:" '
        /:$/ { in_module = index($0, m) > 0 && $0 ~ ("(^|[^a-z-])" m "$") }
        in_module && $1 == "U" { print $2 }' | grep -vE "$allowed")
    [ -z "$used" ] || impure="$impure$module.c calls: $(echo "$used" | tr '\n' ' ')
"
    nm "$lib" 2>/dev/null | grep -q "$module\.c\.o:" || impure="$impure$module.c.o: not in $lib
"
done
expect_empty 'pure modules call nothing with an effect' "$impure"
exit $failures
