; From the loader to kernel_main(): multiboot 1 and 2 headers, 32-bit start wherever the image was put, early page tables,
; 64-bit mode. Everything in .boot is position-independent: a multiboot 2 loader may have moved the image by a multiple
; of 2 MiB (firmware may own the place it is linked for).

%define MB1_MAGIC        0x1BADB002
%define MB1_PAGE_ALIGN   (1 << 0)
%define MB1_MEMORY_INFO  (1 << 1)
%define MB1_FLAGS        (MB1_PAGE_ALIGN | MB1_MEMORY_INFO)
%define MB1_BOOT_MAGIC   0x2BADB002

%define MB2_MAGIC        0xE85250D6
%define MB2_BOOT_MAGIC   0x36D76289

%define KERNEL_VMA       0xffffffff80000000
%define PHYS_BASE        0x200000
%define PAGE_2M          0x200000

%define PTE_P            (1 << 0)
%define PTE_W            (1 << 1)
%define PTE_PS           (1 << 7)

%include "boot/modes.inc"
%define CPUID_1_RDRAND   (1 << 30)
%define GOLDEN_RATIO     0x9E3779B97F4A7C15
%define CPUID_EXT_NX     (1 << 20)
%define CPUID_EXT_LM     (1 << 29)

; Processor 0's main stack comes first in percpu_stacks, above its guard page (checked in arch/x86/percpu.c).
%define BOOT_STACK_TOP   (4096 + 16384)

%define COM1             0x3F8
%define LSR_THRE         (1 << 5)

extern kernel_main
extern kernel_phys_base
extern percpu_stacks
extern __stack_chk_guard
extern image_phys_end

; Where a symbol of the high part is: esi is the difference between where the image is and where it is linked.
%define AT(sym)    esi + (sym - KERNEL_VMA)

section .multiboot progbits alloc noexec nowrite align=8
; Multiboot 0.6.96, 3.1.1
mb1_header:
        dd MB1_MAGIC
        dd MB1_FLAGS
        dd -(MB1_MAGIC + MB1_FLAGS)

; Multiboot 2 2.0, 3.1: each tag is aligned to 8 bytes
        align 8
mb2_start:
        dd MB2_MAGIC
        dd 0                            ; i386, 32-bit protected mode
        dd mb2_end - mb2_start
        dd -(MB2_MAGIC + 0 + (mb2_end - mb2_start))
        align 8
.request:                               ; 3.1.5: what we read if the loader has it
        dw 1, 0
        dd .request_end - .request
        dd 1, 2, 3, 6                   ; command line, loader name, modules, memory map
.request_end:
        align 8
.request_optional:                      ; flag 1: these may be missing
        dw 1, 1
        dd .request_optional_end - .request_optional
        dd 14, 15                       ; ACPI RSDP, old and new
.request_optional_end:
        align 8
        dw 3, 0                         ; 3.1.7: entry address
        dd 12
        dd boot_entry
        align 8
        dw 6, 0                         ; 3.1.11: modules page-aligned
        dd 8
        align 8
        dw 10, 0                        ; 3.1.14: relocatable
        dd 24
        dd PHYS_BASE                    ; lowest address
        dd 0xFFFFFFFF                   ; highest: what early tables reach
        dd PAGE_2M                      ; alignment
        dd 1                            ; preference: as low as possible
        align 8
        dw 0, 0
        dd 8
mb2_end:

section .boot progbits alloc exec nowrite align=16
bits 32
global boot_entry
; EAX magic, EBX information; paging off, flat segments, no stack (Multiboot 3.2, Multiboot 2 3.5).
boot_entry:
        cli
        cld
        mov     edi, eax
        cmp     eax, MB1_BOOT_MAGIC
        je      .find_out
        cmp     eax, MB2_BOOT_MAGIC
        jne     stranger
.find_out:
        ; Only CALL tells where we are, and the loader's information is the one piece of memory that is surely ours:
        ; its first word is the stack for a moment.
        mov     ecx, [ebx]
        lea     esp, [ebx + 4]
        call    .here
.here:
        pop     esi
        mov     [ebx], ecx
        sub     esi, .here              ; how far the image was moved
        lea     esp, [AT(percpu_stacks) + BOOT_STACK_TOP]
        push    edi                     ; magic
        push    ebx                     ; information
        call    check_processor
        call    build_tables
        pop     ebx
        pop     edi
        lea     eax, [esi + PHYS_BASE]
        mov     [AT(kernel_phys_base)], eax

        mov     eax, cr4
        or      eax, CR4_PAE
        mov     cr4, eax
        lea     eax, [AT(early_pml4)]
        mov     cr3, eax
        mov     ecx, MSR_EFER
        rdmsr
        or      eax, EFER_LME | EFER_NXE
        wrmsr
        mov     eax, cr0
        and     eax, ~(CR0_EM | CR0_TS | CR0_NW | CR0_CD)
        or      eax, CR0_PE | CR0_MP | CR0_NE | CR0_WP | CR0_PG
        mov     cr0, eax

        lea     eax, [esi + gdt64]
        lea     ecx, [AT(early_gdtr)]
        mov     word [ecx], gdt64_end - gdt64 - 1
        mov     [ecx + 2], eax
        lgdt    [ecx]
        push    dword 0x08
        lea     eax, [esi + long_mode]
        push    eax
        retf
.dead:
        hlt
        jmp     .dead

; No loader that we know, so no memory is known to be ours, and no CALL can tell where we are. The text can be shown where
; the image is in the place for which it was linked.
stranger:
        cmp     dword [mb1_header], MB1_MAGIC
        jne     boot_entry.dead
        mov     edi, no_multiboot
        jmp     say

; 64-bit mode and NX, or a line on COM1 and the end. Keeps esi.
check_processor:
        mov     eax, 0x80000000
        cpuid
        cmp     eax, 0x80000001
        jb      .missing
        mov     eax, 0x80000001
        cpuid
        and     edx, CPUID_EXT_LM | CPUID_EXT_NX
        cmp     edx, CPUID_EXT_LM | CPUID_EXT_NX
        jne     .missing
        ret
.missing:
        lea     edi, [esi + no_long_mode]

; The text at edi on COM1, and the end. Uses no memory.
say:
.next:
        mov     ecx, 100000             ; a port that never gets ready is not waited for
.wait:
        mov     edx, COM1 + 5
        in      al, dx
        test    al, LSR_THRE
        jnz     .send
        dec     ecx
        jnz     .wait
.send:
        mov     al, [edi]
        test    al, al
        jz      boot_entry.dead
        mov     edx, COM1
        out     dx, al
        inc     edi
        jmp     .next

; Early tables: identity and direct map of the first 4 GiB share their lower levels; the kernel's window maps the image
; at its actual place. All in 2 MiB pages, all writable and executable: kernel_main replaces them (arch/x86/paging.c).
build_tables:
        lea     edi, [AT(early_tables)]
        xor     eax, eax
        mov     ecx, EARLY_TABLES_SIZE / 4
        rep     stosd

        lea     eax, [AT(early_pdpt_low) + PTE_P + PTE_W]
        mov     [AT(early_pml4)], eax
        mov     [AT(early_pml4) + 256 * 8], eax        ; DIRECT_MAP
        lea     eax, [AT(early_pdpt_high) + PTE_P + PTE_W]
        mov     [AT(early_pml4) + 511 * 8], eax
        lea     eax, [AT(early_pd_high) + PTE_P + PTE_W]
        mov     [AT(early_pdpt_high) + 510 * 8], eax

        lea     eax, [AT(early_pd_low) + PTE_P + PTE_W]
        xor     ecx, ecx
.pdpt:
        mov     [AT(early_pdpt_low) + ecx * 8], eax
        add     eax, 4096
        inc     ecx
        cmp     ecx, 4
        jb      .pdpt

        mov     eax, PTE_P | PTE_W | PTE_PS
        xor     ecx, ecx
.low:
        mov     [AT(early_pd_low) + ecx * 8], eax
        add     eax, PAGE_2M
        inc     ecx
        cmp     ecx, 4 * 512
        jb      .low

        lea     eax, [esi + PHYS_BASE + PTE_P + PTE_W + PTE_PS]
        mov     ecx, PHYS_BASE / PAGE_2M
        mov     edx, image_phys_end
.high:
        mov     [AT(early_pd_high) + ecx * 8], eax
        add     eax, PAGE_2M
        inc     ecx
        sub     edx, PAGE_2M
        cmp     edx, PHYS_BASE
        ja      .high
        ret

bits 64
; esi: how far the image was moved, edi magic, ebx information. The identity map is still there.
long_mode:
        mov     eax, 0x10
        mov     ds, eax
        mov     es, eax
        mov     ss, eax
        xor     eax, eax
        mov     fs, eax
        mov     gs, eax
        mov     edi, edi                ; zero-extended
        mov     esi, ebx
        mov     rsp, percpu_stacks + BOOT_STACK_TOP
        xor     ebp, ebp                ; the back-trace ends here
        call    choose_stack_guard
        mov     rax, kernel_main
        call    rax
.never:
        hlt
        jmp     .never

; __stack_chk_guard (arch/x86/protect.h). Keeps rdi and rsi. As many instructions whatever comes out.
choose_stack_guard:
        rdtsc
        shl     rdx, 32
        lea     r8, [rax + rdx]
        xor     r9d, r9d
        mov     eax, 1
        cpuid
        test    ecx, CPUID_1_RDRAND
        jz      .mix
        rdrand  r9                      ; 0 if it has none just now
.mix:
        xor     r8, r9
        mov     rax, GOLDEN_RATIO       ; spreads the TSC's low bits
        imul    r8, rax
        xor     r8b, r8b
        mov     rax, __stack_chk_guard
        mov     [rax], r8
        ret

        align 8
gdt64:
        dq 0
        dq 0x00AF9A000000FFFF           ; 08h: 64-bit code
        dq 0x00CF92000000FFFF           ; 10h: data
gdt64_end:

no_multiboot:
        db "escapement: the loader is no multiboot loader (EAX holds neither 2BADB002h nor 36D76289h): boot with GRUB 2, "
        db "`multiboot2 /escapement.elf`, or with `qemu -kernel`", 13, 10, 0
no_long_mode:
        db "escapement: this processor has no 64-bit mode with execute-disable (CPUID 80000001h EDX bits 29 and 20): "
        db "use one that has", 13, 10, 0

section .bss nobits alloc write align=4096
global early_pml4                       ; further processors begin with them, too (arch/x86/smp.c)
early_tables:
early_pml4:      resb 4096
early_pdpt_low:  resb 4096
early_pdpt_high: resb 4096
early_pd_low:    resb 4 * 4096
early_pd_high:   resb 4096
early_tables_end:
EARLY_TABLES_SIZE equ early_tables_end - early_tables
early_gdtr:      resb 6

section .note.GNU-stack progbits noalloc noexec nowrite
