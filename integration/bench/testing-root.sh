#!/bin/sh
# A Debian testing root in which the peers (runc, crun) start containers on any host.
#
#   testing-root.sh make                      debootstrap it once; a second call costs nothing
#   testing-root.sh path                      print where it is
#   testing-root.sh enter [-b SRC[:DEST]]... CMD [ARG...]
#                                             run CMD in it, with the exit status of CMD
#
# The peers refuse a host with hybrid cgroups, so the root sees nothing but a cgroup2 mount. It is
# entered by pivot_root and not by chroot: a chrooted process cannot make user namespaces, and
# runtimes that pivot_root would act on the wrong root.
#
# Inside: the root itself is read-only (the cache is shared), /run and /tmp are empty tmpfs, /dev is the
# host's, /proc, /sys and the cgroup2 mount are fresh. `-b` binds a host file or directory, writable.
# The pid and network namespaces are the host's. The cgroup namespace is a new one with CMD in its child
# `self`, because the peers turn controllers on in the root that they see; when CMD ends, every process
# that is left below that root is killed and the cgroups are removed.
set -eu

CACHE=${SKEP_CACHE:-/var/cache/skep}
ROOT=$CACHE/testing
MIRROR=${SKEP_MIRROR:-http://deb.debian.org/debian}
PACKAGES=runc,crun,busybox-static,strace

die() {
    echo "testing-root: $*" >&2
    exit 1
}

make_root() {
    [ -d "$ROOT" ] && return
    [ "$(id -u)" = 0 ] || die "making $ROOT needs root"
    command -v debootstrap >/dev/null || die "debootstrap is missing: apt-get install debootstrap"
    mkdir -p "$CACHE"
    exec 9>"$CACHE/testing.lock"
    flock 9
    [ -d "$ROOT" ] && return
    new=$CACHE/testing.new
    # Only the holder of the lock writes here: what is there was left by a maker that was killed.
    rm -rf --one-file-system "$new"
    echo "testing-root: making $ROOT (once, about 170 MB)" >&2
    # A mount namespace of its own, so that an interrupted debootstrap leaves no mounts behind.
    unshare -m --propagation private debootstrap --variant=minbase --include="$PACKAGES" \
        testing "$new" "$MIRROR" >"$CACHE/testing.log" 2>&1 9>&- ||
        die "debootstrap failed, see $CACHE/testing.log"
    rm -rf "$new"/var/cache/apt/archives/*.deb "$new"/var/lib/apt/lists/*
    mkdir -p "$new/.old"
    mv "$new" "$ROOT"
    flock -u 9
}

# A cgroup of our own, whose processes see it as the root of the hierarchy.
enter_root() {
    [ "$(id -u)" = 0 ] || die "entering $ROOT needs root"
    hierarchy=$(findmnt -n -t cgroup2 -o TARGET | head -n 1)
    [ -n "$hierarchy" ] || die "no cgroup2 is mounted on this host"
    cgroup=$hierarchy/skep-testing.$$
    mkdir "$cgroup" "$cgroup/self"
    trap 'leave_root' EXIT
    # A shell that gets a signal waits for its child before it runs the trap, and the child gets the
    # terminal's signals itself.
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP
    status=0
    sh -c 'echo 0 >"$1/cgroup.procs"; shift; exec "$@"' sh "$cgroup" \
        unshare -m -C --propagation private "$0" .inside "$cgroup/self" "$@" || status=$?
    exit $status
}

leave_root() {
    echo 1 >"$cgroup/cgroup.kill"
    while grep -q 'populated 1' "$cgroup/cgroup.events"; do sleep 0.01; done
    find "$cgroup" -depth -type d -exec rmdir {} +
}

# Runs in the new mount namespace, with the root still the host's.
bind_into_root() {
    src=${1%%:*}
    dest=$ROOT${1#*:}
    if [ -d "$src" ]; then
        mkdir -p "$dest"
    else
        mkdir -p "${dest%/*}"
        [ -e "$dest" ] || : >"$dest"
    fi
    mount --rbind "$src" "$dest"
}

# Runs in the new mount and cgroup namespaces: `enter` comes back here through unshare.
inside() {
    echo 0 >"$1/cgroup.procs"
    shift
    mount --bind "$ROOT" "$ROOT"
    mount -t tmpfs -o mode=755,nosuid,nodev tmpfs "$ROOT/run"
    mount -t tmpfs -o mode=1777 tmpfs "$ROOT/tmp"
    mount --rbind /dev "$ROOT/dev"
    mount -t proc -o nosuid,nodev,noexec proc "$ROOT/proc"
    mount -t sysfs -o nosuid,nodev,noexec sysfs "$ROOT/sys"
    mount -t cgroup2 -o nosuid,nodev,noexec cgroup2 "$ROOT/sys/fs/cgroup"
    while [ "${1-}" = -b ]; do
        case $2 in
        *:*) bind_into_root "$2" ;;
        *) bind_into_root "$2:$2" ;;
        esac
        shift 2
    done
    [ $# -gt 0 ] || die "enter: no command given"
    mount -o remount,bind,ro "$ROOT"
    cd "$ROOT"
    pivot_root . .old
    # The shell's own root has moved with it; the host's tree goes once nothing below needs it.
    umount -l /.old
    export HOME=/root PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C
    exec "$@"
}

command=${1-}
[ $# -gt 0 ] && shift
case $command in
make) make_root ;;
path) echo "$ROOT" ;;
enter)
    make_root
    enter_root "$@"
    ;;
.inside) inside "$@" ;;
*) die "usage: $0 make | path | enter [-b SRC[:DEST]]... CMD [ARG...]" ;;
esac
