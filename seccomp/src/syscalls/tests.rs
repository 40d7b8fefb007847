use super::*;
use Column::*;

fn number(column: Column, name: &str) -> Option<u32> {
    find(name)?.number(column)
}

const ALL: [Column; COLUMNS] = [
    X86_64,
    X86,
    X32,
    Arm,
    Aarch64,
    Mips,
    Mips64,
    Mips64N32,
    Ppc,
    Ppc64,
    S390,
    S390x,
    Riscv64,
    Loongarch64,
    Parisc,
    Parisc64,
    M68k,
    Sh,
];

#[test]
fn names_are_sorted_and_none_is_there_twice() {
    assert!(NAMES.is_sorted_by(|a, b| a < b));
}

#[test]
fn every_name_is_found_and_nothing_else() {
    for (index, name) in NAMES.iter().enumerate() {
        assert_eq!(find(name).map(Name::place), Some(index), "{name}");
    }
    for name in ["", "rea", "readd", "READ", "read\0", "socketcal", "unused18", "\u{e9}"] {
        assert_eq!(find(name), None, "{name}");
    }
}

#[test]
fn few_slots_are_passed_to_find_a_name() {
    let passed = |name: &str| {
        let slot = SLOTS.iter().position(|&index| NAMES.get(usize::from(index)) == Some(&name));
        (slot.unwrap() + SLOT_COUNT - hash(name.as_bytes())) % SLOT_COUNT
    };
    let all: usize = NAMES.iter().map(|name| passed(name)).sum();
    assert!(all < LEN, "{all} slots are passed for {LEN} names");
}

#[test]
fn a_number_has_one_name_but_for_one_call_of_arm() {
    for column in ALL {
        for (text, value) in numbers(column) {
            assert_eq!(number(column, text), Some(value), "{column:?} {text}");
            let first = if (column, value) == (Arm, 341) { "arm_sync_file_range" } else { text };
            assert_eq!(name(column, value), Some(first), "{column:?} {value}");
        }
    }
    assert_eq!(number(Arm, "sync_file_range2"), Some(341));
}

/// The numbers of one call in all columns, in their order; `u32::MAX` where there is none.
fn row(name: &str) -> [u32; COLUMNS] {
    ALL.map(|column| number(column, name).unwrap_or(u32::MAX))
}

/// Numbers as kernel and libseccomp have them, typed in by hand.
#[test]
fn well_known_numbers() {
    const NO: u32 = u32::MAX;
    #[rustfmt::skip]
    let known: [(&str, [u32; COLUMNS]); 8] = [
        // x86_64, x86, x32, arm, aarch64, mips, n64, n32, ppc, ppc64, s390, s390x, riscv64, loongarch64, parisc, parisc64, m68k, sh
        ("read", [0, 3, 0, 3, 63, 4003, 5000, 6000, 3, 3, 3, 3, 63, 63, 3, 3, 3, 3]),
        ("execve", [59, 11, 520, 11, 221, 4011, 5057, 6057, 11, 11, 11, 11, 221, 221, 11, 11, 11, 11]),
        ("socket", [41, 359, 41, 281, 198, 4183, 5040, 6040, 326, 326, 359, 359, 198, 198, 17, 17, 356, 340]),
        ("socketcall", [NO, 102, NO, NO, NO, 4102, NO, NO, 102, 102, 102, 102, NO, NO, NO, NO, 102, 102]),
        ("seccomp", [317, 354, 317, 383, 277, 4352, 5312, 6316, 358, 358, 348, 348, 277, 277, 338, 338, 380, 372]),
        ("clone3", [435, 435, 435, 435, 435, 4435, 5435, 6435, 435, 435, 435, 435, 435, 435, 435, 435, 435, NO]),
        ("set_tls", [NO, NO, NO, 0xf0005, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO]),
        ("file_setattr", [469, 469, 469, 469, 469, 4469, 5469, 6469, 469, 469, 469, 469, 469, 469, 469, 469, 469, 469]),
    ];
    for (name, numbers) in known {
        assert_eq!(row(name), numbers, "{name}");
    }
}

#[test]
fn well_known_numbers_that_few_have() {
    let known = [
        (X86, "vm86", 166),
        (X32, "recvmsg", 519),
        (Aarch64, "nfsservctl", 42),
        (Mips, "sysmips", 4149),
        (Ppc64, "spu_run", 278),
        (S390, "getxattrat", 464),
        (S390x, "s390_pci_mmio_read", 353),
        (Riscv64, "riscv_flush_icache", 259),
        (M68k, "atomic_barrier", 336),
    ];
    for (column, name, value) in known {
        assert_eq!(number(column, name), Some(value), "{column:?} {name}");
    }
}

#[test]
fn the_columns_are_in_the_order_of_the_enum() {
    assert!(ALL.iter().enumerate().all(|(at, &column)| column as usize == at));
}

#[test]
fn private_calls_of_arm_keep_clear_of_the_others() {
    for (at, text) in
        ["breakpoint", "cacheflush", "usr26", "usr32", "set_tls", "get_tls"].iter().enumerate()
    {
        let value = 0x0f_0001 + at as u32;
        assert_eq!(number(Arm, text), Some(value), "{text}");
        assert_eq!(name(Arm, value), Some(*text));
        assert_eq!(name(Arm, 0xf001 + at as u32), None, "what the table stores is not a number");
    }
    assert_eq!(number(Mips, "cacheflush"), Some(4147));
}

#[test]
fn a_number_without_a_call_has_no_name() {
    for column in ALL {
        assert_eq!(name(column, 0xffff), None, "{column:?}");
        assert_eq!(name(column, 0x0f_0fff), None, "{column:?}");
        assert_eq!(name(column, u32::MAX), None, "{column:?}");
    }
    assert_eq!(name(X32, 0x4000_0000), None, "x32's bit is the architecture's");
}

/// The libc crate's numbers were collected by others, from other sources.
#[cfg(target_arch = "x86_64")]
#[test]
fn x86_64_has_the_numbers_of_the_libc_crate() {
    macro_rules! numbers {
        ($($constant:ident)*) => { [$((stringify!($constant), libc::$constant)),*] };
    }
    let known = numbers! {
        SYS__sysctl SYS_accept SYS_accept4 SYS_access SYS_acct SYS_add_key SYS_adjtimex SYS_afs_syscall
        SYS_alarm SYS_arch_prctl SYS_bind SYS_bpf SYS_brk SYS_capget SYS_capset SYS_chdir SYS_chmod SYS_chown
        SYS_chroot SYS_clock_adjtime SYS_clock_getres SYS_clock_gettime SYS_clock_nanosleep SYS_clock_settime
        SYS_clone SYS_clone3 SYS_close SYS_close_range SYS_connect SYS_copy_file_range SYS_creat
        SYS_delete_module SYS_dup SYS_dup2 SYS_dup3 SYS_epoll_create SYS_epoll_create1 SYS_epoll_ctl
        SYS_epoll_ctl_old SYS_epoll_pwait SYS_epoll_pwait2 SYS_epoll_wait SYS_epoll_wait_old SYS_eventfd
        SYS_eventfd2 SYS_execve SYS_execveat SYS_exit SYS_exit_group SYS_faccessat SYS_faccessat2 SYS_fadvise64
        SYS_fallocate SYS_fanotify_init SYS_fanotify_mark SYS_fchdir SYS_fchmod SYS_fchmodat SYS_fchmodat2
        SYS_fchown SYS_fchownat SYS_fcntl SYS_fdatasync SYS_fgetxattr SYS_finit_module SYS_flistxattr SYS_flock
        SYS_fork SYS_fremovexattr SYS_fsconfig SYS_fsetxattr SYS_fsmount SYS_fsopen SYS_fspick SYS_fstat
        SYS_fstatfs SYS_fsync SYS_ftruncate SYS_futex SYS_futex_waitv SYS_futimesat SYS_get_mempolicy
        SYS_get_robust_list SYS_get_thread_area SYS_getcpu SYS_getcwd SYS_getdents SYS_getdents64 SYS_getegid
        SYS_geteuid SYS_getgid SYS_getgroups SYS_getitimer SYS_getpeername SYS_getpgid SYS_getpgrp SYS_getpid
        SYS_getpmsg SYS_getppid SYS_getpriority SYS_getrandom SYS_getresgid SYS_getresuid SYS_getrlimit
        SYS_getrusage SYS_getsid SYS_getsockname SYS_getsockopt SYS_gettid SYS_gettimeofday SYS_getuid
        SYS_getxattr SYS_init_module SYS_inotify_add_watch SYS_inotify_init SYS_inotify_init1
        SYS_inotify_rm_watch SYS_io_cancel SYS_io_destroy SYS_io_getevents SYS_io_setup SYS_io_submit
        SYS_io_uring_enter SYS_io_uring_register SYS_io_uring_setup SYS_ioctl SYS_ioperm SYS_iopl SYS_ioprio_get
        SYS_ioprio_set SYS_kcmp SYS_kexec_file_load SYS_kexec_load SYS_keyctl SYS_kill SYS_landlock_add_rule
        SYS_landlock_create_ruleset SYS_landlock_restrict_self SYS_lchown SYS_lgetxattr SYS_link SYS_linkat
        SYS_listen SYS_listxattr SYS_llistxattr SYS_lookup_dcookie SYS_lremovexattr SYS_lseek SYS_lsetxattr
        SYS_lstat SYS_madvise SYS_mbind SYS_membarrier SYS_memfd_create SYS_memfd_secret SYS_migrate_pages
        SYS_mincore SYS_mkdir SYS_mkdirat SYS_mknod SYS_mknodat SYS_mlock SYS_mlock2 SYS_mlockall SYS_mmap
        SYS_modify_ldt SYS_mount SYS_mount_setattr SYS_move_mount SYS_move_pages SYS_mprotect SYS_mq_getsetattr
        SYS_mq_notify SYS_mq_open SYS_mq_timedreceive SYS_mq_timedsend SYS_mq_unlink SYS_mremap SYS_mseal
        SYS_msgctl SYS_msgget SYS_msgrcv SYS_msgsnd SYS_msync SYS_munlock SYS_munlockall SYS_munmap
        SYS_name_to_handle_at SYS_nanosleep SYS_newfstatat SYS_nfsservctl SYS_open SYS_open_by_handle_at
        SYS_open_tree SYS_openat SYS_openat2 SYS_pause SYS_perf_event_open SYS_personality SYS_pidfd_getfd
        SYS_pidfd_open SYS_pidfd_send_signal SYS_pipe SYS_pipe2 SYS_pivot_root SYS_pkey_alloc SYS_pkey_free
        SYS_pkey_mprotect SYS_poll SYS_ppoll SYS_prctl SYS_pread64 SYS_preadv SYS_preadv2 SYS_prlimit64
        SYS_process_madvise SYS_process_mrelease SYS_process_vm_readv SYS_process_vm_writev SYS_pselect6
        SYS_ptrace SYS_putpmsg SYS_pwrite64 SYS_pwritev SYS_pwritev2 SYS_quotactl SYS_quotactl_fd SYS_read
        SYS_readahead SYS_readlink SYS_readlinkat SYS_readv SYS_reboot SYS_recvfrom SYS_recvmmsg SYS_recvmsg
        SYS_remap_file_pages SYS_removexattr SYS_rename SYS_renameat SYS_renameat2 SYS_request_key
        SYS_restart_syscall SYS_rmdir SYS_rseq SYS_rt_sigaction SYS_rt_sigpending SYS_rt_sigprocmask
        SYS_rt_sigqueueinfo SYS_rt_sigreturn SYS_rt_sigsuspend SYS_rt_sigtimedwait SYS_rt_tgsigqueueinfo
        SYS_sched_get_priority_max SYS_sched_get_priority_min SYS_sched_getaffinity SYS_sched_getattr
        SYS_sched_getparam SYS_sched_getscheduler SYS_sched_rr_get_interval SYS_sched_setaffinity
        SYS_sched_setattr SYS_sched_setparam SYS_sched_setscheduler SYS_sched_yield SYS_seccomp SYS_security
        SYS_select SYS_semctl SYS_semget SYS_semop SYS_semtimedop SYS_sendfile SYS_sendmmsg SYS_sendmsg
        SYS_sendto SYS_set_mempolicy SYS_set_mempolicy_home_node SYS_set_robust_list SYS_set_thread_area
        SYS_set_tid_address SYS_setdomainname SYS_setfsgid SYS_setfsuid SYS_setgid SYS_setgroups SYS_sethostname
        SYS_setitimer SYS_setns SYS_setpgid SYS_setpriority SYS_setregid SYS_setresgid SYS_setresuid
        SYS_setreuid SYS_setrlimit SYS_setsid SYS_setsockopt SYS_settimeofday SYS_setuid SYS_setxattr SYS_shmat
        SYS_shmctl SYS_shmdt SYS_shmget SYS_shutdown SYS_sigaltstack SYS_signalfd SYS_signalfd4 SYS_socket
        SYS_socketpair SYS_splice SYS_stat SYS_statfs SYS_statx SYS_swapoff SYS_swapon SYS_symlink SYS_symlinkat
        SYS_sync SYS_sync_file_range SYS_syncfs SYS_sysfs SYS_sysinfo SYS_syslog SYS_tee SYS_tgkill SYS_time
        SYS_timer_create SYS_timer_delete SYS_timer_getoverrun SYS_timer_gettime SYS_timer_settime
        SYS_timerfd_create SYS_timerfd_gettime SYS_timerfd_settime SYS_times SYS_tkill SYS_truncate SYS_tuxcall
        SYS_umask SYS_umount2 SYS_uname SYS_unlink SYS_unlinkat SYS_unshare SYS_uselib SYS_userfaultfd SYS_ustat
        SYS_utime SYS_utimensat SYS_utimes SYS_vfork SYS_vhangup SYS_vmsplice SYS_vserver SYS_wait4 SYS_waitid
        SYS_write SYS_writev
    };
    for (constant, value) in known {
        let name = constant.strip_prefix("SYS_").unwrap();
        assert_eq!(number(X86_64, name).map(libc::c_long::from), Some(value), "{name}");
    }
}
