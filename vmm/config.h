/* The words of a module line (DESIGN.md section 4), checked: what a VM is to be. Pure; parsed by
 * vmm/config.c. */
#ifndef VMM_CONFIG_H
#define VMM_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "timers/vtime.h"

#define VM_NAME_MAX    16
#define VM_MAX_MODULES 16
#define VM_REASON_MAX  160 /* why a VM was refused, or how it ended, with the closing 0 */

#define VM_MEM_MIN  (2ull << 20) /* the PC's first MiB and some to work with */
#define VM_MEM_MAX  (1ull << 40)
#define VM_CPUS_MAX 8u
#define LEAP_OFF    UINT64_MAX /* leap_ns: leap=off */

/* missed=: the timers that it knows, by the names of their emulators (vmm/settings.c). */
#define MISSED_TIMERS 4
extern const char *const missed_timers[MISSED_TIMERS];

/* A boot module as the loader left it in memory, and its words. */
struct boot_module {
    const uint8_t *data;
    uint64_t size;
    const char *words; /* everything after the file's name: settings, `--`, guest's words */
};

enum trace_setting { TRACE_SETTING_OFF, TRACE_SETTING_ON, TRACE_SETTING_FULL, TRACE_SETTING_DUMP };

/* mitigations=: what is done against leaks through what processors do ahead of time */
enum mitigation_setting { MITIGATIONS_AUTO, MITIGATIONS_OFF, MITIGATIONS_ALL };
extern const char *const mitigation_names[3]; /* by enum mitigation_setting */

/* inject=: the host's faults on purpose (kernel/inject.h), in the order of their words in vmm/settings.c */
enum injection {
    INJECT_NMI,
    INJECT_MACHINE_CHECK,
    INJECT_SPURIOUS,
    INJECT_LOST_TIMER,
    INJECT_LATE_TIMER,
    INJECT_EARLY_TIMER,
    INJECT_SERIAL_SLOW,
    INJECT_SERIAL_STUCK,
    INJECT_NO_MEMORY,
    INJECT_TSC_FORWARD,
    INJECT_TSC_BACK,
    INJECT_STALL,
    INJECT_STACK,
    INJECT_STACK_OVERFLOW,
    INJECT_WRITE_TEXT,
    INJECT_CONSOLE_STALL,
    INJECT_CONSOLE_FAULT,
    INJECT_PANIC_FAULT,
    INJECT_SERIAL_DEAD,
    INJECTIONS
};

/* The global settings (the hypervisor's own command line). */
struct global_config {
    uint64_t slice_ns;  /* slice=, default 10 ms */
    bool boost;         /* boost=on|off */
    bool halt_on_empty; /* on-empty=halt|end */
    bool monitor_each;  /* monitor=each: a deadline for each virtual timer; next: for each VM */
    uint64_t poll_ns;   /* poll=: deadlines are noticed at multiples of this; 0, poll=off: at their moment */
    enum trace_setting trace;            /* trace=on|off|full|dump; dump: full, and brought out at the end */
    uint64_t trace_bytes;                /* trace-buffer=, of each processor; a power of two */
    enum mitigation_setting mitigations; /* mitigations=auto|off|all */
    uint64_t watchdog_ns;                /* watchdog=; 0: off */
    uint32_t inject;                     /* inject=: bits of enum injection; debug kernels only */
    unsigned int processors;             /* processors=, how many are used; 0: all */
};

struct guest_module {
    const uint8_t *data;
    uint64_t size;
    const char *cmdline; /* words after its `--`, "" if none */
};

enum vm_on_reset { ON_RESET_RESTART, ON_RESET_END };

struct vm_config {
    char name[VM_NAME_MAX + 1];
    uint64_t mem; /* bytes */
    unsigned int cpus;
    unsigned int pins[VM_CPUS_MAX]; /* pin=: the processors that its vCPUs stay on, in their order ... */
    unsigned int npins; /* ... 0: wherever there is room; the last stands for the vCPUs after it, too */
    enum vm_on_reset on_reset;
    bool no_hpet;  /* hpet=off */
    bool rtc_host; /* rtc=host, else rtc_seconds */
    uint64_t rtc_seconds;
    struct vtime_settings { /* in the words' own units; turned into RT ticks with the measured frequency */
        bool fixed;         /* catchup=adaptive (default) or catchup=P[/Q] (fixed rate C) */
        uint64_t rate_p, rate_q;
        uint64_t maxrate; /* 0: the default, 4 times the runnable VMs of the processor */
        uint64_t k1_ns, k2_ns, leap_ns, progress_ns;
        bool gap_jump;
        uint8_t hyst;                         /* 0: 5c, 1: rtc, 2: artp */
        bool strict;                          /* time=strict: every RDTSC exits */
        bool naive;                           /* time=naive: no coordination of the timers */
        enum vt_missed missed[MISSED_TIMERS]; /* missed=: in the order of missed_timers */
    } time;
    bool pvclock;         /* pvclock=on|off: KVM's clock (vmm/pvclock.h) */
    bool tsc_deadline;    /* tsc-deadline=on|off: that mode of the LAPIC timers */
    bool x2apic;          /* x2apic=on|off: that mode of the local APICs */
    bool trace_exits;     /* trace=exits */
    bool count_exits;     /* stats=exits, stats=all */
    bool keep_lag;        /* stats=lag, stats=all */
    const uint8_t *image; /* the kernel */
    uint64_t image_size;
    const char *image_name;    /* first word of the guest's command line: QEMU's file name, else the VM's */
    unsigned int image_module; /* the module it is, counted from 1 */
    const char *cmdline;       /* the guest's own, after `--` */
    const uint8_t *initrd;
    uint64_t initrd_size;
    struct guest_module modules[VM_MAX_MODULES];
    unsigned int nmodules;
    bool refused;               /* a wrong setting: the VM does not start */
    char reason[VM_REASON_MAX]; /* ... because of this; names the module and the word */
    unsigned int first_module;  /* the module that first names this VM, counted from 1 */
    uint32_t given;             /* config.c's own: which settings have been given */
};

/* Parses the hypervisor's command line. Unknown or wrong words are reported one by one through `complain` (a
 * line that names the word) and otherwise ignored. strip_first: the loader is QEMU, the first word is a file
 * name. */
void config_parse_global(struct global_config *out, const char *cmdline, bool strip_first,
                         void (*complain)(const char *line));

/* Parses all modules into VMs, in order of first mention; returns their number (at most max). A VM with a
 * wrong word, a name given to two kernels, a module without a kernel, ... comes out refused, with the reason.
 * The module that cannot even be given to a VM (no vm= word) is reported through `complain` and makes a
 * refused VM of a made-up name "moduleN". The strings point into the modules' words, which are cut up in
 * place (words is writable memory). */
unsigned int config_parse_modules(struct vm_config *vms, unsigned int max, const struct boot_module *modules,
                                  unsigned int nmodules, bool qemu, void (*complain)(const char *line));

#endif
