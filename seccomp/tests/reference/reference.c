/*
 * The reference of the differential test: compiles seccomp profiles with libseccomp, in the way runc drives it.
 *
 *   cc -O2 -Wall -o reference reference.c -lseccomp
 *
 * One command a line on standard input; numbers are decimal or 0x hexadecimal. One profile:
 *
 *   profile DEFAULT_ACTION           begin; the action as a return value of a filter (0x7fff0000 is ALLOW)
 *   only                             forget the native architecture, so that a foreign one can be asked for alone
 *   arch TOKEN                       add an architecture by its SCMP_ARCH token; one that is there already is no error
 *   optimize LEVEL                   SCMP_FLTATR_CTL_OPTIMIZE: 1 a list by priority, 2 a binary tree
 *   rule ACTION NAME[,NAME]... [INDEX OP VALUE VALUE_TWO]...
 *                                    OP is the number of the operator in enum scmp_compare
 *   end                              answer
 *
 * The answer is any number of lines `unknown NAME` and one of
 *
 *   program LENGTH                   followed by LENGTH instructions (struct sock_filter) as they are in memory
 *   error STEP ERRNO                 where runc would refuse the container
 *
 * And names alone, answered by one line with a number (negative: libseccomp's own number for a name that this
 * architecture does not have, or has behind a multiplexer; -1: the name is known nowhere):
 *
 *   resolve TOKEN NAME
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/filter.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define ARGUMENTS 6
#define CONDITIONS 64
/* libseccomp does not come back from some profiles (SEMANTICS.md); nobody should wait for it. */
#define SECONDS 60

/* The profile that is being read. After an error the rest of it is read over. */
static scmp_filter_ctx filter;
static uint32_t default_action;
static const char *failed_step;
static int failed_errno;

static void die(const char *what) {
    fprintf(stderr, "reference: %s\n", what);
    exit(1);
}

static uint64_t number(const char *word) {
    char *end;
    if (!word || !*word)
        die("a number is missing");
    uint64_t value = strtoull(word, &end, 0);
    if (*end)
        die("not a number");
    return value;
}

static uint64_t next_number(char **rest) {
    return number(strtok_r(NULL, " ", rest));
}

/* Keeps the first error: runc stops there. */
static void check(const char *step, int rc) {
    if (rc < 0 && !failed_step) {
        failed_step = step;
        failed_errno = -rc;
    }
}

static void begin(char **rest) {
    alarm(SECONDS);
    default_action = next_number(rest);
    failed_step = NULL;
    if (filter)
        seccomp_release(filter);
    filter = seccomp_init(default_action);
    if (!filter)
        check("init", -EINVAL);
}

static void add_architecture(uint32_t token) {
    int rc = seccomp_arch_add(filter, token);
    check("arch", rc == -EEXIST ? 0 : rc);
}

static bool repeats_an_argument(const struct scmp_arg_cmp *conditions, unsigned count) {
    unsigned seen = 0;
    for (unsigned i = 0; i < count; i++) {
        if (seen & 1u << conditions[i].arg)
            return true;
        seen |= 1u << conditions[i].arg;
    }
    return false;
}

/* What runc does with one name of one entry of `syscalls`. */
static void add_rule(uint32_t action, const char *name, const struct scmp_arg_cmp *conditions, unsigned count) {
    int syscall = seccomp_syscall_resolve_name(name);
    if (syscall == __NR_SCMP_ERROR) {
        printf("unknown %s\n", name);
        return;
    }
    if (!repeats_an_argument(conditions, count)) {
        check("rule", seccomp_rule_add_array(filter, action, syscall, count, conditions));
        return;
    }
    for (unsigned i = 0; i < count; i++)
        check("rule", seccomp_rule_add_array(filter, action, syscall, 1, &conditions[i]));
}

static unsigned read_conditions(struct scmp_arg_cmp *conditions, char **rest) {
    unsigned count = 0;
    char *word;
    while ((word = strtok_r(NULL, " ", rest))) {
        struct scmp_arg_cmp *condition = &conditions[count++];
        condition->arg = number(word);
        condition->op = next_number(rest);
        condition->datum_a = next_number(rest);
        condition->datum_b = next_number(rest);
        if (condition->arg >= ARGUMENTS || count == CONDITIONS)
            die("too many conditions, or an argument that does not exist");
    }
    return count;
}

static void rule(char **rest) {
    uint32_t action = next_number(rest);
    char *names = strtok_r(NULL, " ", rest);
    struct scmp_arg_cmp conditions[CONDITIONS];
    unsigned count = read_conditions(conditions, rest);
    if (action == default_action)
        return;
    for (char *name = strtok(names, ","); name && !failed_step; name = strtok(NULL, ","))
        add_rule(action, name, conditions, count);
}

static void print_program(void) {
    int fd = memfd_create("program", MFD_CLOEXEC);
    if (fd < 0)
        die("memfd_create");
    check("export", seccomp_export_bpf(filter, fd));
    off_t size = lseek(fd, 0, SEEK_END);
    if (!failed_step) {
        void *program = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (program == MAP_FAILED)
            die("mmap");
        printf("program %zu\n", size / sizeof(struct sock_filter));
        fwrite(program, 1, size, stdout);
        munmap(program, size);
    }
    close(fd);
}

static void end(void) {
    if (!failed_step)
        print_program();
    if (failed_step)
        printf("error %s %d\n", failed_step, failed_errno);
    fflush(stdout);
}

static void resolve(char **rest) {
    uint32_t token = next_number(rest);
    printf("%d\n", seccomp_syscall_resolve_name_arch(token, strtok_r(NULL, " ", rest)));
    fflush(stdout);
}

static void obey(const char *command, char **rest) {
    if (!strcmp(command, "profile"))
        begin(rest);
    else if (!strcmp(command, "resolve"))
        resolve(rest);
    else if (!strcmp(command, "end"))
        end();
    else if (failed_step)
        return;
    else if (!strcmp(command, "only"))
        check("only", seccomp_arch_remove(filter, SCMP_ARCH_NATIVE));
    else if (!strcmp(command, "arch"))
        add_architecture(next_number(rest));
    else if (!strcmp(command, "optimize"))
        check("optimize", seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, next_number(rest)));
    else if (!strcmp(command, "rule"))
        rule(rest);
    else
        die("unknown command");
}

int main(void) {
    char *line = NULL;
    size_t size = 0;
    ssize_t length;
    while ((length = getline(&line, &size, stdin)) > 0) {
        if (line[length - 1] == '\n')
            line[length - 1] = 0;
        char *rest;
        char *command = strtok_r(line, " ", &rest);
        if (command)
            obey(command, &rest);
    }
    free(line);
    if (filter)
        seccomp_release(filter);
    return 0;
}
