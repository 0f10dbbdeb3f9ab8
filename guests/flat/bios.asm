; Calls a BIOS that is not there, to print a letter (INT 10h).
bits 16
org 0x7C00

start:
    cli
    xor ax, ax
    mov ss, ax
    mov sp, start
    mov ax, 0x0E48
    int 0x10
    out 0xF4, al                ; nobody comes here
.stop:
    hlt
    jmp .stop

    times 510 - ($ - $$) db 0
    dw 0xAA55
