; From 32-bit protected mode to C in long mode: the first 4 GiB mapped one to one in 2 MiB pages (SDM vol. 3, 4.5
; and 9.8.5). Registers kept for guest_main: EDI, ESI. The stack is there already.
bits 32

extern guest_main
extern guest_return
global long_mode_start
global boot_stack_top
global pml4
global gdt
global load_data_segments

PAGE_PRESENT_WRITE equ 0x3
PAGE_LARGE         equ 0x80
PAGE_UNCACHED      equ 0x10         ; PCD: the uppermost GiB holds devices
LARGE_PAGES        equ 4 * 512
DEVICE_PAGES       equ 3 * 512      ; the first of the uppermost GiB
CR0_PG             equ 1 << 31
CR0_WP_NE_MP       equ (1 << 16) | (1 << 5) | (1 << 1)
CR0_EM             equ 1 << 2
CR4_PAE            equ 1 << 5
MSR_EFER           equ 0xC0000080
EFER_LME           equ 1 << 8

section .text
long_mode_start:
    cli
    cld
    mov dword [pml4], pdpt + PAGE_PRESENT_WRITE
    mov eax, directories + PAGE_PRESENT_WRITE
    xor ecx, ecx
.pdpt:
    mov [pdpt + ecx * 8], eax
    add eax, 4096
    inc ecx
    cmp ecx, 4
    jb .pdpt

    mov eax, PAGE_LARGE | PAGE_PRESENT_WRITE
    xor ecx, ecx
.page:
    cmp ecx, DEVICE_PAGES
    jne .same_kind
    or eax, PAGE_UNCACHED
.same_kind:
    mov [directories + ecx * 8], eax
    add eax, 0x200000
    inc ecx
    cmp ecx, LARGE_PAGES
    jb .page

    mov eax, pml4
    mov cr3, eax
    mov eax, cr4
    or eax, CR4_PAE
    mov cr4, eax
    mov ecx, MSR_EFER
    rdmsr
    or eax, EFER_LME
    wrmsr
    mov eax, cr0
    and eax, ~CR0_EM
    or eax, CR0_PG | CR0_WP_NE_MP
    mov cr0, eax
    lgdt [gdt_pointer]
    jmp 0x08:.long

bits 64
.long:
    mov edi, edi                    ; the upper halves are undefined after the switch
    mov esi, esi
    mov rsp, boot_stack_top
    call load_data_segments
    call guest_main
    mov edi, eax
    call guest_return               ; ends the machine with guest_main's value; does not come back

load_data_segments:
    mov ax, 0x10
    mov ds, ax
    mov es, ax
    mov ss, ax
    xor eax, eax
    mov fs, ax
    mov gs, ax
    ret

section .data
align 8
gdt:
    dq 0
    dq 0x00AF9B000000FFFF           ; 08h: 64-bit code
    dq 0x00CF93000000FFFF           ; 10h: data
gdt_end:
gdt_pointer:
    dw gdt_end - gdt - 1
    dq gdt

section .bss
alignb 4096
pml4:        resb 4096
pdpt:        resb 4096
directories: resb 4 * 4096
boot_stack:  resb 32768
boot_stack_top:
