#!/bin/sh
# Runs the OCI runtime-tools validation programs:
#
#   conformance/run.sh host DIR [OPTION]...    on skep, on this machine, in cgroups of their own
#   conformance/run.sh guest DIR [OPTION]...   on skep, in the guest with pure cgroup v2
#   conformance/run.sh peers DIR [OPTION]...   on Debian testing's runc and crun, in both: with cgroup v1 alone
#                                              on a machine that has it, for crun refuses hybrid cgroups
#
# DIR has the built skep, skep-integration and skep-probe; OPTIONs are skep-integration's. Needs root. What fails
# is in integration/src/conformance/known.rs, for the peers as well, or this fails.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
where=$1
built=$(cd "$2" && pwd)
shift 2
programs=$("$here/build.sh")

in_guest() {
    "$here/../guest/run.sh" -f "$built/skep-integration" -f "$built/skep-probe" "$@"
}

peer_here() {
    peer=$1
    shift
    "$here/../bench/testing-root.sh" enter -b "$built:/opt/built" -b "$here:/opt/conformance" \
        -b "$programs:/run/programs" -b /sys/fs/cgroup:/run/cgroup sh -c '
        umount /sys/fs/cgroup
        exec /opt/conformance/own-cgroups.sh --from /run/cgroup --without-v2 /opt/built/skep-integration "$@"' \
        sh --runtime "$peer" --peer --conformance /run/programs "$@"
}

peer_in_guest() {
    peer=$1
    shift
    "$here/../bench/testing-root.sh" make
    # What the root of all does not hand on, nobody below it has.
    # shellcheck disable=SC2016
    in_guest -f "$here/../bench/testing-root.sh" sh -c '
        for name in $(cat /sys/fs/cgroup/cgroup.controllers); do
            echo "+$name" >/sys/fs/cgroup/cgroup.subtree_control
        done
        programs=$1
        shift
        exec ./testing-root.sh enter -b /run/it -b "$programs:/run/programs" \
            /run/it/skep-integration --peer --conformance /run/programs "$@"' \
        sh "$programs" --runtime "$peer" "$@"
}

case $where in
host) exec "$here/own-cgroups.sh" "$built/skep-integration" --runtime "$built/skep" --conformance "$programs" --jobs 4 "$@" ;;
guest) in_guest -f "$built/skep" ./skep-integration --runtime ./skep --conformance "$programs" "$@" ;;
peers)
    status=0
    for peer in runc crun; do
        peer_here "$peer" "$@" || status=1
        peer_in_guest "$peer" "$@" || status=1
    done
    exit $status
    ;;
*) echo "usage: $0 host|guest|peers DIR [OPTION]..." >&2 && exit 2 ;;
esac
