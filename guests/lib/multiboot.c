#include "guests/lib/multiboot.h"

#include "guests/lib/power.h"
#include "guests/lib/print.h"
#include "guests/lib/traps.h"

const char *multiboot_cmdline(const struct multiboot_info *mb)
{
    return mb->flags & MB_CMDLINE ? (const char *)(uintptr_t)mb->cmdline : "";
}

const struct multiboot_info *guest_init(uint64_t magic, uint64_t info)
{
    serial_init();
    traps_init();
    if (magic != MULTIBOOT_LOADER_MAGIC) {
        printf("the loader's magic is %lx, not %x\n", magic, MULTIBOOT_LOADER_MAGIC);
        machine_exit(EXIT_FAIL);
    }
    return (const struct multiboot_info *)(uintptr_t)info;
}
