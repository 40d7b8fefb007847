#!/bin/sh
# First process of the guest: mounts what a system has, runs the command, powers off.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root
mount -t proc proc /proc
mount -t sysfs sysfs /sys
[ ! -e "$BOX/policy" ] || . "$BOX/load-policy"
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mount -t devtmpfs devtmpfs /dev 2>/dev/null
mkdir -p /dev/pts /dev/shm /dev/mqueue
mount -t devpts -o gid=5,mode=620,ptmxmode=666 devpts /dev/pts
mount -t tmpfs -o mode=1777 tmpfs /dev/shm
mount -t mqueue mqueue /dev/mqueue
mount -t tmpfs -o mode=755 tmpfs /run
mkdir /run/it
cp "$BOX"/* /run/it/
mount -t tmpfs -o mode=1777 tmpfs /tmp
chmod 666 /dev/null /dev/zero /dev/full /dev/random /dev/urandom /dev/tty /dev/ptmx
ln -sf /proc/self/fd /dev/fd
ln -sf fd/0 /dev/stdin
modules=/usr/lib/uml/modules/$(uname -r)/kernel
[ -d "$modules" ] || modules=/lib/modules/$(uname -r)/kernel
busybox insmod "$modules/fs/overlayfs/overlay.ko" 2>/dev/null
busybox insmod "$modules/drivers/net/veth.ko" 2>/dev/null
# A disk that can be throttled, and memory to swap to, so that there is something to limit.
busybox insmod "$modules/drivers/block/brd.ko" rd_nr=1 rd_size=65536 2>/dev/null
busybox insmod "$modules/mm/zsmalloc.ko" 2>/dev/null
busybox insmod "$modules/drivers/block/zram/zram.ko" 2>/dev/null
if [ -b /dev/zram0 ]; then
    echo 256M >/sys/block/zram0/disksize
    busybox mkswap /dev/zram0 >/dev/null && busybox swapon /dev/zram0
fi
hostname guest
ip link set lo up
cd /run/it || poweroff -f
echo @start@
eval "$(cat command)" </dev/null 2>&1
status=$?
printf "\n@end@ %s\n" "$status"
poweroff -f
