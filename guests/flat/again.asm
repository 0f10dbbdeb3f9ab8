; A flat image that resets its machine again and again: 100 times, by CF9h, counted in CMOS RAM, which a reset leaves
; alone. Then it says so and ends by port F4h.
bits 16
org 0x7C00

%include "guests/flat/say.inc"

CMOS_INDEX   equ 0x70
CMOS_DATA    equ 0x71
CMOS_COUNT   equ 0x40                   ; a byte that no firmware uses
RESET        equ 0xCF9
RESET_FULL   equ 0x06
RESETS       equ 100

start:
    cli
    xor ax, ax
    mov ds, ax
    mov ss, ax
    mov sp, start
    cld
    mov al, CMOS_COUNT
    out CMOS_INDEX, al
    in al, CMOS_DATA
    cmp al, RESETS
    je .enough
    inc al
    out CMOS_DATA, al
    mov dx, RESET
    mov al, RESET_FULL
    out dx, al
.stop:
    hlt
    jmp .stop

.enough:
    SAY_AND_END
    jmp .stop

text: db "again: 100 resets", 10, 0

    times 510 - ($ - $$) db 0
    dw 0xAA55
