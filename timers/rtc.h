/* The MC146818 real-time clock with 128 bytes of CMOS RAM, ports 70h and 71h, IRQ 8.
 * Source: Motorola MC146818 data sheet (1984), section names in rtc.c; DS12887 for what PCs really contain.
 *
 * The date is the start date plus apparent time; host time never enters. Everything sits on one chain of
 * dividers of the 32768 Hz clock: c is its state in ticks since the last divider reset, periodic interrupts
 * are the rising edges of its taps, updates those of its last stage. Flags whose interrupt is disabled are
 * computed when read; enabled interrupts are entries of the timer event queue. */
#ifndef TIMERS_RTC_H
#define TIMERS_RTC_H

#include <stdbool.h>
#include <stdint.h>
#include "timers/counter.h"
#include "timers/line.h"
#include "timers/vtime.h"

#define RTC_PORT_INDEX 0x70u
#define RTC_PORT_DATA  0x71u

#define RTC_HZ         32768u
#define RTC_CMOS_BYTES 128u

#define RTC_SECONDS       0x00u
#define RTC_SECONDS_ALARM 0x01u
#define RTC_MINUTES       0x02u
#define RTC_MINUTES_ALARM 0x03u
#define RTC_HOURS         0x04u
#define RTC_HOURS_ALARM   0x05u
#define RTC_WEEKDAY       0x06u
#define RTC_DAY           0x07u
#define RTC_MONTH         0x08u
#define RTC_YEAR          0x09u
#define RTC_REG_A         0x0Au
#define RTC_REG_B         0x0Bu
#define RTC_REG_C         0x0Cu
#define RTC_REG_D         0x0Du
#define RTC_CENTURY       0x32u /* what the FADT's century field names */

#define RTC_A_UIP 0x80u /* update in progress */
#define RTC_A_DV  0x70u /* divider select */
#define RTC_A_RS  0x0Fu /* rate select */

#define RTC_B_SET  0x80u /* updates are inhibited */
#define RTC_B_PIE  0x40u
#define RTC_B_AIE  0x20u
#define RTC_B_UIE  0x10u
#define RTC_B_SQWE 0x08u /* stored; no pin */
#define RTC_B_DM   0x04u /* binary, not BCD */
#define RTC_B_24H  0x02u
#define RTC_B_DSE  0x01u /* stored; no daylight saving, as in DS12887's successors */

#define RTC_C_IRQF 0x80u
#define RTC_C_PF   0x40u
#define RTC_C_AF   0x20u
#define RTC_C_UF   0x10u

#define RTC_D_VRT 0x80u /* the battery is good */

struct rtc {
    struct vtime *time;
    struct counter clock;
    struct vt_line irq;
    uint8_t cmos[RTC_CMOS_BYTES]; /* time bytes: as of update snap; registers A (less UIP), B; RAM */
    uint8_t index;                /* port 70h as written, bit 7 the NMI mask */
    uint8_t flags;                /* PF, AF, UF */
    bool irqf;                    /* IRQF: the level of the line */
    bool chain_runs;              /* DV selects a time base: the chain is not held in reset */
    uint64_t chain_add;           /* c = clock ticks + chain_add, modulo 2^64 */
    uint64_t snap;                /* number of the update that the time bytes stand at */
    uint64_t pf_seen;             /* taps' edges up to this one are in PF already */
    uint64_t uf_seen;             /* updates up to this one are in UF already */
    bool alarm_armed;
    uint64_t alarm_update; /* the update at which the armed alarm is due */
    struct vtimer periodic;
    struct vtimer alarm;
    struct vtimer update;
};

/* Call once: power-on state (24 h, BCD, divider 010, rate 6), the date `start_utc` (seconds since 1970, UTC)
 * at AT 0, RAM zero. Attaches three queue entries (target: vCPU 0). The year wraps after 9999. */
void rtc_init(struct rtc *r, struct vtime *time, struct vt_line irq, uint64_t start_utc);

/* The RESET pin: interrupts and flags off; the date, the chain, SET, DM, 24/12 and the RAM stay. */
void rtc_reset(struct rtc *r);

/* Fills the memory sizes where a PC's firmware leaves them (15h-18h, 30h/31h, 34h/35h, 5Bh-5Dh) and the
 * checksum of 10h-2Dh. below_4g: bytes of RAM from address 0, the hole of 640K-1M included; above_4g: bytes
 * from 4 GiB. */
void rtc_set_memory(struct rtc *r, uint64_t below_4g, uint64_t above_4g);

/* A byte from or to 70h or 71h (absolute numbers); others read as all ones and drop writes. 71h is an
 * incident. */
uint8_t rtc_read(struct rtc *r, uint16_t port);
void rtc_write(struct rtc *r, uint16_t port, uint8_t value);

/* Bit 7 of port 70h: true while the guest has masked NMI. */
bool rtc_nmi_masked(const struct rtc *r);

#endif
