/* Reading the host's MC146818 (data sheet: update cycle, register A's UIP). */
#include "kernel/cmos.h"

#include <stdbool.h>

#include "arch/x86/cpu.h"
#include "kernel/date.h"
#include "vmm/host.h"
#include "vmm/string.h"

#define CMOS_INDEX 0x70
#define CMOS_DATA  0x71

#define REG_SECOND  0x00
#define REG_MINUTE  0x02
#define REG_HOUR    0x04
#define REG_DAY     0x07
#define REG_MONTH   0x08
#define REG_YEAR    0x09
#define REG_A       0x0a
#define REG_B       0x0b
#define REG_CENTURY 0x32 /* of PCs by custom; date.c doubts it */

#define A_UIP 0x80

#define TRIES 4

static uint8_t cmos_read(uint8_t index)
{
    outb(CMOS_INDEX, index);
    return inb(CMOS_DATA);
}

static void read_registers(struct date_registers *r)
{
    *r = (struct date_registers){
        .second = cmos_read(REG_SECOND),
        .minute = cmos_read(REG_MINUTE),
        .hour = cmos_read(REG_HOUR),
        .day = cmos_read(REG_DAY),
        .month = cmos_read(REG_MONTH),
        .year = cmos_read(REG_YEAR),
        .century = cmos_read(REG_CENTURY),
        .status_b = cmos_read(REG_B),
    };
}

/* An update takes 2 ms; a chip that is always updating is none. */
static bool wait_for_update_end(void)
{
    uint64_t start = host_now();

    while (cmos_read(REG_A) & A_UIP) {
        if (host_now() - start > host_hz())
            return false;
    }
    return true;
}

/* Twice the same: no update came in between. */
uint64_t cmos_read_seconds(void)
{
    for (unsigned int i = 0; i < TRIES; i++) {
        struct date_registers first, second;
        uint64_t seconds;

        if (!wait_for_update_end())
            return 0;
        read_registers(&first);
        read_registers(&second);
        if (memcmp(&first, &second, sizeof first) == 0)
            return date_seconds(&first, &seconds) ? seconds : 0;
    }
    return 0;
}
