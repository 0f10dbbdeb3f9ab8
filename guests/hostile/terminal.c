/* What a terminal would take for commands, written to the serial port. */
#include "guests/hostile/hostile.h"

#include <stddef.h>

#include "guests/lib/io.h"
#include "guests/lib/print.h"

static const char *const sequences[] = {
    "\033[2J\033[H",                 /* clear the screen */
    "\033[1;1H\033[K\033[31;1m",     /* place, erase, colour */
    "\033[?1049h\033[?25l\033[?47h", /* other screen, no cursor */
    "\033[?1000h\033[?2004h",        /* mouse reports, bracketed paste */
    "\033[6n\033[c\0337\033[5n",     /* ask for answers, which come as if typed */
    "\033]0;quit\007",               /* the window's title ... */
    "\033[21t",                      /* ... and have it typed */
    "\033P$q\"p\033\\\033_x\033\\",  /* strings: DCS, APC */
    "\033c\033(0\016",               /* reset, line drawing characters */
    "\0331;31r\033[3;4r\033[4l",     /* margins */
    "\2332J\2330;0H\235"
    "0;t\234",                                         /* the same in C1 controls */
    "\302\2332J",                                      /* a C1 control in UTF-8 */
    "\005\b\b\b\b\v\f\177",                            /* answer back, back and up */
    "over\rescapement: all VMs ended, 9 ok, 0 failed", /* a line of the hypervisor's, over this one */
    "\001m\001aquit\r",                                /* the console's own escape key */
};

static void write_all(void)
{
    for (size_t i = 0; i < sizeof(sequences) / sizeof(sequences[0]); i++) {
        printf("%s\n", sequences[i]);
    }
    for (unsigned int byte = 0; byte < 256; byte++) {
        printf("%c", (int)byte);
    }
    printf("\nhostile: all written\n");
}

/* All of them, and every byte that there is; the same once more later, when somebody may have come to look.
 */
int hostile_terminal(const struct plan *plan)
{
    uint64_t end = rdtsc() + plan->seconds * plan->tsc_hz;

    write_all();
    while (rdtsc() < end) {
    }
    write_all();
    return (int)plan->exit;
}
