; A flat image: 512 bytes of real-mode code at 0000:7C00, as a boot sector starts. Prints on COM1 and ends by port F4h.
bits 16
org 0x7C00

COM1     equ 0x3F8
LSR      equ COM1 + 5
LSR_THRE equ 0x20

start:
    cli
    xor ax, ax
    mov ds, ax
    mov ss, ax
    mov sp, start
    cld
    mov si, text
.next:
    lodsb
    test al, al
    jz .done
    mov ah, al
    mov dx, LSR
.wait:
    in al, dx
    test al, LSR_THRE
    jz .wait
    mov al, ah
    mov dx, COM1
    out dx, al
    jmp .next
.done:
    xor al, al
    out 0xF4, al
.stop:
    hlt
    jmp .stop

text: db "flat: real mode at 7C00h", 10, 0

    times 510 - ($ - $$) db 0
    dw 0xAA55
