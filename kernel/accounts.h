/* The ledger of a VM's time (DESIGN.md 2.12), for people. */
#ifndef KERNEL_ACCOUNTS_H
#define KERNEL_ACCOUNTS_H

#include "vmm/vm.h"

/* Prints a line for the VM, in ticks of its TSC, and one for each timer that had anything to do. When the VM
 * has ended, and before its memory is freed. */
void accounts_print(const struct vm *vm);

#endif
