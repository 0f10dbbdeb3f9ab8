; A multiboot kernel (Multiboot Specification 0.6.96, 3.1.3: addresses in the header) that goes back to real mode at once,
; with a segment of 4 GiB, and has no vectors but those of real mode, which it has not loaded. Ends by port F4h with the
; number of the check that failed.
bits 32
ORIGIN equ 0x4000
org ORIGIN

%include "guests/flat/say.inc"

MAGIC equ 0x1BADB002
FLAGS equ 1 << 16
header:
    dd MAGIC, FLAGS, -(MAGIC + FLAGS)
    dd header, ORIGIN, load_end, bss_end, start

CR0_PE  equ 1 << 0
CR0_CD  equ 1 << 30
TF      equ 1 << 8
STEPS   equ 9

; CHECK condition: ends with this check's number unless the flags are as the condition has it.
%assign number 0
%macro CHECK 1
  %assign number number + 1
    mov cl, number
    j%1 %%good
    jmp bad
%%good:
%endmacro

start:
    lgdt [gdtr16]
    jmp 0x08:.sixteen
bits 16
.sixteen:
    mov ax, 0x10
    mov ss, ax
    mov ds, ax
    mov eax, cr0
    btc eax, 0
    mov cr0, eax
    jmp 0:.real
.real:
    xor ax, ax
    mov ds, ax
    mov es, ax
    mov ss, ax
    mov esp, stack
    cld
    o32 lgdt [gdtr32]
    mov eax, cr0
    or al, CR0_PE
    mov cr0, eax
    mov bx, 0x10
    mov gs, bx
    and al, ~CR0_PE & 0xFF
    mov cr0, eax

    ; INT n, a fault of the processor's, and one of the hypervisor's, which pushes no error code (SDM vol. 3, 20.1.4).
    mov word [0x11 * 4], on_int
    mov word [0 * 4], on_divide
    mov word [13 * 4], on_protection
    xor di, di
    int 0x11
    cmp di, 1
    CHECK e
    xor cx, cx
    div cx
after_divide:
    cmp di, 2
    CHECK e
    mov ecx, 0x44556677
    rdmsr
after_protection:
    cmp di, 3
    CHECK e
    cmp sp, stack
    CHECK e

    ; A trap behind each instruction, whoever has carried it out.
    mov word [1 * 4], on_step
    xor di, di
    pushf
    pop ax
    or ax, TF
    push ax
    popf
    xor eax, eax
    cpuid
    out 0x80, al
    nop
    pushf
    pop ax
    and ax, ~TF
    push ax
    popf
    cmp di, STEPS
    CHECK e

    ; CR0 as the guest sees it; memory beyond 1 MiB; a port that nobody has.
    mov eax, cr0
    mov ebx, eax
    or eax, CR0_CD
    mov cr0, eax
    o32 smsw edx
    mov cr0, ebx
    cmp edx, eax
    CHECK e
    mov esi, 0x100000
    mov dword [gs:esi], 0x12345678
    cmp dword [gs:esi], 0x12345678
    CHECK e
    mov al, 0
    in al, 0xE0
    cmp al, 0xFF
    CHECK e

    SAY_AND_END
bad:
    mov al, cl
    out 0xF4, al
.stop:
    hlt
    jmp .stop

on_step:
on_int:
    inc di
    iret
on_divide:
    inc di
    add sp, 6
    jmp after_divide
on_protection:
    inc di
    add sp, 6
    jmp after_protection

text: db "real: done", 10, 0

    align 8
gdt16:
    dq 0, 0x00009B000000FFFF, 0x000093000000FFFF
gdt32:
    dq 0, 0x00CF9B000000FFFF, 0x00CF93000000FFFF
gdtr16:
    dw 23
    dd gdt16
gdtr32:
    dw 23
    dd gdt32
load_end:
    times 512 db 0
stack:
bss_end:
