#include "arch/x86/events.h"

#include "vmm/host.h"

#define NMIS_MAX 2u

void events_reset(struct events *events)
{
    *events = (struct events){.held_irq = -1};
}

void events_set(struct events *events, uint32_t info)
{
    ASSERT(!events->next.info);
    events->next = (struct event){.info = info | EVENT_VALID};
}

void events_nmi(struct events *events, bool blocked)
{
    const bool on_its_way = events->next.info && (events->next.info & EVENT_TYPE) == EVENT_TYPE_NMI;
    const uint8_t most = blocked || on_its_way ? 1 : NMIS_MAX;

    if (events->nmis_queued < most)
        events->nmis_queued++;
}

/* A waiting exception or INT n is dropped: its instruction has not been completed and comes to it again. An
 * interrupt or NMI would be lost for good. */
void events_replace(struct events *events, const struct event *ev)
{
    const uint32_t was = events->next.info;

    events->next = *ev;
    if (!was)
        return;
    if ((was & EVENT_TYPE) == EVENT_TYPE_IRQ)
        events->held_irq = (int16_t)(was & EVENT_VECTOR);
    else if ((was & EVENT_TYPE) == EVENT_TYPE_NMI)
        events_nmi(events, false);
}

void events_exception(struct events *events, uint8_t vector, bool has_error, uint32_t error)
{
    const struct event ev = {
        .info = EVENT_VALID | EVENT_TYPE_FAULT | vector | (has_error ? EVENT_ERROR : 0),
        .error = error,
    };
    const uint32_t type = events->next.info & EVENT_TYPE;
    /* One that is being reflected is queued already, and knows more: INT1's length, for one. */
    if (events->next.info && type != EVENT_TYPE_IRQ && type != EVENT_TYPE_SOFT &&
        (events->next.info & EVENT_VECTOR) == vector)
        return;
    events_replace(events, &ev);
}
