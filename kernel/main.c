/* From the entry code to the first VM. */
#include <stdint.h>

#include "arch/x86/acpi.h"
#include "arch/x86/apic.h"
#include "arch/x86/clock.h"
#include "arch/x86/cpu.h"
#include "arch/x86/machine.h"
#include "arch/x86/mitigate.h"
#include "arch/x86/paging.h"
#include "arch/x86/percpu.h"
#include "arch/x86/pic8259.h"
#include "arch/x86/protect.h"
#include "arch/x86/traps.h"
#include "kernel/console.h"
#include "kernel/describe.h"
#include "kernel/guests.h"
#include "kernel/host.h"
#include "kernel/inject.h"
#include "kernel/monitor.h"
#include "kernel/multiboot.h"
#include "kernel/pages.h"
#include "kernel/panic.h"
#include "kernel/processor.h"
#include "kernel/screen.h"
#include "kernel/smp.h"
#include "kernel/trace.h"
#include "kernel/verdict.h"
#include "kernel/watchdog.h"
#include "vmm/backend.h"
#include "vmm/config.h"
#include "vmm/host.h"

_Noreturn void kernel_main(uint32_t magic, uint64_t info_phys); /* called by boot/entry.asm */

#define DESCRIBE_PROTECTION 80

extern const uint8_t image_end[]; /* linker.ld */

static struct boot_info boot;

/* Loaders leave everything below 4 GiB, which is as far as the early tables reach. */
static const void *early_map(uint64_t phys, uint64_t length)
{
    return length <= 1ull << 32 && phys <= (1ull << 32) - length ? phys_to_virt(phys) : NULL;
}

/* The BIOS data area says what mode the screen is in (40:49h, and its columns at 40:4Ah). */
static bool has_text_screen(void)
{
    const uint8_t *mode = early_map(0x449, 3);

    return !boot.efi && !boot.graphics && mode && mode[0] == 3 && mode[1] == SCREEN_COLUMNS && mode[2] == 0;
}

/* What the loader says, and memory from it. True: there is a text screen. */
static bool init_memory(uint32_t magic, uint64_t info_phys)
{
    bool text_screen;

    if (!boot_parse(&boot, magic, info_phys, early_map)) {
        host_log("cannot start: %s", boot.trouble);
        machine_detect(); /* without ACPI: QEMU, or a machine that is halted */
        verdict_leave(guests_report() ? VERDICT_OK : VERDICT_FAILED);
    }
    if (boot.trouble)
        host_log("boot: %s: left out", boot.trouble);
    text_screen = has_text_screen();
    pages_init(&boot, kernel_phys_base, virt_to_phys(image_end));
    paging_init(&boot);
    protect_cpu();
    return text_screen;
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

/* Its cursor would blink in the middle of what stands there (VGA CRTC 0AH, bit 5). */
static void init_screen(bool text)
{
    if (!text)
        return;
    screen_init(map_mmio(SCREEN_PHYS, SCREEN_ROWS * SCREEN_COLUMNS * sizeof(uint16_t)));
    outb(0x3D4, 0x0A);
    outb(0x3D5, 0x20);
}

/* The power-on lines: at most twenty with those of the VMs (kernel/guests.c). */
static void banner(void)
{
    char date[DESCRIBE_TIME];

    describe_date(date, host_boot_seconds());
    host_log("Escapement, a hypervisor whose guests keep their time; Ctrl-A ? on this console is its help");
    host_log("machine %s, loader %s, %llu MiB free", machine_name(), boot.loader,
             (unsigned long long)pages_total() >> 20);
    host_log("time source TSC, %llu Hz%s; it is %s UTC", (unsigned long long)clock_hz(),
             clock_is_invariant() ? "" : " (not invariant)", date);
}

static void describe_processors(void)
{
    char brand[DESCRIBE_BRAND];

    describe_brand(brand);
    host_log("processor %s, %u in use, %s", brand, processors_in_use, apic_is_x2apic() ? "x2APIC" : "xAPIC");
}

static void describe_protection(enum mitigation_setting setting)
{
    char own[DESCRIBE_PROTECTION], between[VM_REASON_MAX];

    protect_describe(own, sizeof own);
    mitigations_describe(&mitigate, between, sizeof between);
    host_log("protection: %s; mitigations=%s: %s", own, mitigation_names[setting], between);
}

static void describe_backend(const struct hv_ops *backend, const struct global_config *global)
{
    char text[VM_REASON_MAX], slice[DESCRIBE_TIME];

    backend->describe(text, sizeof text);
    host_log("backend %s: %s", backend->name, text);
    host_log("settings: slice=%s boost=%s on-empty=%s", describe_ns(slice, global->slice_ns),
             global->boost ? "on" : "off", global->halt_on_empty ? "halt" : "end");
}

static void complain(const char *line)
{
    host_log("%s", line);
}

/* The backend of this processor, switched on; NULL, and in why (n bytes) what is missing for each, if there
 * is none. */
static const struct hv_ops *start_backend(char *why, size_t n)
{
    static const struct hv_ops *const backends[] = {&vmx_ops, &svm_ops};
    char lacks[2][VM_REASON_MAX / 2];

    for (size_t i = 0; i < 2; i++)
        if (backends[i]->probe(lacks[i], sizeof(lacks[i])) &&
            backends[i]->cpu_enable(lacks[i], sizeof(lacks[i])))
            return backends[i];
    host_snprintf(why, n, "%s; %s", lacks[0], lacks[1]);
    return NULL;
}

/* At the end: with trace=dump from the beginning, or the rest of one that the operator has begun. */
static void dump_trace(bool wanted)
{
    if (wanted)
        trace_dump_begin();
    else if (!trace_dumping())
        return;
    while (trace_dump_step())
        ;
}

/* All is over: out of the machine, or, with on-empty=halt, when the operator says `quit`. */
static _Noreturn void leave(bool ok, bool halt)
{
    if (halt) {
        host_log("nothing left to run: halted (on-empty=halt)");
        processor_linger();
    }
    while (host_scrub()) /* whatever starts after this finds nothing of the guests' */
        ;
    verdict_leave(ok ? VERDICT_OK : VERDICT_FAILED);
}

static void run_guests(const struct global_config *global)
{
    watchdog_start(global->watchdog_ns);
    processor_start();
    processor_run();
    watchdog_stop();
}

void kernel_main(uint32_t magic, uint64_t info_phys)
{
    static struct global_config global;
    static char why[VM_REASON_MAX];
    const struct hv_ops *backend;
    bool guests, text_screen;

    console_init();
    percpu_init_boot();
    traps_init();
    text_screen = init_memory(magic, info_phys);
    init_machine();
    init_screen(text_screen);
    banner();
    config_parse_global(&global, boot.cmdline, boot.qemu, complain);
    mitigate_init(global.mitigations);
    mitigate_cpu();
    describe_protection(global.mitigations);
    backend = start_backend(why, sizeof(why));
    trace_init(&global);
    processor_init(&global);
    if (backend)
        processors_start(&boot, &global, backend);
    describe_processors();
    if (backend)
        describe_backend(backend, &global);
    else
        host_log("this processor cannot run guests: %s", why);
    inject_start(global.inject);
    sti(); /* copying images takes long: what is typed meanwhile is kept (kernel/input.h) */
    guests = guests_create(backend, why, boot.modules, boot.nmodules, boot.qemu);
    cli();
    if (guests)
        run_guests(&global);
    console_look(VIEW_LINES, 0); /* the end is everybody's */
    (void)console_view();
    dump_trace(global.trace == TRACE_SETTING_DUMP);
    processors_report();
    leave(guests_report(), global.halt_on_empty);
}
