; The two kinds of paging of a 32-bit guest (SDM vol. 3, 4.3, 4.4), with what leaves a guest under each of them: CPUID,
; RDMSR, control registers, a port, a device in memory, a page fault. Each is done twice: a processor that walks the tables
; writes to them. Prints what is wrong; ends with the number of it by port F4h.
%include "guests/flat/checks.inc"

CR0_WP  equ 1 << 16
CR0_PG  equ 1 << 31
CR4_PSE equ 1 << 4
CR4_PAE equ 1 << 5
CR4_PGE equ 1 << 7

MSR_EFER equ 0xC0000080
EFER_NXE equ 1 << 11

DIRECTORY equ 0x10000             ; zeros, these and what follows, but for what is written there
POINTERS  equ 0x11020             ; four, on any boundary of 32 bytes
LOW_DIR   equ 0x12000
ALIAS_DIR equ 0x13000
HIGH_DIR  equ 0x14000
PAGES     equ 0x15000

PRESENT  equ 0x01
PAGE     equ 0x03                 ; present, writable
BIG_PAGE equ 0x83                 ; 4 MiB, or 2 MiB

ALIAS         equ 0x40000000      ; the first megabytes again
NOWHERE       equ 0x40600000
LAPIC         equ 0xFEE00000
LAPIC_VERSION equ 0x30
LAPIC_TPR     equ 0x80

protected:
    mov eax, [LAPIC + LAPIC_VERSION]
    mov [version], eax
    xor eax, eax
    cpuid
    mov [vendor], ebx

    ; 32-bit paging: the first 4 MiB twice, and the local APIC's through a table of small pages.
    mov dword [DIRECTORY], BIG_PAGE
    mov dword [DIRECTORY + 4 * (ALIAS >> 22)], BIG_PAGE
    mov dword [DIRECTORY + 4 * (LAPIC >> 22)], PAGES | PAGE
    mov dword [PAGES + 4 * (LAPIC >> 12 & 0x3FF)], LAPIC | PAGE
    mov eax, DIRECTORY
    mov cr3, eax
    mov eax, cr4
    or eax, CR4_PSE
    mov cr4, eax
    mov eax, cr0
    or eax, CR0_PG | CR0_WP
    mov cr0, eax
    mov dword [kind], '32  '
    call exits_twice
    mov eax, cr0
    and eax, ~CR0_PG
    mov cr0, eax

    ; PAE: the same, with the no-execute bit in use.
    mov dword [POINTERS], LOW_DIR | PRESENT
    mov dword [POINTERS + 8 * (ALIAS >> 30)], ALIAS_DIR | PRESENT
    mov dword [POINTERS + 8 * (LAPIC >> 30)], HIGH_DIR | PRESENT
    mov dword [LOW_DIR], BIG_PAGE
    mov dword [ALIAS_DIR], BIG_PAGE
    mov dword [HIGH_DIR + 8 * (LAPIC >> 21 & 0x1FF)], PAGES | PAGE
    mov dword [PAGES + 8 * (LAPIC >> 12 & 0x1FF)], LAPIC | PAGE
    mov dword [PAGES + 8 * (LAPIC >> 12 & 0x1FF) + 4], 0x80000000
    mov ecx, MSR_EFER
    rdmsr
    or eax, EFER_NXE
    wrmsr
    mov eax, POINTERS
    mov cr3, eax
    mov eax, cr4
    or eax, CR4_PAE
    mov cr4, eax
    mov eax, cr0
    or eax, CR0_PG
    mov cr0, eax
    mov dword [kind], 'PAE '
    call exits_twice
    mov eax, ALIAS + exits_twice    ; and from the second gigabyte
    call eax

    cmp dword [failed], 0
    jne .end
    mov esi, done
    call say
.end:
    mov eax, [failed]
    out 0xF4, al
.stop:
    hlt
    jmp .stop

; What calls from it is an absolute address in the first gigabyte.
exits_twice:
    call exits
exits:
    xor eax, eax
    cpuid
    cmp ebx, [vendor]
    CHECK e, "CPUID"
    mov ecx, MSR_EFER
    rdmsr
    cmp edx, 0
    CHECK e, "RDMSR"
    mov eax, cr4
    xor eax, CR4_PGE                ; PAE's four pointers are loaded anew
    mov cr4, eax
    mov edx, cr4
    cmp eax, edx
    CHECK e, "CR4"
    mov eax, cr3
    mov cr3, eax
    mov edx, LSR
    in al, dx
    cmp al, 0xFF
    CHECK ne, "IN"
    mov eax, [LAPIC + LAPIC_VERSION]
    cmp eax, [version]
    CHECK e, "a read of the local APIC"
    xor byte [tpr], 0x50
    mov al, [tpr]
    movzx eax, al
    mov [LAPIC + LAPIC_TPR], eax
    cmp al, [LAPIC + LAPIC_TPR]
    CHECK e, "a write to the local APIC"
    mov dword [fault_error], -1
    mov eax, [NOWHERE]
    cmp dword [fault_error], 0
    CHECK e, "the error code of a read where nothing is"
    mov eax, cr2
    cmp eax, NOWHERE
    CHECK e, "CR2"
    ret

; Behind the instruction that was at fault, of five bytes.
page_fault:
    pop dword [fault_error]
    add dword [esp], 5
    iret

other_fault:
    mov esi, died
    call say
    mov al, 0x7F
    out 0xF4, al
.stop:
    hlt
    jmp .stop

wrong: db "paging: FAIL: "
kind:  db "none ", 0
died:  db "another exception than a page fault", 10, 0
done:  db "paging: done", 10, 0

    align 8
gdt:
    dq 0
    dq 0x00CF9B000000FFFF
    dq 0x00CF93000000FFFF
gdt_end:

%macro GATE 1
    dw %1, SEL_CODE, 0x8E00, 0
%endmacro
    align 8
idt:
%rep 14
    GATE (other_fault - $$ + 0x7C00)
%endrep
    GATE (page_fault - $$ + 0x7C00)
%rep 17
    GATE (other_fault - $$ + 0x7C00)
%endrep
idt_end:

    align 4
version:     dd 0
vendor:      dd 0
fault_error: dd 0
tpr:         dd 0
