; A task switch by hardware that ends badly: from real mode into protected mode, and there a far jump to a TSS of zeros.
bits 16
org 0x7C00

SEL_CODE equ 0x08
SEL_DATA equ 0x10
SEL_TSS1 equ 0x18
SEL_TSS2 equ 0x20

start:
    cli
    xor ax, ax
    mov ds, ax
    mov ss, ax
    mov sp, start
    lgdt [gdtr]
    mov eax, cr0
    or al, 1
    mov cr0, eax
    jmp SEL_CODE:protected

bits 32
protected:
    mov ax, SEL_DATA
    mov ds, ax
    mov es, ax
    mov ss, ax
    mov esp, start
    mov ax, SEL_TSS1
    ltr ax
    jmp SEL_TSS2:0
    mov al, 1                   ; nobody comes here
    out 0xF4, al
.stop:
    hlt
    jmp .stop

    align 8
gdt:
    dq 0
    dq 0x00CF9B000000FFFF
    dq 0x00CF93000000FFFF
    dw 103, 0x9000, 0x8900, 0   ; 32-bit TSSs, available, at 9000h and 9100h
    dw 103, 0x9100, 0x8900, 0
gdt_end:
gdtr:
    dw gdt_end - gdt - 1
    dd gdt

    times 510 - ($ - $$) db 0
    dw 0xAA55
