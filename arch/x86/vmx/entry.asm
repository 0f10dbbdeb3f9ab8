; Into the guest and out again. The processor switches RIP, RSP, RFLAGS and all that the VMCS holds; the other fifteen
; general registers are switched here. Layout of struct vcpu_regs: sixteen registers in the order of their encoding
; (checked at compile time in run.c).
%include "arch/x86/mitigate.inc"

bits 64
default rel
section .text

%define REG(n)        [rdi + 8 * (n)]
%define RAX           0
%define RCX           1
%define RDX           2
%define RBX           3
%define RBP           5
%define RSI           6
%define RDI           7
%define VMCS_HOST_RSP 6c14h

global vmx_enter
global vmx_exit_point
global vmx_exit_guarded

; int vmx_enter(struct vcpu_regs *regs (rdi), bool launched (sil), uint64_t *host_rsp (rdx))
vmx_enter:
    push rbp
    push rbx
    push r12
    push r13
    push r14
    push r15
    push rdi
    ; The stack is mostly as deep as it was the last time.
    cmp [rdx], rsp
    je .host_rsp_done
    mov [rdx], rsp
    mov eax, VMCS_HOST_RSP
    vmwrite rax, rsp
.host_rsp_done:
    test sil, sil               ; MOV keeps the flags
    mov rax, REG(RAX)
    mov rcx, REG(RCX)
    mov rdx, REG(RDX)
    mov rbx, REG(RBX)
    mov rbp, REG(RBP)
    mov rsi, REG(RSI)
    mov r8, REG(8)
    mov r9, REG(9)
    mov r10, REG(10)
    mov r11, REG(11)
    mov r12, REG(12)
    mov r13, REG(13)
    mov r14, REG(14)
    mov r15, REG(15)
    mov rdi, REG(RDI)
    jz .launch
    vmresume
    jmp .failed
.launch:
    vmlaunch
.failed:
    ; Only reached on VMfail: CF, or ZF with an error number in the VMCS (SDM vol. 3, 31.2). The guest's registers are
    ; as they were.
    mov eax, 2
    mov edx, 1
    cmovc eax, edx
    pop rdi
    jmp restore_host

    ; HOST_RIP where the processor asks for it.
    align 16
vmx_exit_guarded:
    FILL_RSB
    WRITE_IBRS
    jmp vmx_exit_point

    align 16
vmx_exit_point:
    push rdi
    mov rdi, [rsp + 8]
    mov REG(RAX), rax
    mov REG(RCX), rcx
    mov REG(RDX), rdx
    mov REG(RBX), rbx
    pop rax
    mov REG(RDI), rax
    mov REG(RBP), rbp
    mov REG(RSI), rsi
    mov REG(8), r8
    mov REG(9), r9
    mov REG(10), r10
    mov REG(11), r11
    mov REG(12), r12
    mov REG(13), r13
    mov REG(14), r14
    mov REG(15), r15
    pop rdi
    xor eax, eax
restore_host:
    pop r15
    pop r14
    pop r13
    pop r12
    pop rbx
    pop rbp
    ret

section .note.GNU-stack progbits noalloc noexec nowrite
