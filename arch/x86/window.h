/* The host's interrupts while a guest is out. */
#ifndef ARCH_X86_WINDOW_H
#define ARCH_X86_WINDOW_H

#include "vmm/exit.h"

/* Takes the interrupts that are due, and goes on with interrupts disabled: for an exit that one may have
 * caused. The record, of EXIT_INTERRUPT or EXIT_DEADLINE, learns when the guest was out. */
void let_interrupts_in(struct exit_record *exit);

#endif
