; One entry for each of the 256 vectors; all end in trap_dispatch(struct trap_frame *) (traps.h holds the layout).
bits 64

extern trap_dispatch
global trap_entries

section .text
%macro ENTRY 1
entry_%1:
  %if %1 == 8 || (%1 >= 10 && %1 <= 14) || %1 == 17 || %1 == 21 || %1 == 29 || %1 == 30
    ; the processor pushes an error code (SDM vol. 3, table 6-1)
  %else
    push 0
  %endif
    push %1
    jmp save_and_dispatch
%endmacro

%assign vector 0
%rep 256
ENTRY vector
%assign vector vector + 1
%endrep

save_and_dispatch:
    push rax
    push rcx
    push rdx
    push rbx
    push rbp
    push rsi
    push rdi
    push r8
    push r9
    push r10
    push r11
    push r12
    push r13
    push r14
    push r15
    cld
    mov rdi, rsp
    call trap_dispatch
    pop r15
    pop r14
    pop r13
    pop r12
    pop r11
    pop r10
    pop r9
    pop r8
    pop rdi
    pop rsi
    pop rbp
    pop rbx
    pop rdx
    pop rcx
    pop rax
    add rsp, 16
    iretq

section .rodata
align 8
trap_entries:
%assign vector 0
%rep 256
    dq entry_ %+ vector
%assign vector vector + 1
%endrep
