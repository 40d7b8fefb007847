/*
 * Preloaded (ld.so(8)) for user-mode Linux on processors with AMX. The kernel takes the extended registers of a
 * process as a whole, and refuses a part (EFAULT, xstateregs_set()); Linux 6.1 as a guest has no room for those of
 * AMX, which come last. Nobody in the guest has them: they stay as they are when a process begins.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <elf.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>

typedef long function(enum __ptrace_request, ...);

long ptrace(enum __ptrace_request request, ...)
{
    static function *libc;
    static char registers[64 << 10];
    static struct iovec whole = {registers, sizeof registers};
    va_list rest;
    va_start(rest, request);
    pid_t pid = va_arg(rest, pid_t);
    void *address = va_arg(rest, void *);
    void *data = va_arg(rest, void *);
    va_end(rest);

    if (!libc)
        libc = (function *)dlsym(RTLD_NEXT, "ptrace");
    if (request == PTRACE_SETREGSET && address == (void *)NT_X86_XSTATE) {
        struct iovec *part = data;
        if (whole.iov_len == sizeof registers && libc(PTRACE_GETREGSET, pid, address, &whole) < 0)
            return -1;
        if (part->iov_len < whole.iov_len) {
            memcpy(registers, part->iov_base, part->iov_len);
            data = &whole;
        }
    }
    return libc(request, pid, address, data);
}
