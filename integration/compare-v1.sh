#!/bin/sh
# Compares, on this machine, what skep writes into cgroup v1 with what Debian testing's runc and crun write:
#
#   compare-v1.sh DIR [OPTION]...
#
# DIR has the built skep, skep-integration and skep-probe; OPTIONs are skep-integration's. As root, since
# the peers' root is made with debootstrap. Once as on a hybrid host, with v2 beside v1, where crun makes no
# container; and once without v2, where the list of devices is v1's as well.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
built=$1
shift

# with_hierarchies PATTERN OPTION...: with those of the machine's hierarchies whose directory matches.
with_hierarchies() {
    "$here/bench/testing-root.sh" enter -b "$built:/opt/skep-test" -b /sys/fs/cgroup:/run/cgroup sh -c '
        umount /sys/fs/cgroup
        mount -t tmpfs -o mode=755 tmpfs /sys/fs/cgroup
        for hierarchy in /run/cgroup/$1; do
            here=/sys/fs/cgroup/${hierarchy##*/}
            if [ -L "$hierarchy" ]; then
                cp -d "$hierarchy" "$here"
            elif mountpoint -q "$hierarchy"; then
                mkdir "$here"
                mount --bind "$hierarchy" "$here"
            fi
        done
        umount -R /run/cgroup
        shift
        exec /opt/skep-test/skep-integration --runtime /opt/skep-test/skep "$@"' sh "$@"
}

status=0
with_hierarchies '*' --against runc "$@" || status=1
with_hierarchies '[!u]*' --against runc --against crun "$@" || status=1
exit $status
