/* A kernel that is no ELF: loaded by its header's address fields (guests/lib/start_aout.asm). */
#include "guests/lib/multiboot.h"
#include "guests/lib/print.h"

#define DATA_MARK 0x45534341u

extern uint8_t image_load_end[], image_end[]; /* guest.ld */

static volatile uint32_t mark = DATA_MARK;
static volatile uint8_t zeroes[8192];

int guest_main(uint64_t magic, uint64_t info)
{
    unsigned int set = 0;

    guest_init(magic, info);
    report(mark == DATA_MARK, "data loaded");
    for (unsigned int i = 0; i < sizeof(zeroes); i++) {
        set += zeroes[i];
    }
    report(set == 0, "bss is zero up to bss_end_addr");
    report((uintptr_t)image_load_end <= (uintptr_t)image_end, "load_end_addr before bss_end_addr");
    return report_summary();
}
