/* The vCPUs of one VM among each other (DESIGN.md 2.11): they call one another to interrupts, make way for
 * the one that apparent time waits for, and leave a line of apparent time together. For the run loop, with
 * the VM's lock; of use only where the VM has more than one. */
#ifndef VMM_SIBLINGS_H
#define VMM_SIBLINGS_H

#include <stdbool.h>
#include <stdint.h>

struct vcpu;
struct vm;
struct vt_outlook;

/* Something has come to some vCPUs since the last call (lapic->news): host_kick() for each of them that has
 * to look at it, but for `self`, which looks for itself. */
void siblings_call(struct vm *vm, const struct vcpu *self);

/* host_kick() for the halted vCPUs that have to look at something, and for those of siblings_call(). */
void siblings_wake(struct vm *vm);

/* Apparent time waits for a sibling that is descheduled: it is given this processor. */
void siblings_make_way(struct vcpu *self);

/* A sibling in the guest reads its TSC along a line that apparent time has left: it is taken out, and AT_L
 * raised to what it may have seen, before anything else is answered (DESIGN.md 2.10). True if there was one:
 * all that hung on *outlook has to be asked anew. */
bool siblings_settle(struct vcpu *self, const struct vt_outlook *outlook);

/* At RT `now`, before an exit is answered: AT_L is raised to what siblings in the guest may have seen along a
 * line that apparent time has left. They are still there: siblings_settle(). */
void siblings_note(struct vcpu *self, uint64_t now);

/* `self` (NULL: nobody) leaves the guest to its siblings: one of them has to be out again by the VM's next
 * deadline. Where none has to, one is taken out, to be entered with it. */
void siblings_take_over(struct vm *vm, const struct vcpu *self);

/* The VM has ended or is to be reset: no sibling stays in the guest. */
void siblings_take_out(struct vcpu *self);

#endif
