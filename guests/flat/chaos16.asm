; Random instructions in real mode, one attempt after another, for ever; the seed is the RTC's seconds and minutes (rtc=).
; Every interrupt and exception leads to the next attempt; NMI from the PIT by the IOAPIC ends what would not end. What
; lies in the way of the code's wild writes is this program itself: in the end it destroys itself, one way or another.
bits 16
org 0x7C00

CODE      equ 0x2000            ; segment of the random code
STACK     equ 0x7C00
CODE_SIZE equ 48

start:
    cli
    xor ax, ax
    mov ds, ax
    mov ss, ax
    mov sp, STACK
    cld
    call seconds_and_minutes
    imul eax, eax, 0x9E3779B1
    or eax, 1
    mov [state], eax

    lgdt [gdtr]                 ; the IOAPIC lies above 1 MiB
    mov eax, cr0
    or al, 1
    mov cr0, eax
    mov bx, 8
    mov es, bx
    mov dword [es:dword 0xFEC00000], 0x10 + 2 * 2
    mov dword [es:dword 0xFEC00010], 0x400  ; NMI, edge
    mov bx, 16
    mov es, bx                  ; 64 KiB again
    and al, 0xFE
    mov cr0, eax

next:
    cli
    cld
    xor ax, ax
    mov ds, ax
    mov es, ax
    mov ss, ax
    mov sp, STACK
    pushf                       ; IRET: the next NMI may come
    push ax
    push .unblocked
    iret
.unblocked:
    inc dword [attempts]
    mov ax, [attempts]
    test ax, 0xFF
    jnz .quiet
    mov si, text
.say:
    lodsb
    mov dx, 0x3F8
    out dx, al
    cmp al, 10
    jne .say
.quiet:
    xor di, di                  ; the table may have been written over
    mov cx, 256
.vector:
    mov ax, next
    stosw
    xor ax, ax
    stosw
    loop .vector
    lidt [idtr]
    mov al, 0x34                ; PIT: mode 2, half a millisecond
    out 0x43, al
    mov ax, 600
    out 0x40, al
    mov al, ah
    out 0x40, al

    push CODE
    pop es
    xor di, di
    mov cx, CODE_SIZE / 4
.fill:
    call random
    stosd
    loop .fill
    ; 0F 01 (LGDT, LIDT, LMSW), 0F 22 (MOV to CR) and OUT to F4h would be the end at once
    xor di, di
.spare:
    mov ax, [es:di]
    cmp al, 0x0F
    jne .port
    mov byte [es:di + 1], 0xA2  ; CPUID
.port:
    and al, 0xFE
    cmp al, 0xE6
    jne .on
    mov byte [es:di + 1], 0x80
.on:
    inc di
    cmp di, CODE_SIZE - 1
    jb .spare

    call random                 ; in RAM, between this program and the graphics window
    and ax, 0x5FFF
    add ax, 0x2000
    mov ds, ax
    mov es, ax
    call random
    push CODE
    pop ss
    mov sp, 0x8000
    mov ebx, eax
    mov ecx, edx
    mov esi, eax
    rol esi, 7
    mov edi, eax
    rol edi, 19
    mov ebp, esi
    sti
    jmp CODE:0

; Marsaglia's xorshift32 in eax.
random:
    push ebx
    mov eax, [cs:state]
    mov ebx, eax
    shl ebx, 13
    xor eax, ebx
    mov ebx, eax
    shr ebx, 17
    xor eax, ebx
    mov ebx, eax
    shl ebx, 5
    xor eax, ebx
    mov [cs:state], eax
    pop ebx
    ret

seconds_and_minutes:
    mov al, 2
    out 0x70, al
    in al, 0x71
    mov ah, al
    xor al, al
    out 0x70, al
    in al, 0x71
    movzx eax, ax
    ret

text: db "chaos16: 256 more", 10

    align 8
gdt:
    dq 0
    dq 0x00CF93000000FFFF       ; 08h: everything
    dq 0x000093000000FFFF       ; 10h: as in real mode
gdtr:
    dw gdtr - gdt - 1
    dd gdt
idtr:
    dw 0x3FF
    dd 0
state:    dd 0
attempts: dd 0

    times 510 - ($ - $$) db 0
    dw 0xAA55
