; From SIPI to C on a further processor (SDM vol. 3, 9.4): copied to a page below 1 MiB (arch/x86/smp.c), where the
; processor begins in real mode at CS:0, CS being the page's. It finds out for itself where that is.

%include "boot/modes.inc"

%define SEL_CODE64       0x08
%define SEL_DATA         0x10
%define SEL_CODE32       0x18

; Where a label is in the copy.
%define OFFSET(label)    (label - trampoline_start)

section .rodata
global trampoline_start
global trampoline_end
global trampoline_words

        align 16
bits 16
trampoline_start:
        cli
        cld
        mov     ax, cs
        mov     ds, ax
        movzx   ebx, ax
        shl     ebx, 4                  ; where the page is, from now on
        add     [OFFSET(gdtr) + 2], ebx
        add     [OFFSET(to_protected)], ebx
        add     [OFFSET(to_long)], ebx
        o32 lgdt [OFFSET(gdtr)]
        mov     eax, cr0
        or      eax, CR0_PE
        mov     cr0, eax
        jmp     dword far [OFFSET(to_protected)]

bits 32
protected_mode:
        mov     eax, SEL_DATA
        mov     ds, eax
        mov     es, eax
        mov     ss, eax
        mov     eax, cr4
        or      eax, CR4_PAE
        mov     cr4, eax
        mov     eax, [ebx + OFFSET(words.early_cr3)]
        mov     cr3, eax
        mov     ecx, MSR_EFER
        rdmsr
        or      eax, EFER_LME | EFER_NXE
        wrmsr
        mov     eax, cr0
        and     eax, ~(CR0_EM | CR0_TS | CR0_NW | CR0_CD)
        or      eax, CR0_MP | CR0_NE | CR0_WP | CR0_PG
        mov     cr0, eax
        jmp     far [ebx + OFFSET(to_long)]

; The early tables have this page where it is, and the kernel; the final ones have no such low page, but the stack.
bits 64
long_mode:
        mov     ebx, ebx                ; zero-extended
        xor     eax, eax
        mov     fs, eax
        mov     gs, eax
        mov     rdi, [rbx + OFFSET(words.argument)]
        mov     rcx, [rbx + OFFSET(words.cr3)]
        mov     rdx, [rbx + OFFSET(words.stack)]
        mov     rsi, [rbx + OFFSET(words.entry)]
        mov     rax, in_kernel
        jmp     rax

        align 8
gdtr:
        dw      gdt_end - gdt - 1
        dd      OFFSET(gdt)
to_protected:
        dd      OFFSET(protected_mode)
        dw      SEL_CODE32
to_long:
        dd      OFFSET(long_mode)
        dw      SEL_CODE64
        align 8
gdt:
        dq      0
        dq      0x00AF9A000000FFFF      ; 64-bit code
        dq      0x00CF92000000FFFF      ; data
        dq      0x00CF9A000000FFFF      ; 32-bit code
gdt_end:

        align 8
trampoline_words:                       ; struct trampoline_words (arch/x86/smp.c) fills these in
words:
.early_cr3:     dq 0
.cr3:           dq 0
.stack:         dq 0
.entry:         dq 0
.argument:      dq 0
trampoline_end:

section .text
in_kernel:
        mov     cr3, rcx
        mov     rsp, rdx
        xor     ebp, ebp                ; the back-trace ends here
        call    rsi
.never:
        hlt
        jmp     .never

section .note.GNU-stack progbits noalloc noexec nowrite
