#include "arch/x86/window.h"

#include "arch/x86/cpu.h"
#include "vmm/host.h"

void let_interrupts_in(struct exit_record *exit)
{
    exit->u.left = host_now();
    interrupt_window();
}
