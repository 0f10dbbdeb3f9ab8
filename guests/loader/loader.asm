; A loader that does not tell the hypervisor what it needs (tests/boot/cases.py, bad input). QEMU loads it by multiboot 1;
; its first module is the hypervisor, an ELF32, and the last character of that module's words says how to enter it:
;   0   with no multiboot magic        1   multiboot 1, no memory sizes and no map        2   multiboot 2, no memory map
bits 32

MB1_HEADER equ 0x1BADB002
MB1_MAGIC  equ 0x2BADB002
MB2_MAGIC  equ 0x36D76289

; Multiboot Specification 0.6.96, 3.3
INFO_MODS_ADDR equ 24
MODULE_START   equ 0
MODULE_WORDS   equ 8

; ELF32 (System V gABI, chapters 4 and 5)
ELF_ENTRY  equ 24
ELF_PHOFF  equ 28
ELF_PHNUM  equ 44
PH_TYPE    equ 0
PH_OFFSET  equ 4
PH_PADDR   equ 12
PH_FILESZ  equ 16
PH_MEMSZ   equ 20
PH_SIZE    equ 32
PT_LOAD    equ 1

global _start

section .multiboot
align 4
        dd MB1_HEADER, 0, -MB1_HEADER

section .text
_start:
        mov     esp, stack_top
        mov     ebx, [ebx + INFO_MODS_ADDR]
        mov     ebp, [ebx + MODULE_START]
        mov     edi, [ebx + MODULE_WORDS]
        xor     eax, eax
        mov     ecx, -1
        repne   scasb
        movzx   eax, byte [edi - 2]
        and     eax, 3
        mov     eax, [magic + eax * 4]

        mov     ebx, [ebp + ELF_PHOFF]
        add     ebx, ebp
        movzx   edx, word [ebp + ELF_PHNUM]
.segment:
        cmp     dword [ebx + PH_TYPE], PT_LOAD
        jne     .next
        mov     esi, [ebx + PH_OFFSET]
        add     esi, ebp
        mov     edi, [ebx + PH_PADDR]
        mov     ecx, [ebx + PH_FILESZ]
        rep     movsb
        mov     ecx, [ebx + PH_MEMSZ]
        sub     ecx, [ebx + PH_FILESZ]
        push    eax
        xor     eax, eax
        rep     stosb
        pop     eax
.next:
        add     ebx, PH_SIZE
        dec     edx
        jnz     .segment

        mov     ebx, information
        jmp     [ebp + ELF_ENTRY]

section .data
align 8
magic:  dd 0, MB1_MAGIC, MB2_MAGIC, 0
; As multiboot 1: no flag, so nothing is given. As multiboot 2: 16 bytes, of which the last tag is the only one; its first
; word then is flag 4 of the other, which has no meaning for the hypervisor.
information:
        dd 16, 0
        dd 0, 8
        times 128 db 0

section .bss
        resb 64
stack_top:
