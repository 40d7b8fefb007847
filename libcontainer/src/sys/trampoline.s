// The trampoline's instructions, for x86_64: trampoline.rs says what it is for, and gives the offsets of
// its orders.
//
// rbx  where it reports, and waits
// rbp  the call that is next; its stack, for the thread
// r12  orders
// r13  argc, argv and envp, as execve(2) left them
// r14  the header of the message that the present call failed
// r15  what failed before anybody was there to hear of it, or 0
//
// On the stack: 96 header and data of capget(2) and capset(2), 128 the listener's number and 1,
// 136 what came of sending it, 144 where the parent hears of failures, or -1, 152 what a call has kept.

    .pushsection .rodata.skep_trampoline, "a", @progbits
    .balign 8
    .globl skep_trampoline_begin
    .hidden skep_trampoline_begin
skep_trampoline_begin:
    // The ELF header: elf(5). One segment to execute, one that says the stack is not.
    .byte 0x7f, 0x45, 0x4c, 0x46, 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0
    .short 2, 62
    .long 1
    .quad 0x400000 + (.Lskep_entry - skep_trampoline_begin)
    .quad 64, 0
    .long 0
    .short 64, 56, 2, 64, 0, 0
    .long 1, 5
    .quad 0, 0x400000, 0x400000
    .quad skep_trampoline_end - skep_trampoline_begin
    .quad skep_trampoline_end - skep_trampoline_begin
    .quad 4096
    .long 0x6474e551, 6
    .quad 0, 0, 0, 0, 0, 16
.Lskep_entry:
    mov r13, rsp
    sub rsp, 192
    lea r12, [rip + .Lskep_orders]
    lea r14, [r12 + {EXEC}]
    xor r15d, r15d
    // fcntl(fd, F_SETFD, FD_CLOEXEC); without it the payload would inherit it.
    mov ebx, [r12 + {FD}]
    mov edi, ebx
    mov esi, 2
    mov edx, 1
    mov eax, 72
    syscall
    test rax, rax
    js .Lskep_report
    mov edi, [r12 + {SOCKET}]
    mov [rsp + 144], edi
    test edi, edi
    js .Lskep_calls
    mov eax, 72
    syscall
    test rax, rax
    js .Lskep_report
    // The calls that come first: r10 has the fourth argument, as the kernel wants it.
.Lskep_calls:
    mov rbp, [r12 + {CALLS}]
.Lskep_call:
    mov eax, [rbp + {CALL_NUMBER}]
    test eax, eax
    jz .Lskep_called
    cmp eax, {AWAIT}
    je .Lskep_await
    lea r14, [rbp + {CALL_FAILED}]
    mov rdi, [rbp + {CALL_ARGUMENTS}]
    mov rsi, [rbp + {CALL_ARGUMENTS} + 8]
    mov rdx, [rbp + {CALL_ARGUMENTS} + 16]
    mov r10, [rbp + {CALL_ARGUMENTS} + 24]
    test dword ptr [rbp + {CALL_FLAGS}], {CALL_TAKES_KEPT}
    cmovnz rdi, [rsp + 152]
    xor r8d, r8d
    syscall
    test rax, rax
    js .Lskep_failed
    test dword ptr [rbp + {CALL_FLAGS}], {CALL_KEEPS}
    jz .Lskep_not_kept
    mov [rsp + 152], rax
.Lskep_not_kept:
    cmp dword ptr [rbp + {CALL_NUMBER}], {CLONE}
    lea rbp, [rbp + {CALL_SIZE}]
    jne .Lskep_call
    test rax, rax
    jz .Lskep_call
    // write(fd, (header, pid), 12), and exit_group(0): the process that was made goes on.
    mov rcx, [r12 + {FORKED}]
    mov [rsp], rcx
    mov [rsp + 8], rax
    mov edi, ebx
    mov rsi, rsp
    mov edx, 12
    mov eax, 1
    syscall
    xor edi, edi
    mov eax, 231
    syscall
    hlt
    // read(fd, on the stack, 4): the parent has answered, or is gone.
.Lskep_await:
    mov edi, ebx
    mov rsi, rsp
    mov edx, 4
    xor eax, eax
    syscall
    cmp rax, -4
    je .Lskep_await
    cmp rax, 4
    lea rbp, [rbp + {CALL_SIZE}]
    je .Lskep_call
    jmp .Lskep_exit
    // Without a listener to come the socket has been closed by the calls.
.Lskep_called:
    cmp dword ptr [r12 + {LISTENS}], 0
    jne .Lskep_has_filter
    mov dword ptr [rsp + 144], -1
.Lskep_has_filter:
    cmp word ptr [r12 + {PROGRAM}], 0
    je .Lskep_wait
    mov ecx, [r12 + {ADMIN}]
    test ecx, ecx
    jz .Lskep_begin_thread
    // capget((_LINUX_CAPABILITY_VERSION_3, 0), data)
    lea r14, [r12 + {KEEP}]
    mov ecx, 0x20080522
    mov [rsp + 96], rcx
    lea rdi, [rsp + 96]
    lea rsi, [rsp + 104]
    mov eax, 125
    syscall
    test rax, rax
    js .Lskep_failed
    test dword ptr [r12 + {ADMIN}], {INHERITABLE}
    jz .Lskep_lower_ambient
    // capset(the same header, data less CAP_SYS_ADMIN in the inheritable set, and so in the ambient one)
    and dword ptr [rsp + 112], {OTHERS}
    mov eax, 126
    syscall
    jmp .Lskep_lowered
    // prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_LOWER, CAP_SYS_ADMIN, 0, 0)
.Lskep_lower_ambient:
    mov edi, 47
    mov esi, 3
    mov edx, {NUMBER}
    xor r10d, r10d
    xor r8d, r8d
    mov eax, 157
    syscall
.Lskep_lowered:
    test rax, rax
    js .Lskep_failed
    // clone(VM, FS, FILES, SIGHAND, THREAD; a stack below ours): a thread that has no filter, and our files.
.Lskep_begin_thread:
    mov rbp, rsp
    cmp dword ptr [r12 + {LISTENS}], 0
    je .Lskep_load
    xor ecx, ecx
    mov [rbp + 128], rcx
    mov [rbp + 136], rcx
    lea r14, [r12 + {SEND}]
    mov edi, 0x10f00
    lea rsi, [rsp - 512]
    xor edx, edx
    xor r10d, r10d
    xor r8d, r8d
    mov eax, 56
    syscall
    test rax, rax
    jz .Lskep_thread
    js .Lskep_failed
    // seccomp(SECCOMP_SET_MODE_FILTER, flags, program)
.Lskep_load:
    lea r14, [r12 + {LOAD}]
    mov edi, 1
    mov esi, [r12 + {FLAGS}]
    lea rdx, [r12 + {PROGRAM}]
    mov eax, 317
    syscall
    test rax, rax
    js .Lskep_failed
    cmp dword ptr [r12 + {LISTENS}], 0
    je .Lskep_give_up
    // What sends the listener is told its number; no call of ours could be sure not to be notified.
    lea r14, [r12 + {SEND}]
    inc rax
    mov [rbp + 128], rax
.Lskep_until_sent:
    pause
    cmp dword ptr [r12 + {YIELDS}], 0
    je .Lskep_look
    // sched_yield(): with a realtime policy and one processor, the thread runs when we do not.
    mov eax, 24
    syscall
.Lskep_look:
    mov rax, [rbp + 136]
    test rax, rax
    jz .Lskep_until_sent
    js .Lskep_failed
    // capset(the same header, data less CAP_SYS_ADMIN in the permitted and effective sets)
.Lskep_give_up:
    test dword ptr [r12 + {ADMIN}], {GIVEN_UP}
    jz .Lskep_wait
    lea r14, [r12 + {GIVE_UP}]
    and dword ptr [rsp + 104], {OTHERS}
    and dword ptr [rsp + 108], {OTHERS}
    lea rdi, [rsp + 96]
    lea rsi, [rsp + 104]
    mov eax, 126
    syscall
    test rax, rax
    jns .Lskep_wait
    // What failed is told to the parent, if it is there to hear it, or else to whoever starts us.
.Lskep_failed:
    mov ecx, [rsp + 144]
    test ecx, ecx
    cmovns ebx, ecx
    jns .Lskep_report
    mov r15, rax
.Lskep_wait:
    cmp dword ptr [r12 + {WAITS}], 0
    je .Lskep_execute
    lea rcx, [r12 + {WAIT}]
    test r15, r15
    cmovz r14, rcx
    // read(fd, on the stack, 1), again after a signal's handler; whatever is not one byte is no go.
.Lskep_read:
    mov edi, ebx
    mov rsi, rsp
    mov edx, 1
    xor eax, eax
    syscall
    cmp rax, -4
    je .Lskep_read
    cmp rax, 1
    jne .Lskep_report
.Lskep_execute:
    mov rax, r15
    test rax, rax
    jnz .Lskep_report
    // execve(argv[0], argv + 1, envp)
    lea r14, [r12 + {EXEC}]
    mov rcx, [r13]
    mov rdi, [r13 + 8]
    lea rsi, [r13 + 16]
    lea rdx, [r13 + rcx * 8 + 16]
    mov eax, 59
    syscall
    // write(fd, (header, errno), 12)
.Lskep_report:
    neg rax
    mov rcx, [r14]
    mov [rsp], rcx
    mov [rsp + 8], rax
    mov edi, ebx
    mov rsi, rsp
    mov edx, 12
    mov eax, 1
    syscall
.Lskep_exit:
    mov edi, 1
    mov eax, 231
    syscall
    hlt
    // The thread: sched_yield() until there is a listener.
.Lskep_thread:
    mov eax, 24
    syscall
    mov rax, [rbp + 128]
    test rax, rax
    jz .Lskep_thread
    dec rax
    // sendmsg(socket, (a message, SCM_RIGHTS: the listener), MSG_NOSIGNAL)
    xor ecx, ecx
    mov [rsp], rcx
    mov [rsp + 8], rcx
    mov [rsp + 48], rcx
    lea rdx, [rsp + 56]
    mov [rsp + 16], rdx
    lea rdx, [rsp + 72]
    mov [rsp + 32], rdx
    lea rdx, [r12 + {LISTENER}]
    mov [rsp + 56], rdx
    mov ecx, 1
    mov [rsp + 24], rcx
    mov [rsp + 80], ecx
    mov [rsp + 84], ecx
    mov ecx, 12
    mov [rsp + 64], rcx
    mov ecx, 20
    mov [rsp + 72], rcx
    mov ecx, 24
    mov [rsp + 40], rcx
    mov [rsp + 88], rax
    mov edi, [r12 + {SOCKET}]
    mov rsi, rsp
    mov edx, 0x4000
    mov eax, 46
    syscall
    // close(listener): only the agent is to have it, so that calls fail when the agent is gone.
    mov r15, rax
    mov edi, [rsp + 88]
    mov eax, 3
    syscall
    // What came of sending is not 0: so many bytes, or an error. Then exit(0), of this thread only.
    mov [rbp + 136], r15
    xor edi, edi
    mov eax, 60
    syscall
    hlt
    // Orders, and the filter's instructions, come right behind.
    .balign 8
.Lskep_orders:
    .globl skep_trampoline_end
    .hidden skep_trampoline_end
skep_trampoline_end:
    .popsection
