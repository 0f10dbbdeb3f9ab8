/* From the entry code to the first VM. */
#include <stdint.h>

#include "arch/x86/acpi.h"
#include "arch/x86/apic.h"
#include "arch/x86/clock.h"
#include "arch/x86/cpu.h"
#include "arch/x86/machine.h"
#include "arch/x86/paging.h"
#include "arch/x86/percpu.h"
#include "arch/x86/pic8259.h"
#include "arch/x86/traps.h"
#include "kernel/console.h"
#include "kernel/guests.h"
#include "kernel/host.h"
#include "kernel/multiboot.h"
#include "kernel/pages.h"
#include "kernel/panic.h"
#include "kernel/processor.h"
#include "kernel/verdict.h"
#include "vmm/backend.h"
#include "vmm/config.h"
#include "vmm/host.h"

_Noreturn void kernel_main(uint32_t magic, uint64_t info_phys); /* called by boot/entry.asm */

extern const uint8_t image_end[]; /* linker.ld */

static struct boot_info boot;

/* Loaders leave everything below 4 GiB, which is as far as the early tables reach. */
static const void *early_map(uint64_t phys, uint64_t length)
{
    return length <= 1ull << 32 && phys <= (1ull << 32) - length ? phys_to_virt(phys) : NULL;
}

/* What the loader says, and memory from it. */
static void init_memory(uint32_t magic, uint64_t info_phys)
{
    if (!boot_parse(&boot, magic, info_phys, early_map))
        panic("%s", boot.trouble);
    if (boot.trouble)
        host_log("boot: %s: left out", boot.trouble);
    pages_init(&boot, kernel_phys_base, virt_to_phys(image_end));
    paging_init(&boot);
}

static void init_machine(void)
{
    acpi_init(&boot);
    machine_detect();
    pic8259_init();
    apic_init(true);
    clock_init();
    host_init();
    console_start();
}

static void banner(void)
{
    host_log("loader %s, machine %s, %llu MiB free, TSC %llu Hz%s, %s", boot.loader, machine_name(),
             (unsigned long long)pages_total() >> 20, (unsigned long long)clock_hz(),
             clock_is_invariant() ? "" : " (not invariant)", apic_is_x2apic() ? "x2APIC" : "xAPIC");
}

static void complain(const char *line)
{
    host_log("%s", line);
}

/* The backend of this processor, switched on; NULL, with lines that say what is missing, if there is none. */
static const struct hv_ops *start_backend(void)
{
    static const struct hv_ops *const backends[] = {&vmx_ops, &svm_ops};
    static char why[sizeof(backends) / sizeof(backends[0])][96];

    for (size_t i = 0; i < sizeof(backends) / sizeof(backends[0]); i++)
        if (backends[i]->probe(why[i], sizeof(why[i])) && backends[i]->cpu_enable(why[i], sizeof(why[i])))
            return backends[i];
    for (size_t i = 0; i < sizeof(backends) / sizeof(backends[0]); i++)
        host_log("this processor cannot run guests: %s", why[i]);
    return NULL;
}

void kernel_main(uint32_t magic, uint64_t info_phys)
{
    static struct global_config global;
    const struct hv_ops *backend;

    console_init();
    percpu_init_boot();
    traps_init();
    init_memory(magic, info_phys);
    init_machine();
    banner();
    config_parse_global(&global, boot.cmdline, boot.qemu, complain);
    backend = start_backend();
    if (!backend)
        verdict_leave(VERDICT_FAILED);
    processor_init(&global);
    if (guests_create(backend, boot.modules, boot.nmodules, boot.qemu))
        processor_run(&global);
    verdict_leave(guests_report() ? VERDICT_OK : VERDICT_FAILED);
}
