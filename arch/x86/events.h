/* Events on their way into a guest: exceptions, software interrupts, NMI, external interrupts. VMX and SVM
 * describe them in one and the same word (SDM vol. 3, tables 25-17, 25-19, 25-20: interruption information of
 * entries, exits and IDT vectoring; APM vol. 2, figure 15-4: EVENTINJ, and EXITINTINFO), and both inject at
 * most one at an entry. What else waits is an NMI (queued until NMIs are not blocked) and an interrupt that
 * was acknowledged but overtaken (held until the guest can take one). Pure. */
#ifndef ARCH_X86_EVENTS_H
#define ARCH_X86_EVENTS_H

#include <stdbool.h>
#include <stdint.h>

#define EVENT_VECTOR     0xffu
#define EVENT_TYPE       (7u << 8)
#define EVENT_TYPE_IRQ   (0u << 8)
#define EVENT_TYPE_NMI   (2u << 8)
#define EVENT_TYPE_FAULT (3u << 8) /* hardware exception; SVM: any exception */
#define EVENT_TYPE_SOFT  (4u << 8) /* INT n */
#define EVENT_TYPE_PRIV  (5u << 8) /* VMX only: INT1 */
#define EVENT_TYPE_TRAP  (6u << 8) /* VMX only: INT3, INTO */
#define EVENT_ERROR      (1u << 11)
#define EVENT_IRET_NMI   (1u << 12) /* VMX exits only: NMI blocking had just been ended by IRET */
#define EVENT_VALID      (1u << 31)

#define EVENT_VECTOR_NMI 2u

struct event {
    uint32_t info;   /* 0: none */
    uint32_t error;  /* with EVENT_ERROR */
    uint32_t length; /* VMX: of the instruction, for software interrupts and exceptions */
};

struct events {
    struct event next;   /* for the next entry */
    uint8_t nmis_queued; /* at most two (events_nmi) */
    int16_t held_irq;    /* an acknowledged interrupt that an exception overtook in its delivery; -1: none */
};

void events_reset(struct events *events);

/* Nothing of all this waits. */
static inline bool events_none(const struct events *events)
{
    return !events->next.info && !events->nmis_queued && events->held_irq < 0;
}

/* Sets next, of which there must be none. */
void events_set(struct events *events, uint32_t info);

/* One more NMI has come. blocked: the guest is in a handler of one. One can be in its handler and one latched
 * behind it (SDM vol. 3, 6.7.1); of those that come before the first has got that far, two are therefore
 * kept, for the guest sees them come one after the other: what it does in between takes the hypervisor time.
 */
void events_nmi(struct events *events, bool blocked);

/* Puts ev in the place of next: that event is kept where the processor would not lose it. */
void events_replace(struct events *events, const struct event *ev);

/* An exception that common code injects. One with this vector that waits already is left alone. */
void events_exception(struct events *events, uint8_t vector, bool has_error, uint32_t error);

#endif
