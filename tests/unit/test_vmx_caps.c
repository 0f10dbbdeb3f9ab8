/* links: arch/x86/vmx/caps.c */
/* Control words from the capability MSRs (SDM vol. 3, appendix A), refusals, the preemption timer (26.5.1).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "arch/x86/msr.h"
#include "arch/x86/vmx/caps.h"
#include "arch/x86/vmx/controls.h"

/* A processor that allows everything and fixes only the default settings that have no TRUE relief. */
static struct vmx_msrs generous(void)
{
    return (struct vmx_msrs){
        .basic = 0x12u | 1ull << 55,
        .pin = 0xffffffff00000016u,
        .proc = 0xffffffff04006172u,
        .proc2 = 0xffffffff00000000u,
        .exit = 0xffffffff00036dfbu,
        .entry = 0xffffffff000011fbu,
        .misc = 5,
        .cr0_fixed0 = 0x80000021,
        .cr0_fixed1 = 0xffffffff,
        .cr4_fixed0 = 0x2000,
        .cr4_fixed1 = 0x3767ff,
        .ept_vpid = EPT_CAP_WALK_4 | EPT_CAP_WB | EPT_CAP_2M | EPT_CAP_INVEPT | EPT_CAP_INVEPT_SINGLE |
                    EPT_CAP_INVEPT_ALL | VPID_CAP_INVVPID | VPID_CAP_INVVPID_SINGLE,
    };
}

static void allow(uint64_t *msr, uint32_t bits, int may)
{
    if (may)
        *msr |= (uint64_t)bits << 32;
    else
        *msr &= ~((uint64_t)bits << 32);
}

/* IA32_FEATURE_CONTROL counts when it is locked; otherwise VMXON is ours to allow (24.7). */
static void locked_by_the_firmware(void **state)
{
    struct vmx_msrs m = generous();
    struct vmx_caps c;
    char why[100] = "";
    (void)state;
    m.feature_control = FEATURE_CONTROL_LOCK;
    assert_false(vmx_caps_resolve(&m, &c, why, sizeof(why)));
    assert_non_null(strstr(why, "firmware has locked it off (enable it in the set-up)"));
    m.feature_control = FEATURE_CONTROL_LOCK | FEATURE_CONTROL_VMX_IN_SMX;
    assert_false(vmx_caps_resolve(&m, &c, why, sizeof(why)));
    m.feature_control = 0;
    assert_true(vmx_caps_resolve(&m, &c, why, sizeof(why)));
    m.feature_control = FEATURE_CONTROL_LOCK | FEATURE_CONTROL_VMX_OUTSIDE_SMX;
    assert_true(vmx_caps_resolve(&m, &c, why, sizeof(why)));
}

static void words_are_required_or_wanted_or_forced(void **state)
{
    (void)state;
    const struct vmx_msrs m = generous();
    struct vmx_caps c;
    char why[100] = "";
    assert_true(vmx_caps_resolve(&m, &c, why, sizeof(why)));
    assert_string_equal(why, "");
    assert_int_equal(c.revision, 0x12);
    assert_int_equal(c.pin,
                     0x16 | PIN_EXTERNAL_INTERRUPT | PIN_NMI | PIN_VIRTUAL_NMIS | PIN_PREEMPTION_TIMER);
    assert_int_equal(c.proc2, PROC2_EPT | PROC2_UNRESTRICTED | PROC2_WBINVD | PROC2_RDTSCP | PROC2_VPID |
                                  PROC2_ENCLS | PROC2_TSC_SCALING);
    assert_false(c.proc2 & PROC2_INVPCID); /* hidden: #UD (vol. 3, 26.1.3) */
    /* For VMs of several vCPUs only. */
    assert_int_equal(c.pause_proc2, PROC2_PAUSE_LOOP);
    assert_int_equal(c.pause_proc, 0);
    /* External interrupts stay pending at an exit: no acknowledge-on-exit (bit 15). */
    assert_int_equal(c.exit & (1u << 15), 0);
    assert_int_equal(c.exit & EXIT_CTL_HOST_64, EXIT_CTL_HOST_64);
    assert_int_equal(c.timer_rate, 5);
    assert_true(c.ept_2m);
    assert_int_equal(c.ept_flags, 6 | 3 << 3);
    assert_int_equal(c.invept_type, 1);
    assert_int_equal(c.invvpid_type, 1);
}

/* Windows and RDTSC exiting must be possible, and are off to begin with. */
static void dynamic_controls_start_off(void **state)
{
    (void)state;
    const struct vmx_msrs m = generous();
    struct vmx_caps c;
    char why[100];
    assert_true(vmx_caps_resolve(&m, &c, why, sizeof(why)));
    assert_int_equal(c.proc & (PROC_IRQ_WINDOW | PROC_NMI_WINDOW | PROC_RDTSC), 0);
    assert_int_equal(c.proc & (PROC_INVLPG | PROC_CR3_LOAD | PROC_CR3_STORE | PROC_MOV_DR), 0);
    const uint32_t on = PROC_HLT | PROC_IO_BITMAPS | PROC_MSR_BITMAPS | PROC_SECONDARY | PROC_TSC_OFFSETING |
                        PROC_CR8_LOAD | PROC_CR8_STORE | PROC_MONITOR | PROC_MWAIT | PROC_RDPMC;
    assert_int_equal(c.proc & on, on);
}

static void each_missing_requirement_is_named(void **state)
{
    (void)state;
    static const struct {
        size_t word; /* offset in struct vmx_msrs */
        uint32_t bit;
        const char *why;
    } cases[] = {
        {offsetof(struct vmx_msrs, proc2), PROC2_EPT, "VMX present, but no EPT (secondary control bit 1)"},
        {offsetof(struct vmx_msrs, proc2), PROC2_UNRESTRICTED,
         "VMX present, but no unrestricted guest (secondary control bit 7)"},
        {offsetof(struct vmx_msrs, proc2), PROC2_WBINVD,
         "VMX present, but no WBINVD exiting (secondary control bit 6)"},
        {offsetof(struct vmx_msrs, proc), PROC_MSR_BITMAPS,
         "VMX present, but no MSR bitmaps (primary control bit 28)"},
        {offsetof(struct vmx_msrs, proc), PROC_IRQ_WINDOW,
         "VMX present, but no interrupt-window exiting (primary control bit 2)"},
        {offsetof(struct vmx_msrs, pin), PIN_VIRTUAL_NMIS,
         "VMX present, but no virtual NMIs (pin-based control bit 5)"},
        {offsetof(struct vmx_msrs, exit), EXIT_CTL_LOAD_EFER,
         "VMX present, but no load IA32_EFER (VM-exit control bit 21)"},
        {offsetof(struct vmx_msrs, entry), ENTRY_CTL_LOAD_PAT,
         "VMX present, but no load IA32_PAT (VM-entry control bit 14)"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct vmx_msrs m = generous();
        struct vmx_caps c;
        char why[100] = "";
        allow((uint64_t *)(void *)((char *)&m + cases[i].word), cases[i].bit, 0);
        assert_false(vmx_caps_resolve(&m, &c, why, sizeof(why)));
        assert_string_equal(why, cases[i].why);
    }
}

/* Penryn: no secondary controls that matter. A person wants to read "EPT" first, whatever else is missing. */
static void ept_is_named_first(void **state)
{
    (void)state;
    struct vmx_msrs m = generous();
    struct vmx_caps c;
    char why[100] = "";
    m.proc2 = 0;
    m.ept_vpid = 0;
    m.proc = 0;
    m.entry = 0;
    assert_false(vmx_caps_resolve(&m, &c, why, sizeof(why)));
    assert_string_equal(why, "VMX present, but no EPT (secondary control bit 1)");
}

static void ept_capabilities_are_checked(void **state)
{
    (void)state;
    static const uint64_t needed[] = {EPT_CAP_WALK_4, EPT_CAP_WB, EPT_CAP_INVEPT};
    static const char *const names[] = {"bit 6)", "bit 14)", "bit 20)"};
    for (size_t i = 0; i < 3; i++) {
        struct vmx_msrs m = generous();
        struct vmx_caps c;
        char why[100] = "";
        m.ept_vpid &= ~needed[i];
        assert_false(vmx_caps_resolve(&m, &c, why, sizeof(why)));
        assert_non_null(strstr(why, names[i]));
    }
}

static void fallbacks(void **state)
{
    (void)state;
    struct vmx_msrs m = generous();
    struct vmx_caps c;
    char why[100] = "";
    m.ept_vpid &= ~(EPT_CAP_2M | EPT_CAP_INVEPT_SINGLE | VPID_CAP_INVVPID_SINGLE);
    allow(&m.pin, PIN_PREEMPTION_TIMER, 0);
    allow(&m.proc2, PROC2_RDTSCP | PROC2_INVPCID | PROC2_ENCLS | PROC2_TSC_SCALING | PROC2_PAUSE_LOOP, 0);
    assert_true(vmx_caps_resolve(&m, &c, why, sizeof(why)));
    assert_int_equal(c.pause_proc2, 0);
    assert_int_equal(c.pause_proc, PROC_PAUSE);
    assert_false(c.ept_2m);
    assert_int_equal(c.invept_type, 2);
    /* VPIDs that cannot be flushed are worse than none. */
    assert_int_equal(c.proc2, PROC2_EPT | PROC2_UNRESTRICTED | PROC2_WBINVD);
    assert_int_equal(c.pin & PIN_PREEMPTION_TIMER, 0);
}

/* The timer fires at the first change of TSC bit `rate` that is not before the deadline. */
static void timer_value_is_exact(void **state)
{
    (void)state;
    assert_int_equal(vmx_timer_value(100, 100, 5), 0);
    assert_int_equal(vmx_timer_value(100, 99, 0), 0);
    assert_int_equal(vmx_timer_value(100, 101, 0), 1);
    assert_int_equal(vmx_timer_value(96, 128, 5), 1);
    assert_int_equal(vmx_timer_value(127, 128, 5), 1);
    assert_int_equal(vmx_timer_value(127, 129, 5), 2);
    assert_int_equal(vmx_timer_value(96, 97, 5), 1);
    for (uint64_t now = 1000; now < 1100; now++) {
        for (uint64_t deadline = now + 1; deadline < now + 100; deadline++) {
            const uint64_t fires = ((now >> 5) + vmx_timer_value(now, deadline, 5)) << 5;
            assert_true(fires >= deadline && fires - deadline < 32);
        }
    }
}

static void timer_value_is_capped(void **state)
{
    (void)state;
    assert_int_equal(vmx_timer_value(0, UINT64_MAX, 0), UINT32_MAX);
    assert_int_equal(vmx_timer_value(1, UINT64_MAX, 31), UINT32_MAX);
    assert_int_equal(vmx_timer_value(0, 0x100000000ull, 0), UINT32_MAX);
    assert_int_equal(vmx_timer_value(UINT64_MAX - 40, UINT64_MAX, 5), 2);
}

/* A difference in any byte of any member, and in none of the padding, of which there is only at the end. */
static void all_members_are_compared(void **state)
{
    const size_t end = offsetof(struct vmx_caps, ept_2m) + 1;
    union {
        struct vmx_caps caps;
        uint8_t bytes[sizeof(struct vmx_caps)];
    } a = {0}, b = {0};

    (void)state;
    for (size_t i = 0; i < sizeof(b.bytes); i++) {
        b.bytes[i] = 1;
        assert_true(vmx_caps_same(&a.caps, &b.caps) == (i >= end));
        assert_true(vmx_caps_same(&b.caps, &b.caps));
        b.bytes[i] = 0;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(locked_by_the_firmware),
        cmocka_unit_test(words_are_required_or_wanted_or_forced),
        cmocka_unit_test(dynamic_controls_start_off),
        cmocka_unit_test(each_missing_requirement_is_named),
        cmocka_unit_test(ept_is_named_first),
        cmocka_unit_test(ept_capabilities_are_checked),
        cmocka_unit_test(fallbacks),
        cmocka_unit_test(timer_value_is_exact),
        cmocka_unit_test(timer_value_is_capped),
        cmocka_unit_test(all_members_are_compared),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
