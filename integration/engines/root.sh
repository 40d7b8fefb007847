#!/bin/sh
# Debian roots with the engines in which skep is tried: those of Debian testing, or of Debian 12.
#
#   root.sh [--suite testing|bookworm] make    debootstrap it once; a second call costs nothing
#   root.sh [--suite SUITE] path               print where it is
#   root.sh [--suite SUITE] enter [-s] [-u] [-b SRC[:DEST]]... CMD [ARG...]
#                                              run CMD in it, with the exit status of CMD
#
# An engine writes everywhere: bridges, firewall rules, cgroups, mounts. So CMD has mount, pid, network,
# uts, ipc and cgroup namespaces of its own, under an init that takes everything along when CMD ends, and
# nothing on the host is touched. Inside, the root is an overlay over the cached one, with all that is
# written in memory; /var/lib and /home are memory itself, since an overlay is no place for an engine's
# overlays. /dev has what every machine has, so that a privileged container finds no disk of the host.
# `-b` binds a host file or directory, read-only. With `-u` CMD is called by an ordinary user with
# subordinate ids, who is logged in as far as XDG_RUNTIME_DIR goes.
#
# The cgroups are those of the host: of each hierarchy (v1, or v2 where that has all controllers) a new
# group, which is the root in there, and is removed in the end with all that is below. With `-s` they are
# those of the machine as they are, with its systemd to make them, and with `-u` the user is in a group of
# his own manager's: for a guest, since what is left then stays.
set -eu

CACHE=${SKEP_CACHE:-/var/cache/skep}
MIRROR=${SKEP_MIRROR:-http://deb.debian.org/debian}

SUITE=testing
PACKAGES=docker.io,runc,crun,podman,buildah,containerd,conmon,containernetworking-plugins
PACKAGES=$PACKAGES,catatonit,slirp4netns,fuse-overlayfs,uidmap
PACKAGES=$PACKAGES,busybox-static,iptables,nftables,iproute2,procps,strace,tini,curl,ca-certificates
# What else there is, by suite.
MORE_testing=docker-cli,docker-buildx,docker-compose,netavark,aardvark-dns,passt
MORE_bookworm=docker-compose,netavark,aardvark-dns,passt

die() {
    echo "engines/root: $*" >&2
    exit 1
}

make_root() {
    [ -d "$ROOT" ] && [ -z "$(lacking)" ] && return
    [ "$(id -u)" = 0 ] || die "making $ROOT needs root"
    command -v debootstrap >/dev/null || die "debootstrap is missing: apt-get install debootstrap"
    mkdir -p "$CACHE"
    exec 9>"$ROOT.lock"
    flock 9
    if [ -d "$ROOT" ]; then
        complete_root
        exec 9>&-
        return
    fi
    new=$ROOT.new
    # Only the holder of the lock writes here: what is there was left by a maker that was killed.
    rm -rf --one-file-system "$new"
    echo "engines/root: making $ROOT (once, about 1 GB)" >&2
    # A mount namespace of its own, so that an interrupted debootstrap leaves no mounts behind.
    unshare -m --propagation private debootstrap --variant=minbase --include="$PACKAGES" \
        "$SUITE" "$new" "$MIRROR" >"$ROOT.log" 2>&1 9>&- ||
        die "debootstrap failed, see $ROOT.log"
    rm -rf "$new"/var/cache/apt/archives/*.deb "$new"/var/lib/apt/lists/*
    mkdir -p "$new/.old" "$ROOT.run"
    mv "$new" "$ROOT"
    exec 9>&-
}

# The packages that it has not, since it was made before they were wanted.
lacking() {
    for each in $(echo "$PACKAGES" | tr , " "); do
        [ -e "$ROOT/var/lib/dpkg/info/$each.list" ] || echo "$each"
    done
}

complete_root() {
    lacking=$(lacking)
    [ "$lacking" ] || return 0
    # shellcheck disable=SC2016,SC2086
    unshare -m --propagation private chroot "$ROOT" sh -c \
        'apt-get -o Acquire::Check-Valid-Until=false update &&
            apt-get install --yes --no-install-recommends "$@" &&
            apt-get clean && rm -rf /var/lib/apt/lists/*' \
        sh $lacking >"$ROOT.log" 2>&1 9>&- || die "installing failed, see $ROOT.log"
}

# A group of our own in each hierarchy: "CONTROLLERS DIRECTORY" lines.
cgroups_of_host() {
    # v2 beside v1 has no controllers to speak of, and the peers refuse the two together.
    if [ "$(hierarchy "")" = /sys/fs/cgroup ]; then
        echo "unified /sys/fs/cgroup/skep-engines.$1"
        return
    fi
    while IFS=: read -r _number controllers path; do
        at=$(hierarchy "$controllers")
        [ -n "$controllers" ] && [ -n "$at" ] || continue
        echo "$controllers $at${path%/}/skep-engines.$1"
    done </proc/self/cgroup
}

# Where the hierarchy of these controllers is mounted.
hierarchy() {
    if [ -z "$1" ]; then
        findmnt -n -t cgroup2 -o TARGET | head -n 1
    else
        findmnt -n -t cgroup -O "$1" -o TARGET | head -n 1
    fi
}

enter_root() {
    [ "$(id -u)" = 0 ] || die "entering $ROOT needs root"
    [ "${1-}" != -s ] || { shift && with_systemd "$@"; }
    groups=$(cgroups_of_host $$)
    [ -n "$groups" ] || die "no cgroup hierarchy is mounted on this host"
    trap 'leave_root' EXIT
    # A shell that gets a signal waits for its child before it runs the trap, and the child gets the
    # terminal's signals itself.
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP
    make_groups
    status=0
    (within "" unshare --cgroup "$0" --suite "$SUITE" .self "$groups" "$@") || status=$?
    exit $status
}

# systemd knows processes by their pids in its own namespace, and cgroups by their paths in its own.
with_systemd() {
    exec nsenter --cgroup=/proc/1/ns/cgroup unshare --mount --net --uts --ipc --propagation private \
        "$0" --suite "$SUITE" .inside systemd "$@"
}

# within SUBGROUP CMD...: becomes CMD in the groups, or in those below them that have one of this name.
within() {
    below=$1
    shift
    # shellcheck disable=SC2016
    exec sh -c 'for group in $0; do [ ! -d "$group" ] || echo 0 >"$group/cgroup.procs"; done; exec "$@"' \
        "$(echo "$groups" | cut -d " " -f 2 | sed "s|\$|$below|")" "$@"
}

# In the cgroup namespace, whose root are the groups. Of v2, only a group without processes gives its
# controllers on.
self() {
    groups=$1
    shift
    within /self unshare --mount --pid --net --uts --ipc --fork --kill-child --propagation private \
        "$0" --suite "$SUITE" .inside "$(echo "$groups" | cut -d " " -f 1)" "$@"
}

make_groups() {
    echo "$groups" | while read -r controllers group; do
        case $controllers in
        unified)
            for each in $(cat "${group%/*}/cgroup.controllers"); do
                echo "+$each" >"${group%/*}/cgroup.subtree_control"
            done
            mkdir "$group" "$group/self"
            ;;
        cpuset)
            mkdir "$group"
            # A new group of this one has neither processors nor memory.
            for each in cpus mems; do cat "${group%/*}/cpuset.$each" >"$group/cpuset.$each"; done
            ;;
        *) mkdir "$group" ;;
        esac
    done
}

# The pid namespace has ended, and with it all processes in the groups.
leave_root() {
    echo "$groups" | while read -r _controllers group; do
        [ ! -d "$group" ] || find "$group" -depth -type d -exec rmdir {} +
    done
}

# Everything below runs in the new namespaces, as their init: `enter` comes back here through unshare.

inside() {
    controllers=$1
    shift
    mount -t tmpfs -o mode=755 tmpfs "$ROOT.run"
    cd "$ROOT.run"
    mkdir upper work root
    mount -t overlay -o "lowerdir=$ROOT,upperdir=upper,workdir=work" overlay root
    cd root
    for each in run var/lib home; do mount_empty "$each" 755; done
    mount_empty tmp 1777
    mkdir -p var/lib/dpkg run/lock
    mount -t proc -o nosuid,nodev,noexec proc proc
    # dockerd would set the limits of keys, which are everybody's.
    mount --bind proc/sys/kernel/keys proc/sys/kernel/keys
    mount -o remount,bind,ro proc/sys/kernel/keys
    # A user namespace may have a procfs of its own where one is in sight that nothing covers.
    mkdir -p .proc
    mount -t proc -o nosuid,nodev,noexec proc .proc
    mount -t sysfs -o nosuid,nodev,noexec sysfs sys
    make_dev
    mount_cgroups "$controllers"
    # Podman's --userns=auto takes root's ids from this user's.
    echo containers:x:999:999::/nonexistent:/usr/sbin/nologin >>etc/passwd
    for each in subuid subgid; do echo containers:2000000:1000000 >"etc/$each"; done
    user=
    while :; do
        case ${1-} in
        -u) make_user && shift ;;
        -b) bind "${2%%:*}" ".${2#*:}" && shift 2 ;;
        *) break ;;
        esac
    done
    [ $# -gt 0 ] || die "enter: no command given"
    hostname engines
    printf '127.0.0.1 localhost engines\n::1 localhost\n' >etc/hosts
    : >etc/resolv.conf
    pivot_root . .old
    # The shell's own root has moved with it; the host's tree goes once nothing below needs it.
    umount -l /.old
    export HOME=/root PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C
    ip link set lo up
    if [ "$user" ]; then
        export HOME=/home/$user XDG_RUNTIME_DIR=/run/user/1000
        [ "$controllers" != systemd ] || join_manager
        set -- setpriv --reuid=1000 --regid=1000 --init-groups -- "$@"
        cd "$HOME"
    fi
    status=0
    # What has lost its parent is tini's, also where there is no pid namespace.
    tini -s -- "$@" || status=$?
    thaw
    exit $status
}

# The init of a pid namespace does not end before all others in it, and who is frozen in v1 cannot.
thaw() {
    [ ! -d /sys/fs/cgroup/freezer ] || [ "$controllers" = systemd ] ||
        find /sys/fs/cgroup/freezer -mindepth 2 -name freezer.state | while read -r state; do
            echo THAWED >"$state"
        done
}

make_user() {
    user=straw
    echo "$user:x:1000:1000::/home/$user:/bin/sh" >>etc/passwd
    printf '%s:x:1000:\nbees:x:1500:%s\n' "$user" "$user" >>etc/group
    for each in subuid subgid; do echo "$user:100000:65536" >>"etc/$each"; done
    for each in home/$user run/user/1000; do
        mkdir -p "$each"
        chown 1000:1000 "$each"
        chmod 700 "$each"
    done
    # Where he is logged in, by what serves him there.
    [ "$controllers" != systemd ] || mount --rbind /run/user/1000 run/user/1000
}

# What the user's own systemd makes scopes of has to be below it.
join_manager() {
    export DBUS_SESSION_BUS_ADDRESS=unix:path=$XDG_RUNTIME_DIR/bus
    group=/sys/fs/cgroup/user.slice/user-1000.slice/user@1000.service/engine
    mkdir "$group"
    chown -R 1000:1000 "$group"
    echo 0 >"$group/cgroup.procs"
}

mount_empty() {
    mount -t tmpfs -o "mode=$2" tmpfs "$1"
}

bind() {
    if [ -d "$1" ]; then
        mkdir -p "$2"
    else
        mkdir -p "${2%/*}"
        : >"$2"
    fi
    mount --bind "$1" "$2"
    mount -o remount,bind,ro "$2"
}

make_dev() {
    mount -t tmpfs -o mode=755,nosuid tmpfs dev
    # name, major, minor
    while read -r name major minor; do
        mkdir -p "dev/$(dirname "$name")"
        mknod -m 666 "dev/$name" c "$major" "$minor"
    done <<end
null 1 3
zero 1 5
full 1 7
random 1 8
urandom 1 9
tty 5 0
fuse 10 229
net/tun 10 200
end
    mkdir dev/pts dev/shm dev/mqueue
    mount -t devpts -o newinstance,ptmxmode=666,mode=620,gid=5 devpts dev/pts
    mount_empty dev/shm 1777
    mount -t mqueue mqueue dev/mqueue
    ln -s pts/ptmx dev/ptmx
    for each in fd:fd stdin:fd/0 stdout:fd/1 stderr:fd/2; do
        ln -s "/proc/self/${each#*:}" "dev/${each%%:*}"
    done
}

# v1 as it is without v2, v2 alone, or what there is and who makes groups there.
mount_cgroups() {
    if [ "$1" = systemd ]; then
        mount --rbind /sys/fs/cgroup sys/fs/cgroup
        mkdir -p run/systemd run/dbus
        mount --rbind /run/systemd run/systemd
        mount --rbind /run/dbus run/dbus
        return
    fi
    if [ "$1" = unified ]; then
        mount -t cgroup2 -o nosuid,nodev,noexec cgroup2 sys/fs/cgroup
        # An engine looks at its own group, below the root, for what there is.
        for each in $(cat sys/fs/cgroup/cgroup.controllers); do
            echo "+$each" >sys/fs/cgroup/cgroup.subtree_control
        done
        return
    fi
    mount_empty sys/fs/cgroup 755
    for each in $1; do
        mkdir "sys/fs/cgroup/${each#name=}"
        mount -t cgroup -o "$each" cgroup "sys/fs/cgroup/${each#name=}"
    done
}

[ "${1-}" != --suite ] || { SUITE=$2 && shift 2; }
ROOT=$CACHE/engines-$SUITE
case $SUITE in
testing) PACKAGES=$PACKAGES,$MORE_testing ;;
bookworm) PACKAGES=$PACKAGES,$MORE_bookworm ;;
*) die "no such suite: $SUITE" ;;
esac

command=${1-}
[ $# -gt 0 ] && shift
case $command in
make) make_root ;;
path) echo "$ROOT" ;;
enter)
    make_root
    enter_root "$@"
    ;;
.self) self "$@" ;;
.inside) inside "$@" ;;
*) die "usage: $0 [--suite testing|bookworm] make | path | enter [-u] [-b SRC[:DEST]]... CMD [ARG...]" ;;
esac
