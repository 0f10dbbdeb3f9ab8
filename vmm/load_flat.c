/* Flat real-mode images: loaded and entered at 0000:7C00 as a PC's firmware does with a boot sector, DL the
 * boot drive. There is no firmware to call: no INT 10h, no INT 13h, no INT 15h E820h. */
#include "vmm/host.h"
#include "vmm/load_kinds.h"

#define FLAT_AT     0x7C00u
#define FLAT_MAX    (FW_EBDA - FLAT_AT)
#define SECTOR      512u
#define SIGNATURE   510u /* 55h AAh */
#define FIRST_DRIVE 0x80u

/* Less than a sector cannot have the signature. "MZ" is an EFI or DOS program, such as the beginning of a
 * bzImage. */
bool flat_is(const struct load *l)
{
    if (l->size >= 2 && l->image[0] == 'M' && l->image[1] == 'Z')
        return false;
    if (l->size < SECTOR)
        return true;
    return l->image[SIGNATURE] == 0x55 && l->image[SIGNATURE + 1] == 0xAA;
}

bool flat_load(struct load *l)
{
    if (!load_no_initrd(l, "flat") || !load_no_modules(l, "flat"))
        return false;
    if (l->size > FLAT_MAX) {
        host_snprintf(l->why, l->n, "%s is a flat image of %llu bytes; at most %u fit at 0x7c00", l->name,
                      (unsigned long long)l->size, FLAT_MAX);
        return false;
    }
    if (!load_piece(l, FLAT_AT, l->image, l->size, l->size))
        return false;
    load_cpu_real(l->vm, FLAT_AT, FIRST_DRIVE);
    return true;
}
