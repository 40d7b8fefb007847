/*
 * The lower bound: the kernel calls that the default `runc spec` asks for, and nothing else.
 *
 *   bare run ROOTFS [--device-filter]    a container that runs ROOTFS/bin/true
 *   bare exec PID                        /bin/true in the namespaces and the cgroup of process PID
 *
 * No config is read, nothing is validated, no state is kept, no path is resolved safely: a runtime cannot
 * be quicker than this unless it finds cheaper calls for the same container. The order of the calls is a
 * runtime's: the cgroup and its device filter first, one clone3, the mounts by file descriptor, the
 * root, the credentials. cgroup2 must be mounted at /sys/fs/cgroup (see testing-root.sh).
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/bpf.h>
#include <linux/capability.h>
#include <linux/keyctl.h>
#include <linux/sched.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define MUST(call) must(#call, (call))

static long must(const char *what, long result)
{
    if (result == -1) {
        fprintf(stderr, "bare: %s: %s\n", what, strerror(errno));
        _exit(125);
    }
    return result;
}

/* ---- the device filter: what runc allows by default ---- */

#define INSN(c, d, s, o, i) ((struct bpf_insn){.code = (c), .dst_reg = (d), .src_reg = (s), .off = (o), .imm = (i)})
#define LOAD(dst, field) INSN(BPF_LDX | BPF_MEM | BPF_W, dst, 1, offsetof(struct bpf_cgroup_dev_ctx, field), 0)
#define ALU(op, dst, value) INSN(BPF_ALU | (op) | BPF_K, dst, 0, 0, value)
#define ALU_X(op, dst, src) INSN(BPF_ALU | (op) | BPF_X, dst, src, 0, 0)
#define JUMP_IF(op, reg, value, offset) INSN(BPF_JMP32 | (op) | BPF_K, reg, 0, offset, value)
#define EXIT INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0)
#define KEY(major, minor) ((major) << 20 | (minor))

/*
 * One key per device instead of a type, access, major and minor test for each rule: the verifier walks a
 * fifth of the states, and loading takes half of the time.
 */
static void attach_device_filter(int cgroup)
{
    const struct bpf_insn program[] = {
        LOAD(2, access_type),
        LOAD(4, major),
        LOAD(5, minor),
        ALU(BPF_MOV, 0, 1),
        ALU_X(BPF_MOV, 3, 2),
        ALU(BPF_RSH, 3, 17), /* access_type is access << 16 | type, and making a node is bit 0 of access */
        JUMP_IF(BPF_JEQ, 3, 0, 13),
        ALU(BPF_AND, 2, 0xffff),
        JUMP_IF(BPF_JNE, 2, BPF_DEVCG_DEV_CHAR, 10),
        JUMP_IF(BPF_JEQ, 4, 136, 10), /* pts */
        ALU(BPF_LSH, 4, 20),
        ALU_X(BPF_OR, 4, 5),
        JUMP_IF(BPF_JEQ, 4, KEY(1, 3), 7),
        JUMP_IF(BPF_JEQ, 4, KEY(1, 5), 6),
        JUMP_IF(BPF_JEQ, 4, KEY(1, 7), 5),
        JUMP_IF(BPF_JEQ, 4, KEY(1, 8), 4),
        JUMP_IF(BPF_JEQ, 4, KEY(1, 9), 3),
        JUMP_IF(BPF_JEQ, 4, KEY(5, 0), 2),
        JUMP_IF(BPF_JEQ, 4, KEY(5, 2), 1),
        ALU(BPF_MOV, 0, 0),
        EXIT,
    };
    union bpf_attr load = {.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE,
                           .insns = (uintptr_t)program,
                           .insn_cnt = COUNT(program),
                           .license = (uintptr_t) "Apache-2.0"};
    int loaded = MUST(syscall(SYS_bpf, BPF_PROG_LOAD, &load, sizeof load));
    union bpf_attr attach = {.target_fd = cgroup,
                             .attach_bpf_fd = loaded,
                             .attach_type = BPF_CGROUP_DEVICE,
                             .attach_flags = BPF_F_ALLOW_MULTI};
    MUST(syscall(SYS_bpf, BPF_PROG_ATTACH, &attach, sizeof attach));
    close(loaded);
}

/* ---- mounts: all relative to the working directory, which is the new root ---- */

/* The spec's `source` of each is what mountinfo will show. */
static int filesystem(const char *type, const char *source, const char *const options[][2], unsigned attributes)
{
    int context = MUST(fsopen(type, FSOPEN_CLOEXEC));
    MUST(fsconfig(context, FSCONFIG_SET_STRING, "source", source, 0));
    for (; options && (*options)[0]; options++)
        MUST(fsconfig(context, FSCONFIG_SET_STRING, (*options)[0], (*options)[1], 0));
    MUST(fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0));
    int mount = MUST(fsmount(context, FSMOUNT_CLOEXEC, attributes));
    close(context);
    return mount;
}

static void attach(int mount, const char *target)
{
    MUST(move_mount(mount, "", AT_FDCWD, target, MOVE_MOUNT_F_EMPTY_PATH));
    close(mount);
}

static void mount_filesystems(void)
{
    typedef const char *const options[][2];
    options dev = {{"mode", "755"}, {"size", "65536k"}, {NULL, NULL}};
    options pts = {{"ptmxmode", "0666"}, {"mode", "0620"}, {"gid", "5"}, {NULL, NULL}};
    options shm = {{"mode", "1777"}, {"size", "65536k"}, {NULL, NULL}};
    const unsigned locked = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC | MOUNT_ATTR_NODEV;

    attach(filesystem("proc", "proc", NULL, 0), "proc");
    attach(filesystem("tmpfs", "tmpfs", dev, MOUNT_ATTR_NOSUID | MOUNT_ATTR_STRICTATIME), "dev");
    MUST(mkdir("dev/pts", 0755));
    MUST(mkdir("dev/shm", 0755));
    MUST(mkdir("dev/mqueue", 0755));
    attach(filesystem("devpts", "devpts", pts, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC), "dev/pts");
    attach(filesystem("tmpfs", "shm", shm, locked), "dev/shm");
    attach(filesystem("mqueue", "mqueue", NULL, locked), "dev/mqueue");
    attach(filesystem("sysfs", "sysfs", NULL, locked | MOUNT_ATTR_RDONLY), "sys");
    attach(filesystem("cgroup2", "cgroup", NULL, locked | MOUNT_ATTR_RELATIME | MOUNT_ATTR_RDONLY), "sys/fs/cgroup");
}

static void make_devices(void)
{
    static const struct { const char *path; int major, minor; } nodes[] = {
        {"dev/null", 1, 3}, {"dev/zero", 1, 5},    {"dev/full", 1, 7},
        {"dev/tty", 5, 0},  {"dev/random", 1, 8}, {"dev/urandom", 1, 9},
    };
    static const char *const links[][2] = {
        {"pts/ptmx", "dev/ptmx"},           {"/proc/self/fd", "dev/fd"},       {"/proc/self/fd/0", "dev/stdin"},
        {"/proc/self/fd/1", "dev/stdout"}, {"/proc/self/fd/2", "dev/stderr"}, {"/proc/kcore", "dev/core"},
    };
    for (size_t i = 0; i < COUNT(nodes); i++)
        MUST(mknod(nodes[i].path, S_IFCHR | 0666, makedev(nodes[i].major, nodes[i].minor)));
    for (size_t i = 0; i < COUNT(links); i++)
        MUST(symlink(links[i][0], links[i][1]));
}

/* Files are covered by /dev/null, directories by one empty read-only tmpfs; what is absent needs no mask. */
static void mask_paths(void)
{
    static const char *const masked[] = {
        "proc/acpi",        "proc/asound",      "proc/kcore",       "proc/keys",    "proc/latency_stats",
        "proc/timer_list", "proc/timer_stats", "proc/sched_debug", "sys/firmware", "proc/scsi",
    };
    int empty = -1;
    for (size_t i = 0; i < COUNT(masked); i++) {
        int target = open(masked[i], O_PATH | O_CLOEXEC | O_NOFOLLOW);
        if (target == -1)
            continue;
        struct stat status;
        MUST(fstat(target, &status));
        int cover;
        if (!S_ISDIR(status.st_mode))
            cover = MUST(open_tree(AT_FDCWD, "dev/null", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC));
        else if (empty == -1)
            cover = empty = filesystem("tmpfs", "tmpfs", NULL, MOUNT_ATTR_RDONLY);
        else
            cover = MUST(open_tree(empty, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH));
        MUST(move_mount(cover, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH));
        if (cover != empty)
            close(cover);
        close(target);
    }
    close(empty);
}

static void make_paths_readonly(void)
{
    static const char *const readonly[] = {"proc/bus", "proc/fs", "proc/irq", "proc/sys", "proc/sysrq-trigger"};
    struct mount_attr attributes = {.attr_set = MOUNT_ATTR_RDONLY};
    for (size_t i = 0; i < COUNT(readonly); i++) {
        int copy = open_tree(AT_FDCWD, readonly[i], OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
        if (copy == -1)
            continue;
        MUST(mount_setattr(copy, "", AT_EMPTY_PATH | AT_RECURSIVE, &attributes, sizeof attributes));
        attach(copy, readonly[i]);
    }
}

static void enter_root(const char *rootfs)
{
    struct mount_attr private = {.propagation = MS_PRIVATE};
    struct mount_attr readonly = {.attr_set = MOUNT_ATTR_RDONLY};
    MUST(mount_setattr(AT_FDCWD, "/", AT_RECURSIVE, &private, sizeof private));
    int root = MUST(open_tree(AT_FDCWD, rootfs, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE));
    MUST(mount_setattr(root, "", AT_EMPTY_PATH, &readonly, sizeof readonly));
    MUST(move_mount(root, "", AT_FDCWD, rootfs, MOVE_MOUNT_F_EMPTY_PATH));
    MUST(fchdir(root));
    close(root);
    mount_filesystems();
    make_devices();
    mask_paths();
    make_paths_readonly();
    MUST(syscall(SYS_pivot_root, ".", "."));
    MUST(umount2(".", MNT_DETACH));
    MUST(chdir("/"));
}

static void raise_loopback(void)
{
    struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
    int control = MUST(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    MUST(ioctl(control, SIOCSIFFLAGS, &request));
    close(control);
}

/* The bounding set keeps what the default spec grants; the kernel has no call for more than one at a time. */
static void drop_privileges(void)
{
    const uint64_t kept = 1ull << CAP_AUDIT_WRITE | 1ull << CAP_KILL | 1ull << CAP_NET_BIND_SERVICE;
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct sets[2] = {{.effective = kept, .permitted = kept}};
    struct rlimit files = {1024, 1024};
    MUST(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
    MUST(setrlimit(RLIMIT_NOFILE, &files));
    for (int capability = 0; capability <= CAP_LAST_CAP; capability++)
        if (!(kept >> capability & 1))
            MUST(prctl(PR_CAPBSET_DROP, capability, 0, 0, 0));
    MUST(syscall(SYS_setgroups, 0, NULL));
    MUST(syscall(SYS_setresgid, 0, 0, 0));
    MUST(syscall(SYS_setresuid, 0, 0, 0));
    MUST(syscall(SYS_capset, &header, sets));
}

static _Noreturn void execute_true(void)
{
    char *arguments[] = {"/bin/true", NULL};
    char *environment[] = {"PATH=/bin", "TERM=xterm", "HOME=/root", NULL};
    MUST(syscall(SYS_close_range, 3, ~0u, CLOSE_RANGE_CLOEXEC));
    MUST(execve(arguments[0], arguments, environment));
    _exit(125);
}

static int wait_for(pid_t child)
{
    int status;
    MUST(waitpid(child, &status, 0));
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static pid_t clone_into(int cgroup, uint64_t namespaces)
{
    struct clone_args arguments = {
        .flags = CLONE_INTO_CGROUP | namespaces, .exit_signal = SIGCHLD, .cgroup = cgroup};
    return MUST(syscall(SYS_clone3, &arguments, sizeof arguments));
}

static int run(const char *rootfs, int device_filter)
{
    char path[64];
    snprintf(path, sizeof path, "/sys/fs/cgroup/bare-%d", getpid());
    MUST(mkdir(path, 0755));
    int cgroup = MUST(open(path, O_DIRECTORY | O_CLOEXEC));
    if (device_filter)
        attach_device_filter(cgroup);

    pid_t child = clone_into(
        cgroup, CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWNS | CLONE_NEWCGROUP);
    if (child == 0) {
        MUST(syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, "bare"));
        umask(0);
        MUST(sethostname("bare", 4));
        raise_loopback();
        enter_root(rootfs);
        umask(022);
        drop_privileges();
        execute_true();
    }
    int status = wait_for(child);
    MUST(rmdir(path));
    return status;
}

static int cgroup_of(const char *pid)
{
    char table[4096], path[4200];
    snprintf(path, sizeof path, "/proc/%s/cgroup", pid);
    int file = MUST(open(path, O_RDONLY | O_CLOEXEC));
    table[MUST(read(file, table, sizeof table - 1))] = 0;
    close(file);
    char *unified = strstr(table, "0::/");
    snprintf(path, sizeof path, "/sys/fs/cgroup%s", unified ? unified + 3 : "");
    path[strcspn(path, "\n")] = 0;
    return MUST(open(path, O_DIRECTORY | O_CLOEXEC));
}

static int exec(const char *pid)
{
    int init = MUST(syscall(SYS_pidfd_open, atoi(pid), 0));
    int cgroup = cgroup_of(pid);
    MUST(setns(init, CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWNS | CLONE_NEWCGROUP));
    pid_t child = clone_into(cgroup, 0);
    if (child == 0) {
        MUST(syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, "bare"));
        drop_privileges();
        execute_true();
    }
    return wait_for(child);
}

int main(int argc, char **argv)
{
    if (argc >= 3 && !strcmp(argv[1], "run"))
        return run(argv[2], argc > 3 && !strcmp(argv[3], "--device-filter"));
    if (argc == 3 && !strcmp(argv[1], "exec"))
        return exec(argv[2]);
    fprintf(stderr, "usage: bare run ROOTFS [--device-filter] | bare exec PID\n");
    return 125;
}
