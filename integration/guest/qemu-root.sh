#!/bin/sh
# Where qemu.sh finds what it is made of: Debian's qemu, kernel, and compilers of AppArmor's and SELinux's
# policies. They are unpacked, not installed: a machine keeps its own kernel, and any user can do it.
#
#   qemu-root.sh     make it, once, and print where it is
set -eu

die() {
    echo "qemu-root: $*" >&2
    exit 1
}

cache=${SKEP_CACHE:-/var/cache/skep}
[ -d "$cache/qemu" ] || [ "$(id -u)" = 0 ] || cache=${XDG_CACHE_HOME:-$HOME/.cache}/skep
root=$cache/qemu
if [ -d "$root" ]; then
    echo "$root"
    exit
fi
architecture=$(dpkg --print-architecture) || die "no Debian"
[ "$architecture" = amd64 ] || die "made for amd64 alone so far"

mkdir -p "$cache"
exec 9>"$cache/qemu.lock"
flock 9
if [ ! -d "$root" ]; then
    new=$root.new
    rm -rf "$new"
    mkdir -p "$new/packages" "$new/root"
    cd "$new/packages"
    # The cloud kernel has no drivers of real machines. What depends on it is a name without files.
    kernel=$(apt-cache depends linux-image-cloud-amd64 | sed -n 's/.*Depends: \(linux-image-[^ ]*\)$/\1/p')
    [ "$kernel" ] || die "no package linux-image-cloud-amd64: apt-get update"
    # What is installed is left out: nothing that is needed is there twice.
    packages=$(apt-get install --simulate --no-install-recommends qemu-system-x86 apparmor secilc |
        sed -n 's/^Inst \([^ ]*\).*/\1/p')
    echo "qemu-root: making $root (once, about 200 MB)" >&2
    # shellcheck disable=SC2086
    apt-get -o APT::Sandbox::User="$(id -un)" download -qq "$kernel" $packages >&2 9>&- ||
        die "apt-get download failed"
    for each in *.deb; do
        dpkg -x "$each" ../root
    done
    mv "$new/root" "$root"
    rm -rf "$new"
fi
echo "$root"
