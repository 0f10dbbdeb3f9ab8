#include "guests/lib/power.h"

#include "guests/lib/acpi.h"
#include "guests/lib/io.h"
#include "guests/lib/print.h"

#define PORT_EXIT 0xF4
#define SLP_EN    (1u << 13) /* ACPI 6.4, table 4.16 (PM1 control registers) */

/* Also for a machine that goes on: nothing more happens on it. */
static _Noreturn void stop(void)
{
    for (;;) {
        __asm__ volatile("cli; hlt");
    }
}

void machine_exit(uint8_t code)
{
    outb(PORT_EXIT, code);
    stop();
}

void machine_poweroff(void)
{
    uint16_t port = 0;
    uint8_t type = 0;

    if (!acpi_s5(&port, &type)) {
        printf("poweroff: no FADT or no _S5 object\n");
        machine_exit(EXIT_FAIL);
    }
    outw(port, (uint16_t)((unsigned int)type << 10 | SLP_EN));
    stop();
}

void guest_return(int code)
{
    machine_exit((uint8_t)code);
}
