; Multiboot 1 header and entry (Multiboot Specification 0.6.96, 3.1 and 3.2). The machine is in 32-bit protected
; mode without paging: EAX holds the loader's magic, EBX the address of its information.
bits 32

MULTIBOOT_MAGIC equ 0x1BADB002
MULTIBOOT_FLAGS equ 0x3             ; modules on page boundaries; memory information wanted

extern long_mode_start
extern boot_stack_top
global _start

section .multiboot
align 4
    dd MULTIBOOT_MAGIC, MULTIBOOT_FLAGS, -(MULTIBOOT_MAGIC + MULTIBOOT_FLAGS)

section .text
_start:
    mov esp, boot_stack_top
    mov edi, eax                    ; guest_main's first argument: the magic
    mov esi, ebx                    ; its second: the information
    jmp long_mode_start
