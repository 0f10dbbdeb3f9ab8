/* Instructions that touch memory-mapped devices and guest-physical holes, carried out in software. */
#ifndef VMM_EMULATE_H
#define VMM_EMULATE_H

struct vcpu;
struct exit_record;

/* A nested page fault (EXIT_MMIO): does the instruction's accesses through the bus and advances RIP, or
 * injects the fault that the processor would; an instruction that it does not know ends the VM with its
 * bytes. */
void emulate_mmio(struct vcpu *vcpu, const struct exit_record *exit);

#endif
