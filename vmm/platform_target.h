/* Which vCPU the timers of the virtual PC interrupt: it is the one whose progress the time model waits for
 * (DESIGN.md 2.6, 2.11). The local APICs' timers have their own. */
#ifndef VMM_PLATFORM_TARGET_H
#define VMM_PLATFORM_TARGET_H

struct vm;

/* Looks where the IOAPIC sends each timer's interrupt now: to the first of several, to the bootstrap
 * processor when the PIC has it or nobody. Of use with several vCPUs, when an entry or an HPET's route has
 * changed; not while events are delivered. */
void platform_target_timers(struct vm *vm);

#endif
