#!/bin/sh
# As run.sh, but systemd is the guest's first process, with a manager for the system and one for an
# ordinary user who need not log in:
#
#   guest/systemd.sh [--hybrid | --legacy] [-f FILE]... CMD [ARG...]
#
# CMD runs as root in guest.service of system.slice, in /run/it, where the FILEs are and this:
#
#   ./as-user CMD [ARG...]           runs CMD as the user `guest` (uid 1000, 65536 subordinate ids) in a
#                                    service of his own manager, with his bus and XDG_RUNTIME_DIR
#   ./as-user --login CMD [ARG...]   as after a login: in a session's scope, beside his manager
#
# cgroups are pure v2; --hybrid: v1 controllers, and v2 for systemd; --legacy: v1 for systemd, too.
#
# systemd and its units are this machine's; what is turned on and what /etc says are the guest's own (etc/
# here), so that every machine gives the same guest.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
unified=1 legacy=no
case ${1-} in
--hybrid) unified=0 ;;
--legacy) unified=0 legacy=yes ;;
*) set -- "" "$@" ;;
esac
shift

# What run.sh, below, asks for: the first program, more words for the kernel and systemd, and files.
guest_init=init-systemd.sh
guest_words="loglevel=1 systemd.unified_cgroup_hierarchy=$unified \
systemd.legacy_systemd_cgroup_controller=$legacy systemd.unit=guest.target systemd.show_status=no \
systemd.log_target=kmsg ${GUEST_DEBUG-}"
guest_files() {
    cp -R "$here/etc" "$here/session" "$here/as-user" "$1/"
    for each in alternatives ld.so.cache ld.so.conf ld.so.conf.d os-release; do
        [ ! -e "/etc/$each" ] || cp -R "/etc/$each" "$1/etc/"
    done
    # The users of the machine's packages, messagebus among them, and one ordinary user.
    for each in passwd group; do
        awk -F: '$3 < 1000 || $3 == 65534' "/etc/$each" >"$1/etc/$each"
    done
    echo guest:x:1000:1000::/home/guest:/bin/sh >>"$1/etc/passwd"
    echo guest:x:1000: >>"$1/etc/group"
}
. "$here/run.sh"
