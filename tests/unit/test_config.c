/* vmm/config.c: the words of module lines and of the command line (DESIGN.md section 4, "Start"; 2.8,
 * defaults). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "vmm/config.h"
#include "vmm/settings.h"

#define MAX_VMS 8u

static struct vm_config vms[MAX_VMS];
static char said[1024]; /* what complain() was told, line by line */
static char lines[64][256];
static const uint8_t bytes[64];

static void complain(const char *line)
{
    size_t n = strlen(said);

    snprintf(said + n, sizeof(said) - n, "%s\n", line);
}

static unsigned int parse_as(bool qemu, const char *const *words, unsigned int n)
{
    struct boot_module modules[64];
    unsigned int i;

    said[0] = '\0';
    assert_true(n <= 64);
    for (i = 0; i < n; i++) {
        snprintf(lines[i], sizeof(lines[i]), "%s", words[i]);
        modules[i] = (struct boot_module){.data = bytes + i, .size = 100 + i, .words = lines[i]};
    }
    return config_parse_modules(vms, MAX_VMS, modules, n, qemu, complain);
}

#define PARSE(...)                                                                                           \
    parse_as(false, (const char *const[]){__VA_ARGS__},                                                      \
             sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *))

static void defaults(void **state)
{
    (void)state;
    assert_int_equal(PARSE("vm=a"), 1);
    assert_false(vms[0].refused);
    assert_string_equal(vms[0].name, "a");
    assert_int_equal(vms[0].mem, 64 << 20);
    assert_int_equal(vms[0].cpus, 1);
    assert_int_equal(vms[0].on_reset, ON_RESET_RESTART);
    assert_true(vms[0].rtc_host);
    assert_false(vms[0].time.fixed);
    assert_int_equal(vms[0].time.maxrate, 0);
    assert_int_equal(vms[0].time.k1_ns, 0);
    assert_int_equal(vms[0].time.k2_ns, 0);
    assert_int_equal(vms[0].time.leap_ns, 60000000000);
    assert_int_equal(vms[0].time.progress_ns, 50000);
    assert_false(vms[0].time.gap_jump);
    assert_int_equal(vms[0].time.hyst, 0);
    assert_false(vms[0].time.strict);
    assert_false(vms[0].trace_exits);
    assert_false(vms[0].count_exits || vms[0].keep_lag);
    assert_true(vms[0].pvclock && vms[0].tsc_deadline && vms[0].x2apic);
    assert_string_equal(vms[0].cmdline, "");
    assert_string_equal(vms[0].image_name, "a");
    assert_null(vms[0].initrd);
    assert_int_equal(vms[0].nmodules, 0);
}

/* The example of section 4. */
static void the_design_example(void **state)
{
    (void)state;
    assert_int_equal(PARSE("vm=alpha mem=192M cpus=1 maxrate=8 -- console=ttyS0,115200 quiet",
                           "vm=alpha initrd", "vm=oracle mem=16M"),
                     2);
    assert_false(vms[0].refused || vms[1].refused);
    assert_string_equal(vms[0].name, "alpha");
    assert_int_equal(vms[0].mem, 192 << 20);
    assert_int_equal(vms[0].time.maxrate, 8);
    assert_string_equal(vms[0].cmdline, "console=ttyS0,115200 quiet");
    assert_ptr_equal(vms[0].image, bytes);
    assert_int_equal(vms[0].image_size, 100);
    assert_ptr_equal(vms[0].initrd, bytes + 1);
    assert_int_equal(vms[0].initrd_size, 101);
    assert_string_equal(vms[1].name, "oracle");
    assert_int_equal(vms[1].mem, 16 << 20);
    assert_string_equal(vms[1].cmdline, "");
    assert_string_equal(said, "");
}

static void every_setting(void **state)
{
    (void)state;
    assert_int_equal(
        PARSE("vm=a cpus=8 catchup=7/2 k1=3us k2=0 leap=2s progress=100ns gap=jump hyst=artp rtc=12345 "
              "on-reset=end time=strict trace=exits stats=exits mem=2G hpet=off pvclock=off tsc-deadline=off "
              "x2apic=off"),
        1);
    assert_false(vms[0].refused);
    assert_int_equal(vms[0].cpus, 8);
    assert_true(vms[0].time.fixed);
    assert_int_equal(vms[0].time.rate_p, 7);
    assert_int_equal(vms[0].time.rate_q, 2);
    assert_int_equal(vms[0].time.k1_ns, 3000);
    assert_int_equal(vms[0].time.leap_ns, 2000000000);
    assert_int_equal(vms[0].time.progress_ns, 10000); /* the least there is */
    assert_true(vms[0].time.gap_jump);
    assert_int_equal(vms[0].time.hyst, 2);
    assert_false(vms[0].rtc_host);
    assert_int_equal(vms[0].rtc_seconds, 12345);
    assert_int_equal(vms[0].on_reset, ON_RESET_END);
    assert_true(vms[0].time.strict);
    assert_true(vms[0].trace_exits);
    assert_true(vms[0].count_exits && !vms[0].keep_lag);
    assert_true(vms[0].no_hpet);
    assert_int_equal(vms[0].mem, 2ull << 30);
    assert_false(vms[0].pvclock || vms[0].tsc_deadline || vms[0].x2apic);
    PARSE("vm=a catchup=3 progress=0 leap=off rtc=host hyst=rtc gap=smooth mem=2048K on-reset=restart "
          "pvclock=on tsc-deadline=on x2apic=on");
    assert_false(vms[0].refused);
    assert_true(vms[0].pvclock && vms[0].tsc_deadline && vms[0].x2apic);
    assert_int_equal(vms[0].time.rate_p, 3);
    assert_int_equal(vms[0].time.rate_q, 1);
    assert_true(vms[0].time.leap_ns == LEAP_OFF);
    assert_int_equal(vms[0].time.hyst, 1);
    assert_int_equal(vms[0].time.progress_ns, 10000);
    assert_int_equal(vms[0].mem, 2 << 20);
    PARSE("vm=a stats=lag");
    assert_true(!vms[0].count_exits && vms[0].keep_lag);
    PARSE("vm=a stats=all");
    assert_true(vms[0].count_exits && vms[0].keep_lag);
    PARSE("vm=a catchup=adaptive mem=2097152 hpet=on");
    assert_false(vms[0].refused || vms[0].time.fixed || vms[0].no_hpet);
}

static const struct wrong {
    const char *words;
    const char *reason;
} wrong_words[] = {
    {"vm=a memm=192M", "module 1: unknown setting 'memm=192M' (did you mean mem=?)"},
    {"vm=a mem", "module 1: unknown setting 'mem' (did you mean mem=?)"},
    {"vm=a Mem=1G", "module 1: unknown setting 'Mem=1G' (did you mean mem=?)"},
    {"vm=a cpu=2", "module 1: unknown setting 'cpu=2' (did you mean cpus=?)"},
    {"vm=a initrd=x", "module 1: unknown setting 'initrd=x' (did you mean initrd?)"},
    {"vm=a intird", "module 1: unknown setting 'intird' (did you mean initrd?)"},
    {"vm=a catch-up=2", "module 1: unknown setting 'catch-up=2' (did you mean catchup=?)"},
    {"vm=a onreset=end", "module 1: unknown setting 'onreset=end' (did you mean on-reset=?)"},
    {"vm=a xyzzy", "module 1: unknown setting 'xyzzy'"},
    {"vm=a =", "module 1: unknown setting '='"},
    {"vm=a -", "module 1: unknown setting '-'"},
    {"vm=a \"mem=64M\"", "module 1: unknown setting '\"mem=64M\"' (did you mean mem=?)"},
    {"vm=a mem=\x1b[2J",
     "module 1: wrong value in 'mem=?[2J' (mem= takes a size from 2M to 1024G, a multiple of 4K)"},
    {"vm=a aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
     "module 1: unknown setting 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa...'"},
    {"vm=a mem=64M mem=64M", "module 1: 'mem=64M': mem= is given twice"},
    {"vm=a vm=b", "module 1: 'vm=b': vm= is given twice"},
    {"vm=a initrd module", "module 1: wrong value in 'module' (a module is an initrd or a module, not both)"},
    {"vm=a initrd -- x", "module 1: an initrd takes no words after '--'"},
    {"vm=a initrd", "module 1: this VM has no kernel, only an initrd or modules"},
    {"vm=a module", "module 1: this VM has no kernel, only an initrd or modules"},
    {"vm=a gap=smoth", "module 1: wrong value in 'gap=smoth' (gap=smooth|jump)"},
    {"vm=a rtc=now", "module 1: wrong value in 'rtc=now' (rtc=host|SECONDS since 1970)"},
};

/* time= and missed=: DESIGN.md 2.10, and the missed-tick policies of docs/time-model.md. */
static void time_and_missed(void **state)
{
    (void)state;
    PARSE("vm=a time=fast");
    assert_false(vms[0].refused || vms[0].time.strict || vms[0].time.naive);
    PARSE("vm=a time=naive missed=skip");
    assert_true(vms[0].time.naive && !vms[0].time.strict);
    for (unsigned int i = 0; i < MISSED_TIMERS; i++)
        assert_int_equal(vms[0].time.missed[i], VT_SKIP);
    PARSE("vm=a missed=collapse,pit:compress,lapic:skip");
    assert_false(vms[0].refused);
    assert_int_equal(vms[0].time.missed[0], VT_COMPRESS);
    assert_int_equal(vms[0].time.missed[1], VT_COLLAPSE);
    assert_int_equal(vms[0].time.missed[2], VT_SKIP);
    assert_int_equal(vms[0].time.missed[3], VT_COLLAPSE);
    for (unsigned int i = 0; i < 8; i++) {
        static const char *const wrong[] = {
            "vm=a missed=",          "vm=a missed=pit",
            "vm=a missed=tsc:skip",  "vm=a missed=skip,",
            "vm=a missed=pit:",      "vm=a missed=:skip",
            "vm=a missed=pit:skip:", "vm=a missed=collapsecollapsecollapse:skip"};

        parse_as(false, &wrong[i], 1);
        assert_true(vms[0].refused);
        assert_non_null(strstr(vms[0].reason, "missed="));
    }
}

/* pin=: issue "Several processors", item 2. Which processors there are only the kernel knows. */
static void pins(void **state)
{
    static const char *const wrong[] = {
        "vm=a pin=",   "vm=a pin=64",   "vm=a pin=0,",   "vm=a pin=,0",
        "vm=a pin=0x", "vm=a pin=1000", "vm=a pin=0,,1", "vm=a pin=0,1,2,3,4,5,6,7,8"};

    (void)state;
    PARSE("vm=a");
    assert_int_equal(vms[0].npins, 0);
    PARSE("vm=a pin=63");
    assert_int_equal(vms[0].npins, 1);
    assert_int_equal(vms[0].pins[0], 63);
    PARSE("vm=a pin=1,0,1,2,3,4,5,6");
    assert_false(vms[0].refused);
    assert_int_equal(vms[0].npins, 8);
    assert_int_equal(vms[0].pins[0], 1);
    assert_int_equal(vms[0].pins[1], 0);
    assert_int_equal(vms[0].pins[7], 6);
    for (unsigned int i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        parse_as(false, &wrong[i], 1);
        assert_true(vms[0].refused);
        assert_non_null(strstr(vms[0].reason, "pin="));
    }
}

/* monitor= and poll=: patent [0083], [0084]. */
static void ways_to_monitor(void **state)
{
    struct global_config g;
    char words[] = "monitor=each poll=1ms";
    char off[] = "poll=off";
    char wrong[] = "poll=9us poll=101ms monitor=all";

    (void)state;
    said[0] = '\0';
    config_parse_global(&g, words, false, complain);
    assert_true(g.monitor_each);
    assert_int_equal(g.poll_ns, 1000000);
    config_parse_global(&g, off, false, complain);
    assert_false(g.monitor_each);
    assert_int_equal(g.poll_ns, 0);
    assert_string_equal(said, "");
    config_parse_global(&g, wrong, false, complain);
    assert_non_null(strstr(said, "poll=9us"));
    assert_non_null(strstr(said, "monitor=all"));
}

static void wrong_words_are_named(void **state)
{
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(wrong_words) / sizeof(wrong_words[0]); i++) {
        assert_int_equal(PARSE(wrong_words[i].words), 1);
        assert_true(vms[0].refused);
        assert_string_equal(vms[0].reason, wrong_words[i].reason);
    }
}

/* Values at and behind their bounds. */
static void wrong_values(void **state)
{
    static const char *const wrong[] = {
        "mem=",
        "mem=0",
        "mem=64",
        "mem=1M",
        "mem=2047K",
        "mem=2097153",
        "mem=12Q",
        "mem=-64M",
        "mem=64MB",
        "mem=1025G",
        "mem=99999999999999999999G",
        "mem=18446744073709551616",
        "mem=0x100M",
        "cpus=0",
        "cpus=9",
        "cpus=",
        "cpus=1.5",
        "cpus=4294967297",
        "maxrate=0",
        "maxrate=1000001",
        "catchup=0",
        "catchup=1/2",
        "catchup=2/",
        "catchup=/2",
        "catchup=2/0",
        "catchup=2/1/1",
        "catchup=fast",
        "catchup=99999999999999999",
        "k1=5",
        "k1=5m",
        "k1=-1us",
        "k1=us",
        "k2=101000000s",
        "leap=on",
        "progress=",
        "hyst=5C",
        "time=lax",
        "trace=all",
        "stats=on",
        "rtc=253402300800",
        "rtc=",
        "on-reset=never",
        "hpet=maybe",
        "pvclock=yes",
        "tsc-deadline=",
        "x2apic=yes",
    };
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        char line[80];

        snprintf(line, sizeof(line), "vm=a %s", wrong[i]);
        assert_int_equal(PARSE(line), 1);
        assert_true(vms[0].refused);
        assert_non_null(strstr(vms[0].reason, wrong[i]));
        assert_non_null(strstr(vms[0].reason, "module 1: wrong value"));
    }
}

static void bad_names_become_refused_vms(void **state)
{
    static const char *const names[] = {"vm=", "vm=a.b", "vm=a/b", "vm=12345678901234567", "vm=\xc3\xa4"};
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        assert_int_equal(PARSE("vm=ok", names[i]), 2);
        assert_false(vms[0].refused);
        assert_true(vms[1].refused);
        assert_string_equal(vms[1].name, "module2");
        assert_non_null(strstr(vms[1].reason, "module 2: wrong value in 'vm="));
        assert_non_null(strstr(said, vms[1].reason));
    }
    assert_int_equal(PARSE("vm=1234567890123456"), 1);
    assert_false(vms[0].refused);
}

/* The monitor's `set` takes the words of a VM's time, and can undo what the start said. */
static void what_may_change_live(void **state)
{
    struct vm_config vm = {0};
    struct settings_line line = {.vm = &vm};
    char why[VM_REASON_MAX];
    unsigned int live = 0;

    (void)state;
    for (unsigned int i = 0; i < vm_settings_count; i++)
        live += settings_live(vm_settings[i].name);
    assert_int_equal(live, 8);
    assert_true(settings_live("progress=1us"));
    assert_false(settings_live("mem=1G"));
    assert_false(settings_live("time=strict"));
    assert_false(settings_live("k"));
    for (unsigned int fixed = 0; fixed < 2; fixed++) {
        uint32_t given = 0;

        vm.time.fixed = !fixed;
        assert_true(words_apply(vm_settings, vm_settings_count, &line, &given,
                                fixed ? "catchup=3/2" : "catchup=adaptive", why, sizeof why));
        assert_int_equal(vm.time.fixed, fixed);
    }
}

static void modules_without_a_vm(void **state)
{
    (void)state;
    assert_int_equal(PARSE("mem=64M", "", "wm=x", "vm=module1"), 4);
    assert_string_equal(vms[0].name, "module1");
    assert_string_equal(vms[0].reason, "module 1: no vm=NAME says which VM it is for");
    assert_string_equal(vms[1].name, "module2");
    assert_string_equal(vms[2].reason, "module 3: unknown setting 'wm=x' (did you mean vm=?)");
    /* A made-up name is nobody's: who has it rightfully starts. */
    assert_string_equal(vms[3].name, "module1");
    assert_false(vms[3].refused);
}

static void two_vms_of_one_name(void **state)
{
    (void)state;
    assert_int_equal(PARSE("vm=a", "vm=b", "vm=a"), 2);
    assert_true(vms[0].refused);
    assert_string_equal(vms[0].reason,
                        "module 3: this VM's name has a kernel already (is this its initrd or a module?)");
    assert_false(vms[1].refused);
}

static void a_kernel_may_come_after_its_initrd(void **state)
{
    (void)state;
    assert_int_equal(PARSE("vm=a initrd", "vm=b", "vm=a mem=128M"), 2);
    assert_false(vms[0].refused);
    assert_ptr_equal(vms[0].image, bytes + 2);
    assert_int_equal(vms[0].image_module, 3);
    assert_int_equal(vms[0].first_module, 1);
    assert_ptr_equal(vms[0].initrd, bytes);
    assert_int_equal(vms[0].mem, 128 << 20);
    PARSE("vm=a initrd", "vm=a", "vm=a initrd");
    assert_string_equal(vms[0].reason, "module 3: this VM has an initrd already");
    /* Settings may stand on any line of a VM, but once. */
    PARSE("vm=a mem=64M", "vm=a initrd mem=32M");
    assert_string_equal(vms[0].reason, "module 2: 'mem=32M': mem= is given twice");
}

static void modules_in_order(void **state)
{
    const char *many[2 + VM_MAX_MODULES];
    unsigned int i;

    (void)state;
    assert_int_equal(PARSE("vm=a -- k", "vm=a module -- one  1", "vm=a module --", "vm=a module"), 1);
    assert_false(vms[0].refused);
    assert_int_equal(vms[0].nmodules, 3);
    assert_string_equal(vms[0].modules[0].cmdline, "one  1");
    assert_ptr_equal(vms[0].modules[1].data, bytes + 2);
    assert_int_equal(vms[0].modules[1].size, 102);
    assert_string_equal(vms[0].modules[1].cmdline, "");
    assert_string_equal(vms[0].modules[2].cmdline, "");
    many[0] = "vm=a";
    for (i = 1; i < 2 + VM_MAX_MODULES; i++)
        many[i] = "vm=a module";
    assert_int_equal(parse_as(false, many, 1 + VM_MAX_MODULES), 1);
    assert_false(vms[0].refused);
    parse_as(false, many, 2 + VM_MAX_MODULES);
    assert_string_equal(vms[0].reason, "module 18: this VM has more than 16 modules");
}

/* The guest's words are its own: blanks, quotes and another `--` stay. */
static void guest_words_are_untouched(void **state)
{
    (void)state;
    PARSE("  vm=a \t mem=4M  --   a=\"b c\"  -- mem=1 ");
    assert_false(vms[0].refused);
    assert_int_equal(vms[0].mem, 4 << 20);
    assert_string_equal(vms[0].cmdline, "a=\"b c\"  -- mem=1 ");
    PARSE("vm=a --x");
    assert_true(vms[0].refused);
}

/* QEMU puts the file's name first. */
static void qemu_names_are_stripped(void **state)
{
    static const char *const qemu_lines[] = {"/tmp/my.elf vm=a mem=4M -- x", "vm=a vm=b", "file"};

    (void)state;
    assert_int_equal(parse_as(true, qemu_lines, 3), 3);
    assert_false(vms[0].refused);
    assert_string_equal(vms[0].image_name, "/tmp/my.elf");
    assert_string_equal(vms[0].cmdline, "x");
    assert_string_equal(vms[1].name, "b");
    assert_string_equal(vms[1].image_name, "vm=a");
    assert_true(vms[2].refused);
    assert_string_equal(vms[2].name, "module3");
}

static void too_many_vms(void **state)
{
    static const char *const many[] = {"vm=a", "vm=b", "vm=c", "vm=d", "vm=e",
                                       "vm=f", "vm=g", "vm=h", "vm=i", "x"};

    (void)state;
    assert_int_equal(parse_as(false, many, 10), MAX_VMS);
    assert_false(vms[7].refused);
    assert_string_equal(said, "module 9: left out, there are 8 VMs already\n"
                              "module 10: left out, there are 8 VMs already\n");
    assert_int_equal(config_parse_modules(vms, MAX_VMS, NULL, 0, false, complain), 0);
}

static struct global_config global(const char *words, bool strip)
{
    static char line[256];
    struct global_config g;

    said[0] = '\0';
    snprintf(line, sizeof(line), "%s", words);
    config_parse_global(&g, line, strip, complain);
    return g;
}

/* Host builds are debug builds: DESIGN.md's inject= is there. */
static void faults_to_inject(void **state)
{
    (void)state;
    assert_int_equal(global("inject=nmi", false).inject, 1u << INJECT_NMI);
    assert_int_equal(global("inject=tsc-back,write-text,nmi", false).inject,
                     1u << INJECT_TSC_BACK | 1u << INJECT_WRITE_TEXT | 1u << INJECT_NMI);
    assert_int_equal(global("inject=serial-dead", false).inject, 1u << INJECT_SERIAL_DEAD);
    assert_string_equal(said, "");
    global("inject=nmi,,stall", false);
    assert_non_null(strstr(said, "inject=nmi,,stall"));
    global("inject=a-word-that-is-too-long-for-any", false);
    assert_non_null(strstr(said, "inject="));
    global("watchdog=1ms", false);
    assert_non_null(strstr(said, "watchdog="));
}

static void global_settings_are_parsed(void **state)
{
    struct global_config g = global("", false);

    (void)state;
    assert_int_equal(g.slice_ns, 10000000);
    assert_true(g.boost);
    assert_false(g.halt_on_empty);
    assert_int_equal(g.trace, TRACE_SETTING_ON);
    assert_int_equal(g.trace_bytes, 1 << 20);
    g = global("trace=dump trace-buffer=64K", false);
    assert_int_equal(g.trace, TRACE_SETTING_DUMP);
    assert_int_equal(g.trace_bytes, 65536);
    assert_int_equal(g.mitigations, MITIGATIONS_AUTO);
    assert_int_equal(g.watchdog_ns, 10000000000);
    assert_int_equal(g.inject, 0);
    assert_int_equal(global("watchdog=500ms", false).watchdog_ns, 500000000);
    assert_int_equal(global("watchdog=off", false).watchdog_ns, 0);
    assert_int_equal(global("mitigations=off", false).mitigations, MITIGATIONS_OFF);
    assert_int_equal(global("mitigations=all", false).mitigations, MITIGATIONS_ALL);
    g = global("trace-buffer=100K trace-buffer=32K trace=yes", false);
    assert_int_equal(g.trace, TRACE_SETTING_ON);
    assert_int_equal(g.trace_bytes, 1 << 20);
    assert_int_equal(g.processors, 0);
    g = global("processors=0 processors=65 processors=two", false);
    assert_int_equal(g.processors, 0);
    g = global("processors=2", false);
    assert_int_equal(g.processors, 2);
    g = global("slice=250us boost=off on-empty=halt", false);
    assert_int_equal(g.slice_ns, 250000);
    assert_false(g.boost);
    assert_true(g.halt_on_empty);
    g = global("build/escapement.elf slice=5ms boost=on on-empty=end", true);
    assert_int_equal(g.slice_ns, 5000000);
    assert_true(g.boost);
    assert_string_equal(said, "");
}

static void wrong_global_words_are_named_and_left_out(void **state)
{
    struct global_config g = global("slise=5ms slice=0 boost=maybe on-empty=end zzz", false);

    (void)state;
    assert_int_equal(g.slice_ns, 10000000);
    assert_string_equal(said,
                        "command line: unknown setting 'slise=5ms' (did you mean slice=?)\n"
                        "command line: wrong value in 'slice=0' (slice= takes a time from 100us to 10s)\n"
                        "command line: wrong value in 'boost=maybe' (boost=on|off)\n"
                        "command line: unknown setting 'zzz'\n");
    g = global("slice=99us", false);
    assert_int_equal(g.slice_ns, 10000000);
    g = global("slice=11s", false);
    assert_int_equal(g.slice_ns, 10000000);
}

/* Any bytes: every VM comes out with a name and, when refused, with a reason of one line. */
static void random_words(void **state)
{
    static const char *const bits[] = {"vm=",      "a",      "b",    " ",  "mem=", "64M", "--",
                                       "initrd",   "module", "=",    "\t", "k1=",  "9",   "us",
                                       "catchup=", "/",      "\x80", "-",  "cpus="};
    unsigned int seed = 1;
    unsigned int round, i;

    (void)state;
    for (round = 0; round < 3000; round++) {
        struct boot_module modules[3];
        char *heap[3];
        unsigned int n;

        said[0] = '\0';
        for (i = 0; i < 3; i++) {
            char line[128] = "";
            unsigned int words = (unsigned int)rand_r(&seed) % 12;

            while (words-- > 0)
                strcat(line, bits[(unsigned int)rand_r(&seed) % (sizeof(bits) / sizeof(bits[0]))]);
            heap[i] = strdup(line);
            modules[i] = (struct boot_module){.data = bytes, .size = 1, .words = heap[i]};
        }
        n = config_parse_modules(vms, MAX_VMS, modules, 3, round % 2 == 0, complain);
        assert_true(n >= 1 && n <= 3);
        for (i = 0; i < n; i++) {
            assert_true(strlen(vms[i].name) >= 1 && strlen(vms[i].name) <= VM_NAME_MAX);
            assert_true(!vms[i].refused || strncmp(vms[i].reason, "module ", 7) == 0);
            assert_true(vms[i].refused || vms[i].image != NULL);
        }
        for (i = 0; i < 3; i++)
            free(heap[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults),
        cmocka_unit_test(the_design_example),
        cmocka_unit_test(every_setting),
        cmocka_unit_test(time_and_missed),
        cmocka_unit_test(pins),
        cmocka_unit_test(ways_to_monitor),
        cmocka_unit_test(wrong_words_are_named),
        cmocka_unit_test(wrong_values),
        cmocka_unit_test(bad_names_become_refused_vms),
        cmocka_unit_test(modules_without_a_vm),
        cmocka_unit_test(what_may_change_live),
        cmocka_unit_test(two_vms_of_one_name),
        cmocka_unit_test(a_kernel_may_come_after_its_initrd),
        cmocka_unit_test(modules_in_order),
        cmocka_unit_test(guest_words_are_untouched),
        cmocka_unit_test(qemu_names_are_stripped),
        cmocka_unit_test(too_many_vms),
        cmocka_unit_test(global_settings_are_parsed),
        cmocka_unit_test(faults_to_inject),
        cmocka_unit_test(wrong_global_words_are_named_and_left_out),
        cmocka_unit_test(random_words),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
