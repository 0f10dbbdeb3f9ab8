; A flat image: 512 bytes of real-mode code at 0000:7C00, as a boot sector starts. Prints on COM1 and ends by port F4h.
bits 16
org 0x7C00

%include "guests/flat/say.inc"

start:
    cli
    xor ax, ax
    mov ds, ax
    mov ss, ax
    mov sp, start
    cld
    SAY_AND_END
.stop:
    hlt
    jmp .stop

text: db "flat: real mode at 7C00h", 10, 0

    times 510 - ($ - $$) db 0
    dw 0xAA55
