#!/bin/sh
# Makes of this machine's read-only files a system for systemd to start, and becomes systemd. All that
# the machine has configured (/etc, what is turned on) is left out, so that every machine gives the
# same guest.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
here=$BOX
mount -t proc proc /proc
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p /run/it /run/etc
cp "$here"/* /run/it/
busybox insmod "/usr/lib/uml/modules/$(uname -r)/kernel/fs/overlayfs/overlay.ko" 2>/dev/null

cd /run/etc || exit
for each in alternatives ld.so.cache ld.so.conf ld.so.conf.d localtime os-release; do
    [ ! -e "/etc/$each" ] || cp -a "/etc/$each" .
done
# The users of the machine's packages, messagebus among them, and one ordinary user.
awk -F: '$3 < 1000 || $3 == 65534' /etc/passwd >passwd
awk -F: '$3 < 1000 || $3 == 65534' /etc/group >group
echo guest:x:1000:1000::/home/guest:/bin/sh >>passwd
echo guest:x:1000: >>group
echo guest:100000:65536 | tee subuid >subgid
echo 5cabe5cabe5cabe5cabe5cabe5cabe51 >machine-id
echo guest >hostname
echo 127.0.0.1 localhost guest >hosts
printf '%s\n' 'passwd: files' 'group: files' 'hosts: files' >nsswitch.conf
ln -s /proc/self/mounts mtab
mkdir pam.d
for each in login systemd-user; do
    printf '%s\n' 'account required pam_permit.so' 'session required pam_permit.so' \
        'session optional pam_systemd.so' >pam.d/$each
done

mkdir -p systemd/system/user@.service.d
cd systemd/system || exit
ln -s /dev/null modprobe@.service
# What Debian 12 delegates, and io.
printf '%s\n' '[Service]' 'Delegate=cpu cpuset io memory pids' >user@.service.d/delegate.conf
cat >guest.target <<'END'
[Unit]
Description=The guest is up
Requires=basic.target dbus.service systemd-logind.service
After=basic.target dbus.service systemd-logind.service
Wants=user@1000.service guest.service
END
cat >guest.service <<'END'
[Unit]
Description=The guest's command
After=user@1000.service systemd-logind.service
[Service]
ExecStart=/bin/sh /run/it/session
TasksMax=infinity
END
cat >/run/it/session <<'END'
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root
exec </dev/null >/dev/console 2>&1
cd /run/it || systemctl poweroff -ff
echo @start@
(eval "$(cat command)")
printf "\n@end@ %s\n" "$?"
systemctl poweroff -ff
END
mount --bind /run/etc /etc
# What the machine's systemd would start is hidden, too: guest.target names all that is needed.
lib=/lib/systemd
for each in /home /var/lib/systemd $lib/system-generators $lib/user-generators \
    $lib/system/sysinit.target.wants $lib/system/sockets.target.wants $lib/system/timers.target.wants; do
    [ ! -d "$each" ] || mount -t tmpfs -o mode=755 tmpfs "$each"
done
mount -t tmpfs -o mode=1777 tmpfs /var/tmp
mount -t tmpfs -o mode=1777 tmpfs /tmp
mkdir -p /var/lib/systemd/linger /home/guest
: >/var/lib/systemd/linger/guest
chown guest: /home/guest
mkdir -p /dev/mqueue
mount -t mqueue mqueue /dev/mqueue
cd /
# Empty says that this is no container, whatever else the machine's files say (/.dockerenv).
export container=
exec /lib/systemd/systemd
