/* The clock guest: programs PIT, RTC, HPET and LAPIC timer together, logs every tick and reads every clock
 * against the TSC, then judges the log (judge.c). All times are TSC ticks unless a name says otherwise. */
#ifndef GUESTS_CLOCK_CLOCK_H
#define GUESTS_CLOCK_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

/* In order of interrupt priority, lowest first: the PIC pair puts IRQ 8 below IRQ 0, and a LAPIC takes what
 * it has itself (from the HPET by the IOAPIC, from its own timer) before the PIC's request. */
enum tick_source { TICK_RTC, TICK_PIT, TICK_HPET, TICK_LAPIC, TICK_SOURCES };

enum clock_id { CLOCK_PIT, CLOCK_PM, CLOCK_LAPIC, CLOCK_RTC, CLOCK_HPET, CLOCKS };

#define MAX_TICKS (160u * 1024)
#define WINDOWS   512u

#define FS_PER_SECOND 1000000000000000ull

struct settings {
    uint64_t hz[TICK_SOURCES]; /* 0: that timer stays off */
    uint64_t seconds;
    uint64_t limit_ns; /* what two clocks may differ by, and a read pass an undelivered event */
    bool busy;         /* spin between ticks, else HLT */
    uint64_t work;     /* rounds of a plain loop between two readings while it spins */
    uint64_t rest_ms;  /* how long it sleeps at the end, its ticks going on */
    bool few_reads;    /* a handler reads one clock in turn, ... */
    bool no_reads;     /* ... or none, else all of them */
    bool ioapic;       /* interrupts through the IOAPIC, else the PIC pair */
};

/* One interrupt. Until its handler has run, the guest had interrupts off without a break since off_start
 * (equal to entry if they were on); last_open is the last TSC the guest read with interrupts on before it. */
struct tick {
    uint64_t entry, off_start, last_open;
    int64_t index; /* which event of its timer it is (ticks.c) */
    enum tick_source source;
};

/* What one timer should have done: event k is due at origin + k * period. */
struct series {
    const char *name;
    uint64_t period; /* 32.32 fixed point */
    uint64_t origin;
    uint64_t due, delivered, lost, extra;
    uint64_t shortest, longest; /* from one tick's handler to the next one's */
    int64_t rate_ppb;           /* how much too often they came */
    uint64_t late, past; /* the latest handler; the furthest a clock was read past an undelivered event */
    uint64_t
        early; /* how much earlier than `origin` says the events may have been: handlers take time to start */
};

/* The clock stood at `count` (or up to one count more) at some moment of [before, after]. */
struct sample {
    uint64_t before, after;
    uint64_t count;
};

struct clock {
    const char *name;
    uint64_t (*read)(void); /* counts up, modulo `modulus` */
    uint64_t modulus;
    uint64_t rate; /* TSC ticks in one count, 32.32 fixed point */
    bool present;
    uint64_t samples, backward;
    struct sample last; /* count unwrapped */
    uint64_t last_raw;
    /* Of each window of the run, the samples that say most about where count 0 lay: at least, at most. */
    struct sample earliest[WINDOWS], latest[WINDOWS];
    bool used[WINDOWS];
};

struct run {
    struct settings set;
    uint64_t tsc_hz, lapic_hz; /* as calibrated before the run */
    uint64_t tsc_hz_open;      /* what the calibration's readings leave open of it */
    uint32_t pit_divisor, lapic_count, hpet_count;
    uint8_t rtc_rate_select;
    uint32_t hpet_fs; /* femtoseconds in a count of the HPET; 0: there is none */
    /* When each timer was programmed and its interrupt let through: ticks due in between may come or not. */
    uint64_t arming[TICK_SOURCES], armed[TICK_SOURCES];
    uint64_t start, end;
    uint64_t window; /* length of one */
    uint64_t tsc_backward;
    uint64_t rtc_spurious; /* interrupts of the RTC without its periodic flag */
    struct clock clocks[CLOCKS];
    struct tick ticks[MAX_TICKS];
    uint32_t nticks;
    uint32_t overflow; /* ticks past MAX_TICKS */
};

extern struct run run;

/* (a * b) >> 32 without loss in between. */
static inline uint64_t fixed_mul(uint64_t a, uint64_t b)
{
    return (uint64_t)((unsigned __int128)a * b >> 32);
}

/* clocks.c: finds the clocks that there are (after the timers' periods are known). */
void clocks_init(void);
/* Reads a clock between two readings of the TSC; interrupts off. Returns the second reading. */
uint64_t clock_sample(struct clock *c, uint64_t before);
/* Reads the TSC and checks it against the last reading by anybody. */
uint64_t clock_tsc(void);

/* record.c: programs the timers, runs, fills `run`. */
void record_run(void);
/* Sleeps for the rest once more, on an idle PIT: judging took the processor, and a VM that ends on time shows
 * in the hypervisor's ledger how exact its clock was in all. */
void record_settle(void);

/* fit.c: the span, over all samples of a clock, of where its count 0 must have lain. low <= high: the
 * readings agree to within that; low > high: they disagree by the difference. */
struct span {
    int64_t low, high; /* relative to run.start */
};
struct span clock_span(const struct clock *c, uint64_t rate);
/* The rate near c->rate that makes the clock agree best with the TSC. */
uint64_t clock_fit(const struct clock *c);

/* ticks.c: judges the log against the rates; slack is what counts as the same moment. */
void ticks_judge(struct series *s, enum tick_source source, uint64_t period, uint64_t slack);
uint64_t ticks_inversions(const struct series *all, uint64_t slack);

/* judge.c: prints what was found; returns the exit code. */
int judge(void);

#endif
