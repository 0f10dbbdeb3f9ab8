/* Task switches by hardware (SDM vol. 3, chapter 8), for processors that leave them to the hypervisor. */
#ifndef VMM_TASK_H
#define VMM_TASK_H

#include <stdbool.h>
#include <stdint.h>

struct exit_record;
struct fault;
struct vcpu;

/* An EXIT_TASK_SWITCH: carries the switch out, or injects the fault that it raises, in the old task or the
 * new one. A task's debug trap (T in its TSS) is not raised. */
void task_switch(struct vcpu *vcpu, const struct exit_record *exit);

/* Bit 0 of the error codes: an event from outside the program caused the switch (6.13). */
#define TASK_EXTERNAL 1u

/* The part of it that loads LDTR and ES, CS, SS, DS, FS, GS, in the order of enum guest_seg: all selectors
 * first, then a descriptor for each, in the new task. vm86: they are virtual-8086 mode's. False: *fault, and
 * what is not loaded cannot be used, but for CS and SS, whose descriptors are still the old task's. */
bool task_load_segments(struct vcpu *vcpu, const uint16_t selectors[6], uint16_t ldt, bool vm86,
                        uint32_t external, struct fault *fault);

#endif
