#!/bin/sh
# Runs a command as root in a guest with pure cgroup v2, on any machine and for any user:
#
#   guest/run.sh [-f FILE]... CMD [ARG...]
#
# The guest is Debian's package user-mode-linux: a kernel as an ordinary program. It sees this machine's
# files read-only; /run and /tmp are its own. FILEs are copied to /run/it, which is also the command's
# directory. Output is the command's, and so is the exit status.
#
# systemd.sh and qemu.sh source this file, having said what is different there: guest_init, guest_words,
# guest_files, guest_boot.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
box=$(mktemp -d)
guest=
trap '[ -z "$guest" ] || kill "$guest" 2>/dev/null; rm -rf "$box"' EXIT
# A shell that gets a signal waits for its child in the foreground before it runs the trap: there is none.
trap 'exit 130' INT
trap 'exit 143' TERM HUP
while [ "${1-}" = -f ]; do
    cp "$2" "$box/"
    shift 2
done
cp "$here/${guest_init:-init.sh}" "$box/init"
! command -v guest_files >/dev/null || guest_files "$box"
for word in "$@"; do
    printf "'%s' " "$(printf '%s' "$word" | sed "s/'/'\\\\''/g")"
done >"$box/command"
: >"$box/console"
: >"$box/trouble"
chmod -R a+rX "$box"

# The kernel keeps the guest's memory in a file in TMPDIR, and it has to be one that may be executed. It
# would make a directory in HOME unless told of another. eth7 is a network device without a network: what it
# sends goes no further than this machine.
# shellcheck disable=SC2086
command -v guest_boot >/dev/null || guest_boot() {
    if grep -qw amx_tile /proc/cpuinfo; then
        cc -O2 -shared -fPIC -o "$box/xstate.so" "$here/xstate.c"
        export LD_PRELOAD="$box/xstate.so"
    fi
    exec linux.uml rootfstype=hostfs ro mem=1500M "uml_dir=$box/" "init=$box/init" "BOX=$box" \
        con=null con0=null,fd:1 quiet eth7=mcast,02:00:00:00:00:07,239.192.168.7,11027,0 ${guest_words-}
}
guest_boot "$box" </dev/null 2>>"$box/trouble" >>"$box/console" &
guest=$!
tail -f -n +1 --pid="$guest" "$box/console" | tr -d '\r' | sed -u -n '/^@start@$/,/^@end@/{/^@/!p}' &
shown=$!
wait "$guest" || true
wait "$shown" || true
guest=
status=$(tr -d '\r' <"$box/console" | sed -n 's/^@end@ //p')
if [ -z "$status" ]; then
    echo "guest: ended before the command did; the console's last lines:" >&2
    tail -n 60 "$box/console" "$box/trouble" >&2
    exit 1
fi
exit "$status"
