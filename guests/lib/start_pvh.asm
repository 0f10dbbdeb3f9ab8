; PVH entry: the ELF note that names it (Xen's public/elfnote.h, XEN_ELFNOTE_PHYS32_ENTRY) and the entry itself
; (Xen's docs/misc/pvh.pandoc): 32-bit protected mode without paging, EBX holds the address of hvm_start_info.
bits 32

XEN_ELFNOTE_PHYS32_ENTRY equ 18

extern long_mode_start
extern boot_stack_top
global _start

section .note.Xen note alloc noexec nowrite align=4
    dd 4, 4, XEN_ELFNOTE_PHYS32_ENTRY
    db "Xen", 0
    dd _start

section .text
_start:
    mov esp, boot_stack_top
    xor edi, edi                    ; no loader's magic
    mov esi, ebx
    jmp long_mode_start
