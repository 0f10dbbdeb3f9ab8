; Where a further processor begins (SDM vol. 3, 9.4.4: real mode, CS:IP = VV00:0000), and its way to C in long mode.
; smp.c copies what lies between smp_trampoline and smp_trampoline_end to SMP_PAGE; everything else is used in place.
bits 16

extern smp_main
extern smp_stacks
extern pml4
extern gdt
extern load_data_segments
global smp_trampoline
global smp_trampoline_end

SMP_PAGE   equ 0x8000               ; as in smp.c
STACK_SIZE equ 8192                 ; as in smp.c
CR0_PG_PE  equ (1 << 31) | 1
CR0_WP_NE_MP equ (1 << 16) | (1 << 5) | (1 << 1)
CR4_PAE    equ 1 << 5
MSR_EFER   equ 0xC0000080
EFER_LME   equ 1 << 8

section .text
smp_trampoline:
    cli
    xor ax, ax
    mov ds, ax
    o32 lgdt [SMP_PAGE + .pointer - smp_trampoline]
    mov eax, [SMP_PAGE + .cr3 - smp_trampoline]
    mov cr3, eax
    mov eax, CR4_PAE
    mov cr4, eax
    mov ecx, MSR_EFER
    rdmsr
    or eax, EFER_LME
    wrmsr
    mov eax, cr0
    or eax, CR0_PG_PE | CR0_WP_NE_MP
    and eax, ~((1 << 30) | (1 << 29) | (1 << 2))    ; CD, NW, EM
    mov cr0, eax
    jmp dword 0x08:smp_long
align 8
.cr3:     dd pml4
.pointer: dw 3 * 8 - 1
          dd gdt
smp_trampoline_end:

bits 64
smp_long:
    mov eax, 1
    cpuid
    shr ebx, 24                     ; the initial APIC id: the processor's number here
    mov edi, ebx
    inc ebx
    imul eax, ebx, STACK_SIZE
    lea rsp, [rax + smp_stacks]
    call load_data_segments
    call smp_main
.rest:
    cli
    hlt
    jmp .rest
