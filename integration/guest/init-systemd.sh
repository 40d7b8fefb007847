#!/bin/sh
# Makes of this machine's read-only files a system for systemd to start, and becomes systemd.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
mount -t proc proc /proc
mount -t tmpfs -o mode=755 tmpfs /run
cp -R "$BOX" /run/it
mount --bind /run/it/etc /etc
mount -a
mkdir /var/lib/systemd/linger
: >/var/lib/systemd/linger/guest
modules=/usr/lib/uml/modules/$(uname -r)/kernel
busybox insmod "$modules/fs/overlayfs/overlay.ko" 2>/dev/null
# A disk that can be throttled.
busybox insmod "$modules/drivers/block/brd.ko" rd_nr=1 rd_size=65536 2>/dev/null
cd / || exit
# Empty says that this is no container, whatever the machine's files say (/.dockerenv).
export container=
exec /lib/systemd/systemd
