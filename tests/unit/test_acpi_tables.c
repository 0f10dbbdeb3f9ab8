/* vmm/acpi_tables.c, vmm/dsdt.c: the ACPI tables (ACPI 6.4, 5.2), and what iasl says of them, if it is
 * installed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/support/load_vm.h"
#include "vmm/acpi_pm.h"
#include "vmm/acpi_tables.h"

#define BASE 0xE0000u
#define SIZE 0x8000u

static uint8_t area[SIZE];

static uint32_t u32_at(uint32_t at)
{
    uint32_t v;

    assert_true(at <= SIZE - 4);
    memcpy(&v, area + at, sizeof(v));
    return v;
}

static uint64_t u64_at(uint32_t at)
{
    return u32_at(at) | (uint64_t)u32_at(at + 4) << 32;
}

static bool hpet_there = true;

static size_t build(unsigned int cpus)
{
    const struct acpi_config config = {.cpus = cpus, .ioapic_id = 5, .hpet = hpet_there};

    memset(area, 0xEE, sizeof(area));
    return acpi_tables_write(area, SIZE, BASE, &config);
}

/* The offset in `area` of the table of that signature, found as a guest finds it: by the XSDT. */
static uint32_t find(const char *signature)
{
    uint32_t xsdt = (uint32_t)u64_at(24) - BASE;
    uint32_t at;

    for (at = xsdt + 36; at < xsdt + u32_at(xsdt + 4); at += 8) {
        uint32_t table = (uint32_t)u64_at(at) - BASE;

        if (memcmp(area + table, signature, 4) == 0)
            return table;
    }
    fail_msg("no table %s", signature);
    return 0;
}

static void check_header(uint32_t at, const char *signature)
{
    assert_memory_equal(area + at, signature, 4);
    assert_true(u32_at(at + 4) >= 36 && u32_at(at + 4) <= SIZE - at);
    assert_true(sums_to_zero(area + at, u32_at(at + 4)));
}

/* 5.2.5: found on a 16-byte boundary; both checksums. 5.2.7, 5.2.8: both roots list the same tables. */
static void roots(void **state)
{
    uint32_t rsdt, xsdt, i, n;

    (void)state;
    assert_true(build(2) > 0);
    assert_memory_equal(area, "RSD PTR ", 8);
    assert_int_equal(area[15], 2);
    assert_int_equal(u32_at(20), 36);
    assert_true(sums_to_zero(area, 20));
    assert_true(sums_to_zero(area, 36));
    rsdt = u32_at(16) - BASE;
    xsdt = (uint32_t)u64_at(24) - BASE;
    check_header(rsdt, "RSDT");
    check_header(xsdt, "XSDT");
    n = (u32_at(rsdt + 4) - 36) / 4;
    assert_int_equal(n, 3);
    assert_int_equal((u32_at(xsdt + 4) - 36) / 8, n);
    for (i = 0; i < n; i++) {
        assert_int_equal(u32_at(rsdt + 36 + 4 * i), u64_at(xsdt + 36 + 8 * i));
        check_header(u32_at(rsdt + 36 + 4 * i) - BASE, i == 0 ? "FACP" : i == 1 ? "APIC" : "HPET");
    }
}

/* 5.2.9, table 5.9: offsets are the specification's. */
static void fadt(void **state)
{
    uint32_t at, facs, dsdt;

    (void)state;
    build(1);
    at = find("FACP");
    assert_int_equal(u32_at(at + 4), 244);
    facs = u32_at(at + 36) - BASE;
    dsdt = u32_at(at + 40) - BASE;
    assert_int_equal(facs % 64, 0);
    assert_memory_equal(area + facs, "FACS", 4);
    assert_int_equal(u32_at(facs + 4), 64);
    check_header(dsdt, "DSDT");
    assert_int_equal(u64_at(at + 132), facs + BASE);
    assert_int_equal(u64_at(at + 140), dsdt + BASE);
    assert_int_equal(area[at + 46], 9); /* SCI_INT */
    assert_int_equal(u32_at(at + 48), 0);
    assert_int_equal(u32_at(at + 56), ACPI_PM1A_EVT);
    assert_int_equal(u32_at(at + 64), ACPI_PM1A_CNT);
    assert_int_equal(u32_at(at + 76), ACPI_PM_TMR);
    assert_int_equal(u32_at(at + 80), 0); /* GPE0_BLK */
    assert_int_equal(area[at + 88], 4);
    assert_int_equal(area[at + 89], 2);
    assert_int_equal(area[at + 91], 4);
    assert_int_equal(area[at + 96], 101); /* no C2 */
    assert_int_equal(area[at + 108], 0x32);
    assert_int_equal(area[at + 109], 1); /* ISA devices, no keyboard controller */
    assert_int_equal(u32_at(at + 112),
                     0x565); /* WBINVD PROC_C1 SLP_BUTTON FIX_RTC TMR_VAL_EXT RESET_REG_SUP */
    assert_int_equal(u32_at(at + 116), 0x01000801);
    assert_int_equal(u64_at(at + 120), 0xCF9);
    assert_int_equal(area[at + 128], 6);
    assert_int_equal(u32_at(at + 148), 0x02002001);
    assert_int_equal(u64_at(at + 152), ACPI_PM1A_EVT);
    assert_int_equal(u32_at(at + 172), 0x02001001);
    assert_int_equal(u64_at(at + 176), ACPI_PM1A_CNT);
    assert_int_equal(u32_at(at + 208), 0x03002001);
    assert_int_equal(u64_at(at + 212), ACPI_PM_TMR);
}

/* 5.2.12 */
static void madt(void **state)
{
    static const uint8_t expected_tail[] = {
        1, 12, 5,    0, 0x00, 0x00, 0xC0, 0xFE, 0,  0, 0, 0, /* IOAPIC 5, first GSI 0 */
        2, 10, 0,    0, 2,    0,    0,    0,    0,  0,       /* IRQ 0 -> GSI 2 */
        2, 10, 0,    9, 9,    0,    0,    0,    13, 0,       /* IRQ 9: active high, level */
        4, 6,  0xFF, 0, 0,    1,                             /* NMI at LINT1 */
    };
    uint32_t at;
    unsigned int cpus, i;

    (void)state;
    for (cpus = 1; cpus <= 8; cpus++) {
        build(cpus);
        at = find("APIC");
        assert_int_equal(u32_at(at + 4), 44 + 8 * cpus + sizeof(expected_tail));
        assert_int_equal(u32_at(at + 36), 0xFEE00000);
        assert_int_equal(u32_at(at + 40), 1);
        for (i = 0; i < cpus; i++) {
            assert_int_equal(u32_at(at + 44 + 8 * i), i << 24 | i << 16 | 0x0800);
            assert_int_equal(u32_at(at + 48 + 8 * i), 1);
        }
        assert_memory_equal(area + at + 44 + 8 * cpus, expected_tail, sizeof(expected_tail));
    }
}

/* True if the table at `at` holds these bytes. */
static bool holds(uint32_t at, const void *bytes, size_t n)
{
    for (uint32_t i = at; i + n <= at + u32_at(at + 4); i++)
        if (memcmp(area + i, bytes, n) == 0)
            return true;
    return false;
}

/* IA-PC HPET Specification 1.0a, 3.2.4; PNP0103 in the DSDT (3.2.6). */
static void hpet(void **state)
{
    static const uint8_t memory[] = {0x86, 9, 0, 1, 0x00, 0x00, 0xD0, 0xFE, 0x00, 0x04, 0x00, 0x00};
    uint32_t at, dsdt, xsdt;

    (void)state;
    build(1);
    at = find("HPET");
    assert_int_equal(u32_at(at + 4), 56);
    assert_int_equal(area[at + 8], 1);
    assert_int_equal(u32_at(at + 36), 0x8086A201);
    assert_int_equal(u32_at(at + 40), 64 << 8); /* in memory, 64 bits wide */
    assert_int_equal(u64_at(at + 44), 0xFED00000);
    assert_int_equal(area[at + 52], 0);
    assert_int_equal(area[at + 53] | area[at + 54] << 8, 5000);
    assert_int_equal(area[at + 55], 0);
    dsdt = u32_at(find("FACP") + 40) - BASE;
    assert_true(holds(dsdt, memory, sizeof(memory)));
    assert_true(holds(dsdt, "\x41\xD0\x01\x03", 4));

    hpet_there = false;
    build(1);
    hpet_there = true;
    xsdt = (uint32_t)u64_at(24) - BASE;
    assert_int_equal(u32_at(xsdt + 4), 36 + 2 * 8);
    dsdt = u32_at(find("FACP") + 40) - BASE;
    assert_false(holds(dsdt, memory, sizeof(memory)));
}

/* 7.4.2: what a guest evaluates to power off. */
static void sleep_state(void **state)
{
    static const uint8_t s5[] = {0x08, 0x5C, '_', 'S',  '5', '_',  0x12, 0x4B, 0,
                                 4,    0x0A, 5,   0x0A, 5,   0x0A, 0,    0x0A, 0};
    uint32_t dsdt;

    (void)state;
    build(1);
    dsdt = u32_at(find("FACP") + 40) - BASE;
    assert_memory_equal(area + dsdt + 36, s5, sizeof(s5));
}

static void room_is_never_passed(void **state)
{
    const struct acpi_config config = {.cpus = 8, .ioapic_id = 5, .hpet = true};
    size_t used = build(8);
    size_t size;

    (void)state;
    for (size = 0; size <= used; size++) {
        uint8_t *p = malloc(size != 0 ? size : 1); /* of the very size, for ASan */

        assert_int_equal(acpi_tables_write(p, size, BASE, &config), size < used ? 0 : used);
        free(p);
    }
}

static void dump(const char *name, uint32_t at)
{
    FILE *f = fopen(name, "wb");

    assert_non_null(f);
    assert_int_equal(fwrite(area + at, 1, u32_at(at + 4), f), u32_at(at + 4));
    fclose(f);
}

/* Disassembles a table and compiles what came out: no errors, no warnings. */
static void check_with_iasl(const char *directory, const char *signature, uint32_t at)
{
    char name[64], command[512], line[256];
    bool clean = false;
    FILE *out;

    snprintf(name, sizeof(name), "%s/%s.aml", directory, signature);
    dump(name, at);
    snprintf(command, sizeof(command), "cd %s && iasl -d %s.aml 2>&1 && iasl -p again %s.dsl 2>&1", directory,
             signature, signature);
    out = popen(command, "r");
    assert_non_null(out);
    while (fgets(line, sizeof(line), out) != NULL) {
        if (strstr(line, "0 Errors, 0 Warnings") != NULL)
            clean = true;
        else if (strstr(line, "rror") != NULL || strstr(line, "arning") != NULL ||
                 strstr(line, "nvalid") != NULL)
            fail_msg("%s: %s", signature, line);
    }
    assert_int_equal(pclose(out), 0);
    assert_true(clean);
}

static void iasl_accepts_them(void **state)
{
    char directory[] = "/tmp/acpi-test-XXXXXX";
    char command[64];

    (void)state;
    if (system("command -v iasl >/dev/null 2>&1") != 0) {
        print_message("skipped: there is no iasl (package acpica-tools)\n");
        skip();
    }
    assert_non_null(mkdtemp(directory));
    build(8);
    check_with_iasl(directory, "DSDT", u32_at(find("FACP") + 40) - BASE);
    check_with_iasl(directory, "FACP", find("FACP"));
    check_with_iasl(directory, "APIC", find("APIC"));
    check_with_iasl(directory, "HPET", find("HPET"));
    snprintf(command, sizeof(command), "rm -r %s", directory);
    assert_int_equal(system(command), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(roots),
        cmocka_unit_test(fadt),
        cmocka_unit_test(madt),
        cmocka_unit_test(hpet),
        cmocka_unit_test(sleep_state),
        cmocka_unit_test(room_is_never_passed),
        cmocka_unit_test(iasl_accepts_them),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
