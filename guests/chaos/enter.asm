; void chaos_enter(const struct start *start): keeps what a C function keeps, loads everything from *start, and is back
; at chaos_return, where machine.c sends the machine with RSP as it was (chaos_rsp).
bits 64
default rel

global chaos_enter
global chaos_return
global chaos_rsp

START_RIP    equ 128
START_CS     equ 136
START_RFLAGS equ 144
START_RSP    equ 152
START_SS     equ 160
START_DATA   equ 168

section .text
chaos_enter:
    push rbx
    push rbp
    push r12
    push r13
    push r14
    push r15
    mov [chaos_rsp], rsp
    mov ax, [rdi + START_DATA]
    mov ds, ax
    mov es, ax
    push qword [rdi + START_SS]
    push qword [rdi + START_RSP]
    push qword [rdi + START_RFLAGS]
    push qword [rdi + START_CS]
    push qword [rdi + START_RIP]
    mov rax, [rdi]
    mov rcx, [rdi + 8]
    mov rdx, [rdi + 16]
    mov rbx, [rdi + 24]
    mov rbp, [rdi + 40]
    mov rsi, [rdi + 48]
%assign n 8
%rep 8
    mov r%[n], [rdi + 8 * n]
%assign n n + 1
%endrep
    mov rdi, [rdi + 56]
    iretq

chaos_return:
    cld
    mov ax, 10h
    mov ds, ax
    mov es, ax
    xor eax, eax
    mov fs, ax
    mov gs, ax
    pop r15
    pop r14
    pop r13
    pop r12
    pop rbp
    pop rbx
    ret

section .bss
alignb 8
chaos_rsp: resq 1

section .note.GNU-stack progbits noalloc noexec nowrite
