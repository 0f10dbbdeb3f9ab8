; Into the guest and out again (APM vol. 2, 15.5 and 15.6). VMRUN and the exit switch what the VMCB holds; VMLOAD and
; VMSAVE the rest of the guest's segment state, for which the host's own must be back before its GS base or its TSS is
; used; the general registers are switched here, RAX, RSP, RIP and RFLAGS by way of the VMCB. Layouts are checked at
; compile time in run.c.
;
; From CLGI to STGI nothing comes in between; with V_INTR_MASKING it is the host's IF at VMRUN that lets host interrupts
; take the guest out. No STI may be the last instruction before VMRUN: its shadow would reach into the guest (seen in
; QEMU; hardware does so when the exit comes at once). Unless the guest has a shadow itself: QEMU does not load the one
; in the VMCB, and the host's is as good.
%include "arch/x86/mitigate.inc"

bits 64
default rel
section .text

; struct svm_vcpu and the VMCB
%define V_VCPU         0
%define V_VMCB         8
%define V_VMCB_PHYS    16
%define V_HOST_STATE   24
%define VMCB_INT_STATE 68h
%define VMCB_RFLAGS    570h
%define VMCB_RIP       578h
%define VMCB_RSP       5d8h
%define VMCB_RAX       5f8h
%define REGS_RIP       80h
%define REGS_RFLAGS    88h

%define REG(n) [rdi + 8 * (n)]
%define RAX    0
%define RCX    1
%define RDX    2
%define RBX    3
%define RSP    4
%define RBP    5
%define RSI    6
%define RDI    7

; Copies between struct vcpu_regs (RDI) and the VMCB (RCX) through RDX.
%macro TO_VMCB 2
    mov rdx, [rdi + %1]
    mov [rcx + %2], rdx
%endmacro
%macro FROM_VMCB 2
    mov rdx, [rcx + %2]
    mov [rdi + %1], rdx
%endmacro

global svm_enter
global svm_enter_guarded
extern svm_exit_decode

; void svm_enter(struct svm_vcpu *v (rdi), struct exit_record *exit (rsi)): goes on to svm_exit_decode with the same
; arguments. Host interrupts are disabled before and after.
; The second is taken where the processor asks for it (arch/x86/mitigate.h): what follows an exit is guarded.
%macro SVM_ENTER 2
%1:
    push rbp
    push rbx
    push r12
    push r13
    push r14
    push r15
    push rsi
    push rdi
    mov rcx, [rdi + V_VMCB]
    mov rax, [rdi + V_VMCB_PHYS]
    mov rdi, [rdi + V_VCPU]
    TO_VMCB 8 * RAX, VMCB_RAX
    TO_VMCB 8 * RSP, VMCB_RSP
    TO_VMCB REGS_RIP, VMCB_RIP
    TO_VMCB REGS_RFLAGS, VMCB_RFLAGS
    clgi
    sti
    vmload
    test byte [rcx + VMCB_INT_STATE], 1 ; MOV keeps the flags
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
    jnz %%shadow
    vmrun
%%out:
    cli
%if %2
    FILL_RSB
    WRITE_IBRS
%endif
    vmsave                      ; RAX is the host's again
    push rdi
    mov rdi, [rsp + 8]
    mov rax, [rdi + V_HOST_STATE]
    mov rdi, [rdi + V_VCPU]
    mov REG(RCX), rcx
    mov REG(RDX), rdx
    mov REG(RBX), rbx
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
    pop qword REG(RDI)
    vmload
    stgi
    mov rcx, [rsp]
    mov rcx, [rcx + V_VMCB]
    FROM_VMCB 8 * RAX, VMCB_RAX
    FROM_VMCB 8 * RSP, VMCB_RSP
    FROM_VMCB REGS_RIP, VMCB_RIP
    FROM_VMCB REGS_RFLAGS, VMCB_RFLAGS
    pop rdi
    pop rsi
    pop r15
    pop r14
    pop r13
    pop r12
    pop rbx
    pop rbp
    jmp svm_exit_decode
%%shadow:
    cli
    sti
    vmrun
    jmp %%out
%endmacro

SVM_ENTER svm_enter, 0
SVM_ENTER svm_enter_guarded, 1

section .note.GNU-stack progbits noalloc noexec nowrite
