#!/bin/sh
# Runs a command that sees no cgroups but its own, and no processes but its own:
#
#   own-cgroups.sh [--from DIR] [--without-v2] CMD [ARG...]
#
# In every hierarchy mounted at or below DIR (/sys/fs/cgroup) there is a new cgroup, which CMD finds as the
# root of /sys/fs/cgroup: the validation programs make cgroups with fixed names there, and not all of them
# remove these. When CMD ends, its processes, cgroups and mounts are gone.
set -eu

hierarchies=/sys/fs/cgroup
without=none

# A line for each hierarchy: its name below $hierarchies, the options of its mount, the new cgroup.
plan() {
    while IFS=: read -r _ controllers path; do
        case $controllers in
        '') printf '%s\n' ". - $path" "unified - $path" ;;
        name=*) echo "${controllers#name=} none,$controllers $path" ;;
        *) echo "$controllers $controllers $path" ;;
        esac
    done </proc/self/cgroup | while read -r dir options path; do
        if [ "$dir" != "$without" ] && [ -e "$hierarchies/$dir/cgroup.procs" ]; then
            echo "$dir $options $hierarchies/$dir${path%/}/skep-conformance.$$"
        fi
    done
}

make_cgroup() {
    mkdir "$1"
    # In v1 a new cpuset has no processors, and takes no process then.
    for file in cpuset.cpus cpuset.mems; do
        [ -e "$1/cgroup.controllers" ] || [ ! -e "$1/$file" ] || cat "$1/../$file" >"$1/$file"
    done
}

# Called from the trap.
# shellcheck disable=SC2317
remove_cgroup() {
    for _ in $(seq 100); do
        find "$1" -depth -type d -exec rmdir {} + 2>/dev/null && return
        sleep 0.05
    done
    echo "own-cgroups: $1 is in use" >&2
}

# In the namespaces, whose mounts are still the host's.
inside() {
    umount -R "$FROM"
    [ "$FROM" = /sys/fs/cgroup ] || ! mountpoint -q /sys/fs/cgroup || umount -R /sys/fs/cgroup
    mount -t tmpfs -o mode=755,nosuid,nodev,noexec tmpfs /sys/fs/cgroup
    while read -r dir options _; do
        mkdir -p "/sys/fs/cgroup/$dir"
        if [ "$options" = - ]; then
            mount -t cgroup2 -o nosuid,nodev,noexec cgroup2 "/sys/fs/cgroup/$dir"
        else
            mount -t cgroup -o "nosuid,nodev,noexec,$options" cgroup "/sys/fs/cgroup/$dir"
        fi
    done <<EOF
$PLAN
EOF
    unset PLAN FROM
    exec "$@"
}

if [ "${1-}" = .inside ]; then
    shift
    inside "$@"
fi
while :; do
    case ${1-} in
    --from) hierarchies=$2 && shift 2 ;;
    --without-v2) without=unified && shift ;;
    *) break ;;
    esac
done
PLAN=$(plan)
FROM=$hierarchies
export PLAN FROM
[ -n "$PLAN" ] || { echo "own-cgroups: no cgroups at $hierarchies" >&2 && exit 1; }
cgroups=$(echo "$PLAN" | while read -r _ _ cgroup; do echo "$cgroup"; done)
for cgroup in $cgroups; do make_cgroup "$cgroup"; done
trap 'for cgroup in $cgroups; do remove_cgroup "$cgroup"; done' EXIT
# A shell that gets a signal waits for its child before it runs the trap.
trap 'exit 130' INT
trap 'exit 143' TERM HUP
status=0
# shellcheck disable=SC2086,SC2016
sh -c 'while [ "$1" != -- ]; do echo 0 >"$1/cgroup.procs" && shift; done; shift; exec "$@"' sh $cgroups -- \
    unshare --mount --cgroup --pid --fork --kill-child --propagation private --mount-proc \
    "$0" .inside "$@" || status=$?
exit $status
