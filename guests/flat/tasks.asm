; Task switches by hardware (SDM vol. 3, chapter 8): CALL and IRET, JMP, INT n and exceptions through task gates, an NMI,
; a task of virtual-8086 mode, one of a 16-bit TSS. Prints what is wrong; ends with the number of it by port F4h.
%include "guests/flat/checks.inc"

SEL_MAIN  equ 0x18
SEL_OTHER equ 0x20
SEL_VM86  equ 0x28
SEL_GATE  equ 0x30
SEL_SMALL equ 0x38
SEL_LDT   equ 0x40
SEL_LOCAL equ 0x04 | 0           ; the first of the LDT: data

TSS_LINK   equ 0x00
TSS_CR3    equ 0x1C
TSS_EIP    equ 0x20
TSS_EFLAGS equ 0x24
TSS_EAX    equ 0x28
TSS_ESP    equ 0x38
TSS_CS     equ 0x4C
TSS_SIZE   equ 0x68

EFLAGS_NT equ 1 << 14
EFLAGS_VM equ 1 << 17
CR0_TS    equ 1 << 3
CR0_PG    equ 1 << 31
CR4_PSE   equ 1 << 4

DIRECTORY equ 0x10000             ; zeros, but for what is written there
PAGE_HERE equ 0x87                ; present, writable, for users too (virtual-8086 mode), 4 MiB
NOWHERE   equ 0xC00000

LAPIC_ICR_LOW equ 0xFEE00300
ICR_NMI       equ 0x4400         ; to APIC id 0

protected:
    mov ax, SEL_MAIN
    ltr ax

    ; Paging with 4 MiB pages, each task with the same tables: the first 4 MiB and the local APIC's.
    mov dword [DIRECTORY], PAGE_HERE
    mov dword [DIRECTORY + 4 * (LAPIC_ICR_LOW >> 22)], (LAPIC_ICR_LOW & 0xFFC00000) | PAGE_HERE
    mov eax, DIRECTORY
    mov [main + TSS_CR3], eax
    mov [other + TSS_CR3], eax
    mov [vm86 + TSS_CR3], eax
    mov cr3, eax
    mov eax, cr4
    or eax, CR4_PSE
    mov cr4, eax
    mov eax, cr0
    or eax, CR0_PG
    mov cr0, eax

    ; CALL nests: the link, NT, TS, both busy; IRET comes back behind it, and the other goes on behind its IRET.
    mov dword [other + TSS_EIP], counting
    mov eax, 0x11223344
    call SEL_OTHER:0xF4F4F4F4
    cmp eax, 0x11223344
    CHECK e, "CALL: EAX of the old task"
    cmp dword [count], 1
    CHECK e, "CALL: the new task ran once"
    cmp word [other + TSS_LINK], SEL_MAIN
    CHECK e, "CALL: the link"
    cmp word [seen_tr], SEL_OTHER
    CHECK e, "CALL: TR"
    test dword [seen_flags], EFLAGS_NT
    CHECK nz, "CALL: NT in the new task"
    test dword [other + TSS_EFLAGS], EFLAGS_NT
    CHECK z, "IRET: NT is gone"
    mov ebx, cr0
    test ebx, CR0_TS
    CHECK nz, "CALL: CR0.TS"
    clts
    cmp byte [gdt + SEL_OTHER + 5], 0x89
    CHECK e, "IRET: the task that was left is available"
    cmp byte [gdt + SEL_MAIN + 5], 0x8B
    CHECK e, "IRET: the other is busy"
    call SEL_GATE:0
    cmp dword [count], 2
    CHECK e, "CALL: a gate, and on behind IRET"

    ; JMP does not nest.
    mov dword [other + TSS_EIP], jumping
    jmp SEL_OTHER:0xF4F4F4F4
    cmp dword [count], 3
    CHECK e, "JMP: there and back"
    cmp byte [gdt + SEL_OTHER + 5], 0x89
    CHECK e, "JMP: the task that was left is available"
    pushfd
    pop ebx
    test ebx, EFLAGS_NT
    CHECK z, "JMP: no NT"

    ; INT n; a fault with an error code, which the task finds on its stack; INT3; a division, tried again.
    mov dword [other + TSS_EIP], counting
    int 0x20
    cmp dword [count], 4
    CHECK e, "INT 20h"
    int3
    cmp dword [count], 5
    CHECK e, "INT3"
    mov dword [other + TSS_EIP], protection
    mov dword [other + TSS_ESP], other_stack
    mov ax, 0x1234
    mov es, ax
    mov bx, es
    cmp bx, SEL_DATA
    CHECK e, "#GP: ES loaded by the task in the old one's stead"
    cmp dword [seen_error], 0x1234
    CHECK e, "#GP: the error code"
    mov dword [other + TSS_EIP], division
    mov dword [other + TSS_ESP], other_stack
    xor edx, edx
    mov eax, 1500
    div dword [divisor]
    cmp eax, 150
    CHECK e, "#DE: the instruction again"

    ; A page fault: the task maps the page, and the instruction goes on.
    mov dword [other + TSS_EIP], page_fault
    mov dword [other + TSS_ESP], other_stack
    mov byte [NOWHERE + 0x43000], 0x5A
    cmp byte [0x43000], 0x5A
    CHECK e, "#PF: the instruction again"
    cmp dword [seen_error], 2
    CHECK e, "#PF: the error code"
    mov eax, cr2
    cmp eax, NOWHERE + 0x43000
    CHECK e, "#PF: CR2"

    ; An NMI, which the task's IRET lets in again.
    mov dword [other + TSS_EIP], counting
    mov dword [other + TSS_ESP], other_stack
    mov dword [count], 0
    mov ecx, 2
.nmi:
    mov ebx, [count]
    mov dword [LAPIC_ICR_LOW], ICR_NMI
.wait:
    pause
    cmp ebx, [count]
    je .wait
    loop .nmi
    cmp dword [count], 2
    CHECK e, "NMI, twice"

    ; Virtual-8086 mode, and back by its #UD.
    mov word [main + TSS_LINK], SEL_VM86
    mov byte [0x42000], 0x0F
    mov byte [0x42001], 0x0B
    mov byte [gdt + SEL_VM86 + 5], 0x8B
    pushfd
    or dword [esp], EFLAGS_NT
    popfd
    iretd
    cmp word [main + TSS_LINK], SEL_VM86
    CHECK e, "virtual-8086 mode: there and back"
    test dword [vm86 + TSS_EFLAGS], EFLAGS_VM
    CHECK nz, "virtual-8086 mode: VM in its EFLAGS"
    pushfd
    and dword [esp], ~EFLAGS_NT
    popfd

    ; A 16-bit TSS, with an LDT.
    call SEL_SMALL:0
    cmp dword [count], 77
    CHECK e, "a 16-bit TSS"

    ; One that is busy, or is none: #GP, here through a gate of the ordinary kind.
    mov word [idt + 13 * 8], ordinary - $$ + 0x7C00
    mov dword [idt + 13 * 8 + 2], 0x8E000000 | SEL_CODE
    mov dword [seen_error], 0
    jmp SEL_MAIN:0
busy_is_refused:
    cmp dword [seen_error], SEL_MAIN
    CHECK e, "a busy TSS: #GP with its selector"
    ; A new task whose CS is none: #TS in the new task.
    mov word [idt + 10 * 8], ordinary_ts - $$ + 0x7C00
    mov dword [idt + 10 * 8 + 2], 0x8E000000 | SEL_CODE
    mov word [other + TSS_CS], SEL_DATA
    mov dword [other + TSS_ESP], other_stack
    mov dword [seen_error], 0
    jmp SEL_OTHER:0
ts_came:
    cmp dword [seen_error], SEL_DATA
    CHECK e, "a task without code: #TS with CS"
    str bx
    cmp bx, SEL_OTHER
    CHECK e, "a task without code: #TS in the new task"

    mov esi, done
    mov eax, [failed]
    test eax, eax
    jnz .end
    call say
    xor eax, eax
.end:
    out 0xF4, al
.stop:
    hlt
    jmp .stop

ordinary:
    pop dword [seen_error]
    mov dword [esp], busy_is_refused
    iretd

; Which segment registers have been loaded is open (8.3).
ordinary_ts:
    mov ax, SEL_DATA
    mov ds, ax
    mov es, ax
    pop dword [seen_error]
    mov esp, start
    jmp ts_came

counting:
    inc dword [count]
    str [seen_tr]
    pushfd
    pop dword [seen_flags]
    iretd
    jmp counting

jumping:
    inc dword [count]
    jmp SEL_MAIN:0
    jmp jumping

; The old task's ES is made good, and its instruction goes on behind what faulted.
protection:
    pop dword [seen_error]
    add dword [main + TSS_EIP], 2
    iretd
    jmp protection

page_fault:
    pop dword [seen_error]
    mov dword [DIRECTORY + 4 * (NOWHERE >> 22)], PAGE_HERE
    iretd
    jmp page_fault

division:
    mov dword [divisor], 10
    iretd
    jmp division

bits 16
small_code:
    mov ax, SEL_LOCAL
    mov fs, ax
    mov dword [fs:count - $$ + 0x7C00], 77
    iretd
bits 32

; Prints what ESI points to, counts it as a failure if it is not the last.
wrong: db "tasks: FAIL: ", 0
done:  db "tasks: done", 10, 0

    align 8
%macro TSS_DESCRIPTOR 1
    dw TSS_SIZE - 1, %1 - $$ + 0x7C00, 0x8900, 0
%endmacro
gdt:
    dq 0
    dq 0x00CF9B000000FFFF
    dq 0x00CF93000000FFFF
    TSS_DESCRIPTOR main
    TSS_DESCRIPTOR other
    TSS_DESCRIPTOR vm86
    dw 0, SEL_OTHER, 0x8500, 0
    dw 0x2B, small - $$ + 0x7C00, 0x8100, 0
    dw 7, ldt - $$ + 0x7C00, 0x8200, 0
    dq 0x000F9B000000FFFF           ; 48h: 16-bit code
gdt_end:
ldt:
    dq 0x00CF92000000FFFF

%macro TASK_GATE 1
    dw 0, %1, 0x8500, 0
%endmacro
idt:
    TASK_GATE SEL_OTHER             ; 0
    dq 0
    TASK_GATE SEL_OTHER             ; 2
    TASK_GATE SEL_OTHER             ; 3
    dq 0, 0
    TASK_GATE SEL_MAIN              ; 6
    times 6 dq 0
    TASK_GATE SEL_OTHER             ; 13
    TASK_GATE SEL_OTHER             ; 14
    times 17 dq 0
    TASK_GATE SEL_OTHER             ; 20h
idt_end:

; ESP0 and so on are not used: all at CPL 0, but for virtual-8086 mode, which is left by a task gate.
main:
    times TSS_SIZE db 0
other:
    times 7 dd 0
    dd 0, counting, 2
    times 4 dd 0
    dd other_stack, 0, 0, 0
    dd SEL_DATA, SEL_CODE, SEL_DATA, SEL_DATA, SEL_DATA, SEL_DATA, 0
    dd TSS_SIZE << 16
vm86:
    times 7 dd 0
    dd 0, 0, EFLAGS_VM | 2
    times 8 dd 0
    dd 0x2345, 0x4200, 0, 0x1234, 0, 0, 0
    dd TSS_SIZE << 16
small:
    times 7 dw 0
    dw small_code - $$ + 0x7C00, 2, 0, 0, 0, 0, other_stack - $$ + 0x7C00, 0, 0, 0
    dw SEL_DATA, 0x48, SEL_DATA, SEL_DATA, SEL_LDT

count:      dd 0
divisor:    dd 0
seen_error: dd 0
seen_flags: dd 0
seen_tr:    dd 0
            times 64 dd 0
other_stack:
