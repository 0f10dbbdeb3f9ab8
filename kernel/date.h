/* From the MC146818's registers to seconds since 1970. Pure. */
#ifndef KERNEL_DATE_H
#define KERNEL_DATE_H

#include <stdbool.h>
#include <stdint.h>

struct date_registers { /* as read: BCD or binary as status_b says */
    uint8_t second, minute, hour, day, month, year, century;
    uint8_t status_b; /* 02h: 24 hours; 04h: binary (MC146818 data sheet, register B) */
};

/* False if the registers hold no date. century 0 or nonsense: 19xx from 70 on, else 20xx. */
bool date_seconds(const struct date_registers *r, uint64_t *seconds);

#endif
