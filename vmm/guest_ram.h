/* Where a VM's RAM lies: which guest-physical address is which byte of the one piece of host memory that is
 * the VM's own. Pure arithmetic, and the only place where it is done: what vmm/ reads and writes (vm_ram) and
 * what the nested page tables map (vmm/vm.c) both come from here. The contracts are proved (docs/proof.md):
 * whatever the guest asks for lies inside that piece, and both ways agree. */
#ifndef VMM_GUEST_RAM_H
#define VMM_GUEST_RAM_H

#include <stdbool.h>
#include <stdint.h>

#define RAM_PAGE      4096ull
#define RAM_LOW_LEAST (2ull << 20) /* the PC's first MiB and some to work with (VM_MEM_MIN) */
#define RAM_LOW_MOST  (3ull << 30) /* above it: the APICs' pages and the firmware's place */
#define RAM_HIGH_BASE (4ull << 30) /* what does not fit below goes on from here */
#define RAM_MOST      (1ull << 40) /* (VM_MEM_MAX) */
#define RAM_NOWHERE   UINT64_MAX

/* One contiguous piece of host memory. Guest-physical [0, low) and [4 GiB, 4 GiB + high) lie on it one after
 * the other. A0000h-B7FFFh and C0000h-DFFFFh are holes: no RAM answers there. The text page between them and
 * the firmware's last 128 KiB are RAM. */
struct guest_ram {
    uint8_t *base;
    uint64_t low;
    uint64_t high;
};

/* A range of guest-physical addresses that is mapped in one way. */
struct ram_piece {
    uint64_t gpa;
    uint64_t offset; /* in the host memory */
    uint64_t length; /* 0: there is none */
    bool hole;       /* for reading only: guests look for option ROMs there, word by word */
};

#define RAM_PIECES 6u

/*@ predicate is_ram{L}(struct guest_ram *r) =
      RAM_LOW_LEAST <= r->low <= RAM_LOW_MOST && r->high <= RAM_MOST &&
      r->low % RAM_PAGE == 0 && r->high % RAM_PAGE == 0;
    logic integer ram_place{L}(struct guest_ram *r, integer gpa) =
      gpa < RAM_HIGH_BASE ? gpa : r->low + (gpa - RAM_HIGH_BASE); */

/* Divides `bytes` of memory (RAM_LOW_LEAST to RAM_MOST; what exceeds whole pages is left out). */
/*@ requires \valid(ram) && RAM_LOW_LEAST <= bytes <= RAM_MOST;
    assigns ram->low, ram->high;
    ensures is_ram(ram) && ram->low + ram->high == bytes - bytes % RAM_PAGE; */
void ram_divide(struct guest_ram *ram, uint64_t bytes);

/* Offset of guest-physical [gpa, gpa + length), or RAM_NOWHERE if not all of it is RAM. Guest input: any
 * values. */
/*@ requires \valid_read(ram) && is_ram(ram);
    assigns \nothing;
    ensures \result == RAM_NOWHERE ||
      (\result == ram_place(ram, gpa) && \result + length <= ram->low + ram->high &&
       (gpa + length <= ram->low || (RAM_HIGH_BASE <= gpa && gpa + length <= RAM_HIGH_BASE + ram->high)) &&
       (length > 0 ==> gpa + length <= 0xa0000 || (0xb8000 <= gpa && gpa + length <= 0xc0000) || 0xe0000 <=
   gpa)); */
uint64_t ram_offset(const struct guest_ram *ram, uint64_t gpa, uint64_t length);

/* Piece i < RAM_PIECES, in the order of addresses. Together they are all RAM and the holes. */
/*@ requires \valid_read(ram) && is_ram(ram) && i < RAM_PIECES;
    assigns \nothing;
    ensures \result.offset == ram_place(ram, \result.gpa);
    ensures \result.offset + \result.length <= ram->low + ram->high;
    ensures \result.gpa + \result.length <= ram->low ||
      (\result.gpa == RAM_HIGH_BASE && \result.length == ram->high);
    ensures \result.gpa % RAM_PAGE == 0 && \result.offset % RAM_PAGE == 0 && \result.length % RAM_PAGE == 0;
 */
struct ram_piece ram_piece(const struct guest_ram *ram, unsigned int i);

#endif
