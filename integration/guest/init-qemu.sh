#!/bin/busybox sh
# What qemu.sh's kernel runs first: a root that a container can leave, which an initramfs is not.
busybox mount -t devtmpfs devtmpfs /dev
exec </dev/console >/dev/console 2>&1
busybox mount -t tmpfs -o mode=755 tmpfs /root
busybox cp -a /new/. /root
busybox mount --move /dev /root/dev
exec busybox switch_root /root "$BOX/init"
