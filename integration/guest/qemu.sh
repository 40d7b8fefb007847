#!/bin/sh
# As run.sh, but the guest is a whole machine, emulated by qemu, with Debian's own kernel: it has what
# user-mode-linux lacks, AppArmor and SELinux above all.
#
#   guest/qemu.sh [--apparmor | --selinux] [-f FILE]... CMD [ARG...]
#
# --apparmor: with the profiles of lsm/apparmor loaded. --selinux: with the policy lsm/selinux.cil in force.
#
# It sees nothing of this machine: its files are busybox, setpriv, Debian's runc and crun if they are here,
# and the FILEs. It needs no virtualisation support, which is why it takes ten seconds to start. GUEST_SECONDS
# (600) is all the time it gets.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
module=
case ${1-} in
--apparmor | --selinux)
    module=${1#--}
    shift
    ;;
esac
root=$("$here/qemu-root.sh")
PATH=$root/usr/bin:$root/usr/sbin:$root/sbin:$PATH:/usr/sbin:/sbin
libraries=$root/usr/lib/x86_64-linux-gnu:$root/lib/x86_64-linux-gnu
kernel=$(cd "$root/lib/modules" && echo *)

# What the guest has besides the FILEs.
files() {
    command -v busybox
    for each in setpriv runc crun; do
        ! command -v "$each" || ldd "$(command -v "$each")" | sed -n 's/.*[[:space:]]\(\/[^ ]*\) (.*/\1/p'
    done
}

# Compiled here: under emulation it would take its time.
policy() {
    case $module in
    apparmor)
        for each in "$here"/lsm/apparmor/*; do
            abi=$root/etc/apparmor.d/abi/3.0
            LD_LIBRARY_PATH=$libraries apparmor_parser --config-file /dev/null --base "$here/lsm/apparmor" --quiet --skip-kernel-load \
                --skip-cache --policy-features "$abi" --kernel-features "$abi" --stdout "$each"
        done >"$1/policy"
        ;;
    selinux)
        LD_LIBRARY_PATH=$libraries secilc --policyvers=33 --filecontexts=/dev/null --output "$1/policy" \
            "$here/lsm/selinux.cil"
        ;;
    esac
}

guest_files() {
    [ -z "$module" ] || policy "$1"
    cp "$here/lsm/load-policy" "$1/"
}

# The box goes to where the guest's BOX says.
guest_boot() {
    tree=$1/tree
    mkdir -p "$tree/new/bin" "$tree/new/box" "$tree/bin"
    for each in dev etc home lib proc root run sys tmp usr var var/tmp; do
        mkdir -p "$tree/new/$each"
    done
    for each in $(files | sort -u); do
        mkdir -p "$tree/new/${each%/*}"
        cp -L "$each" "$tree/new/$each"
    done
    cp "$(command -v busybox)" "$tree/bin/busybox"
    cp "$(command -v busybox)" "$tree/new/bin/busybox"
    for each in $(busybox --list | grep -vx busybox); do
        ln -sf /bin/busybox "$tree/new/bin/$each"
    done
    for each in overlayfs/overlay brd zsmalloc zram; do
        find "$root/lib/modules" -name "${each##*/}.ko" | while read -r module_file; do
            to=$tree/new/${module_file#"$root/"}
            mkdir -p "${to%/*}"
            cp "$module_file" "$to"
        done
    done
    printf 'root:x:0:0:root:/root:/bin/sh\nguest:x:1000:1000::/home/guest:/bin/sh\n' >"$tree/new/etc/passwd"
    printf 'root:x:0:\nguest:x:1000:\n' >"$tree/new/etc/group"
    for each in "$1"/*; do
        case $each in */tree | */console | */trouble) ;; *) mv "$each" "$tree/new/box/" ;; esac
    done
    cp "$here/init-qemu.sh" "$tree/init"
    (cd "$tree" && find . | busybox cpio -o -H newc -R 0:0) >"$1/initramfs"
    rm -rf "$tree"
    # A machine with much else to do may be too late for the kernel's look at its timer.
    words="console=ttyS0 quiet loglevel=1 panic=-1 no_timer_check BOX=/box security=${module:-none}"
    [ "$module" != selinux ] || words="$words selinux=1 enforcing=1"
    LD_LIBRARY_PATH=$libraries exec timeout -k 5 "${GUEST_SECONDS:-600}" qemu-system-x86_64 \
        -machine q35 -accel tcg,thread=multi -cpu max -smp 2 -m 1024 -nodefaults -no-user-config -no-reboot \
        -display none -serial stdio -L "$root/usr/share/qemu" -L "$root/usr/share/seabios" \
        -kernel "$root/boot/vmlinuz-$kernel" -initrd "$1/initramfs" -append "$words"
}
. "$here/run.sh"
