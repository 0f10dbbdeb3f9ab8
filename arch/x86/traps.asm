; Entry of all 256 vectors: each stub makes the frame the same (struct trap_frame, arch/x86/traps.h) and goes to
; trap_dispatch().

extern trap_dispatch

; Exceptions for which the processor pushes an error code: #DF #TS #NP #SS #GP #PF #AC #CP #VC #SX (SDM vol. 3, table 6-1;
; APM vol. 2, 8.2).
%define HAS_ERROR(v) ((v) == 8 || ((v) >= 10 && (v) <= 14) || (v) == 17 || (v) == 21 || (v) == 29 || (v) == 30)

section .text
bits 64

global trap_stubs
        align 16
trap_stubs:
%assign v 0
%rep 256
        align 16
    %if !HAS_ERROR(v)
        push    qword 0
    %endif
        push    qword v
        jmp     trap_common
    %assign v v + 1
%endrep

        align 16
trap_common:
        push    rax
        push    rbx
        push    rcx
        push    rdx
        push    rsi
        push    rdi
        push    rbp
        push    r8
        push    r9
        push    r10
        push    r11
        push    r12
        push    r13
        push    r14
        push    r15
        cld
        mov     rdi, rsp
        call    trap_dispatch
        pop     r15
        pop     r14
        pop     r13
        pop     r12
        pop     r11
        pop     r10
        pop     r9
        pop     r8
        pop     rbp
        pop     rdi
        pop     rsi
        pop     rdx
        pop     rcx
        pop     rbx
        pop     rax
        add     rsp, 16                 ; vector and error code
        iretq

section .note.GNU-stack progbits noalloc noexec nowrite
