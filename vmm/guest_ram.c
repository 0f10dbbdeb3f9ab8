#include "vmm/guest_ram.h"

#define VIDEO    0xa0000ull /* the graphics window ... */
#define TEXT     0xb8000ull /* ... below the text page */
#define ROMS     0xc0000ull /* of options */
#define FIRMWARE 0xe0000ull

void ram_divide(struct guest_ram *ram, uint64_t bytes)
{
    uint64_t whole = bytes - bytes % RAM_PAGE;

    ram->low = whole < RAM_LOW_MOST ? whole : RAM_LOW_MOST;
    ram->high = whole - ram->low;
}

/* Does [gpa, end) share a byte with a hole? */
/*@ requires gpa <= end;
    assigns \nothing;
    ensures \result <==> (gpa < TEXT && end > VIDEO) || (gpa < FIRMWARE && end > ROMS); */
static bool in_hole(uint64_t gpa, uint64_t end)
{
    return (gpa < TEXT && end > VIDEO) || (gpa < FIRMWARE && end > ROMS);
}

uint64_t ram_offset(const struct guest_ram *ram, uint64_t gpa, uint64_t length)
{
    if (gpa < ram->low) {
        if (length > ram->low - gpa || in_hole(gpa, gpa + length))
            return RAM_NOWHERE;
        return gpa;
    }
    if (gpa < RAM_HIGH_BASE || gpa - RAM_HIGH_BASE >= ram->high || length > ram->high - (gpa - RAM_HIGH_BASE))
        return RAM_NOWHERE;
    return ram->low + (gpa - RAM_HIGH_BASE);
}

struct ram_piece ram_piece(const struct guest_ram *ram, unsigned int i)
{
    switch (i) {
    case 0:
        return (struct ram_piece){0, 0, VIDEO, false};
    case 1:
        return (struct ram_piece){VIDEO, VIDEO, TEXT - VIDEO, true};
    case 2:
        return (struct ram_piece){TEXT, TEXT, ROMS - TEXT, false};
    case 3:
        return (struct ram_piece){ROMS, ROMS, FIRMWARE - ROMS, true};
    case 4:
        return (struct ram_piece){FIRMWARE, FIRMWARE, ram->low - FIRMWARE, false};
    default:
        return (struct ram_piece){RAM_HIGH_BASE, ram->low, ram->high, false};
    }
}
