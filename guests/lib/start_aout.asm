; Multiboot 1 header with the address fields ("a.out kludge", Multiboot Specification 3.1.3): the image is no ELF,
; the header says where it loads.
bits 32

MULTIBOOT_MAGIC equ 0x1BADB002
MULTIBOOT_FLAGS equ 0x10003         ; as in start.asm, and bit 16: the address fields are valid

extern long_mode_start
extern boot_stack_top
extern image_start                  ; these three from guest.ld
extern image_load_end
extern image_end
global _start

section .multiboot
align 4
header:
    dd MULTIBOOT_MAGIC, MULTIBOOT_FLAGS, -(MULTIBOOT_MAGIC + MULTIBOOT_FLAGS)
    dd header                       ; header_addr
    dd image_start                  ; load_addr
    dd image_load_end               ; load_end_addr
    dd image_end                    ; bss_end_addr
    dd _start                       ; entry_addr

section .text
_start:
    mov esp, boot_stack_top
    mov edi, eax
    mov esi, ebx
    jmp long_mode_start
