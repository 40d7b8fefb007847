# Loads what engines want of the guest's kernel, with what that wants. Sourced by sh; what the kernel has
# built in, or not at all, is passed over: checks tell what is missing.

modules=/usr/lib/uml/modules/$(uname -r)
[ -d "$modules" ] || modules=/lib/modules/$(uname -r)

load() {
    line=$(grep "/$1.ko:" "$modules/modules.dep") || return 0
    # What it needs stands behind it, the first one last.
    order=${line%%:*}
    for each in ${line#*:}; do order="$each $order"; done
    for each in $order; do busybox insmod "$modules/$each" 2>/dev/null || true; done
}

# Networks of engines: bridges, pairs of devices, the older interface of iptables; of users, tun.
for each in overlay fuse tun bridge br_netfilter veth xt_addrtype xt_conntrack xt_MASQUERADE xt_mark xt_nat \
    xt_tcpudp iptable_filter iptable_nat iptable_raw ip6table_filter ip6table_nat ip6table_raw; do
    load "$each"
done
