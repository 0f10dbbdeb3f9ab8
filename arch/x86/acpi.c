/* ACPI tables and S5 (ACPI specification 6.4: 5.2.5 RSDP, 5.2.9 FADT, 7.4.2 _Sx; ACPI hardware 4.8.3.2 PM1
 * control). */
#include "arch/x86/acpi.h"

#include <stddef.h>

#include "arch/x86/cpu.h"
#include "arch/x86/paging.h"
#include "vmm/string.h"

#define RSDP_V1_LENGTH 20u
#define BDA_EBDA       0x40eu /* real-mode segment of the extended BIOS data area */
#define BIOS_START     0xe0000u
#define BIOS_LENGTH    0x20000u
#define TABLE_MAX      (4u << 20) /* nobody's DSDT is longer */

struct __attribute__((packed)) rsdp {
    char signature[8];
    uint8_t checksum;
    char oem_id[6];
    uint8_t revision;
    uint32_t rsdt;
    uint32_t length;
    uint64_t xsdt;
    uint8_t extended_checksum;
    uint8_t reserved[3];
};
_Static_assert(sizeof(struct rsdp) == BOOT_RSDP_MAX, "ACPI 5.2.5.3");

struct __attribute__((packed)) table_header {
    char signature[4];
    uint32_t length;
    uint8_t revision;
    uint8_t checksum;
    char oem_id[6];
    char oem_table_id[8];
    uint32_t oem_revision;
    uint32_t creator_id;
    uint32_t creator_revision;
};
_Static_assert(sizeof(struct table_header) == 36, "ACPI 5.2.6");

/* Offsets in the FADT (table 5.33). */
enum {
    FADT_DSDT = 40,
    FADT_SMI_CMD = 48,
    FADT_ACPI_ENABLE = 52,
    FADT_PM1A_CNT = 64,
    FADT_PM1B_CNT = 68,
    FADT_PM_TMR = 76,
    FADT_X_DSDT = 140,
    FADT_V1_LENGTH = 116,
    FADT_V2_LENGTH = 148,
};

#define PM1_SCI_EN        (1u << 0)
#define PM1_SLP_TYP_SHIFT 10
#define PM1_SLP_TYP_MASK  (7u << PM1_SLP_TYP_SHIFT)
#define PM1_SLP_EN        (1u << 13)

#define AML_ZERO    0x00
#define AML_ONE     0x01
#define AML_BYTE    0x0a
#define AML_PACKAGE 0x12

static char oem_id[7];
static const struct rsdp *root;
static uint16_t pm_timer; /* port, 0: none */

/* What power-off writes, worked out at start: a panic may not go looking through tables. */
static struct {
    bool known;
    uint16_t pm1a, pm1b, smi_cmd;
    uint8_t enable, type_a, type_b;
} s5;

static bool sums_to_zero(const void *p, size_t n)
{
    const uint8_t *b = p;
    uint8_t sum = 0;

    for (size_t i = 0; i < n; i++)
        sum = (uint8_t)(sum + b[i]);
    return sum == 0;
}

static uint32_t read32(const uint8_t *p)
{
    uint32_t v;

    memcpy(&v, p, sizeof v);
    return v;
}

static uint64_t read64(const uint8_t *p)
{
    uint64_t v;

    memcpy(&v, p, sizeof v);
    return v;
}

static bool is_rsdp(const void *p)
{
    return memcmp(p, "RSD PTR ", 8) == 0 && sums_to_zero(p, RSDP_V1_LENGTH);
}

static const struct rsdp *scan(uint64_t phys, size_t length)
{
    const uint8_t *p = map_firmware(phys, length);

    for (size_t i = 0; i + sizeof(struct rsdp) <= length; i += 16) {
        if (is_rsdp(p + i))
            return (const struct rsdp *)(p + i);
    }
    return NULL;
}

static const struct rsdp *find_rsdp(const struct boot_info *boot)
{
    const struct rsdp *found = NULL;
    const uint8_t *bda;
    uint16_t segment;

    if (boot->rsdp_length >= RSDP_V1_LENGTH && is_rsdp(boot->rsdp))
        return (const struct rsdp *)boot->rsdp;
    bda = map_firmware(BDA_EBDA, sizeof segment);
    memcpy(&segment, bda, sizeof segment);
    if (segment >= 0x8000 && segment < 0xa000) /* where PCs have it, if they have one */
        found = scan((uint64_t)segment << 4, 1024);
    return found ? found : scan(BIOS_START, BIOS_LENGTH);
}

/* A whole table, or NULL if it is not one. */
static const struct table_header *map_table(uint64_t phys)
{
    const struct table_header *h = phys ? map_firmware(phys, sizeof *h) : NULL;

    if (!h || h->length < sizeof *h || h->length > TABLE_MAX || !map_firmware(phys, h->length))
        return NULL;
    return sums_to_zero(h, h->length) ? h : NULL;
}

const void *acpi_table(const char signature[4], uint32_t *length)
{
    bool wide = root && root->revision >= 2 && root->xsdt;
    const struct table_header *list = root ? map_table(wide ? root->xsdt : root->rsdt) : NULL;
    uint32_t step = wide ? 8 : 4;

    for (uint32_t at = sizeof *list; list && at + step <= list->length; at += step) {
        const uint8_t *entry = (const uint8_t *)list + at;
        const struct table_header *h = map_table(wide ? read64(entry) : read32(entry));

        if (h && memcmp(h->signature, signature, 4) == 0) {
            *length = h->length;
            return h;
        }
    }
    return NULL;
}

/* One small integer of AML; *at moves on. False if it is something else. */
static bool aml_integer(const uint8_t *aml, size_t length, size_t *at, uint8_t *value)
{
    if (*at + 1 >= length)
        return false;
    switch (aml[*at]) {
    case AML_ZERO:
    case AML_ONE:
        *value = aml[(*at)++];
        return true;
    case AML_BYTE:
        *value = aml[*at + 1];
        *at += 2;
        return true;
    default:
        return false;
    }
}

/* Name(_S5_, Package() {a, b, ...}) without an AML interpreter: the name, PackageOp, PkgLength (20.2.4), the
 * number of elements, the elements. */
static bool find_s5(const uint8_t *aml, size_t length)
{
    for (size_t i = sizeof(struct table_header); i + 8 < length; i++) {
        size_t at = i + 5;

        if (memcmp(aml + i, "_S5_", 4) != 0 || aml[i + 4] != AML_PACKAGE)
            continue;
        at += 1u + (aml[at] >> 6); /* PkgLength's own bytes */
        at += 1;                   /* number of elements */
        if (!aml_integer(aml, length, &at, &s5.type_a))
            return false;
        if (!aml_integer(aml, length, &at, &s5.type_b))
            s5.type_b = s5.type_a;
        return true;
    }
    return false;
}

static void read_fadt(void)
{
    uint32_t length;
    const uint8_t *fadt = acpi_table("FACP", &length);
    const struct table_header *dsdt = NULL;

    if (!fadt || length < FADT_V1_LENGTH)
        return;
    if (length >= FADT_V2_LENGTH)
        dsdt = map_table(read64(fadt + FADT_X_DSDT));
    if (!dsdt)
        dsdt = map_table(read32(fadt + FADT_DSDT));
    pm_timer = (uint16_t)read32(fadt + FADT_PM_TMR);
    s5.pm1a = (uint16_t)read32(fadt + FADT_PM1A_CNT);
    s5.pm1b = (uint16_t)read32(fadt + FADT_PM1B_CNT);
    s5.smi_cmd = (uint16_t)read32(fadt + FADT_SMI_CMD);
    s5.enable = fadt[FADT_ACPI_ENABLE];
    s5.known = dsdt && s5.pm1a && find_s5((const uint8_t *)dsdt, dsdt->length);
}

void acpi_init(const struct boot_info *boot)
{
    root = find_rsdp(boot);
    if (!root)
        return;
    memcpy(oem_id, root->oem_id, sizeof root->oem_id);
    read_fadt();
}

const char *acpi_oem_id(void)
{
    return oem_id;
}

uint16_t acpi_pm_timer_port(void)
{
    return pm_timer;
}

static void sleep(uint16_t port, uint8_t type)
{
    uint16_t v = (uint16_t)(inw(port) & ~(PM1_SLP_TYP_MASK | PM1_SLP_EN));

    v = (uint16_t)(v | ((uint32_t)type << PM1_SLP_TYP_SHIFT & PM1_SLP_TYP_MASK));
    outw(port, v);
    outw(port, (uint16_t)(v | PM1_SLP_EN));
}

void acpi_power_off(void)
{
    if (!s5.known)
        return;
    if (!(inw(s5.pm1a) & PM1_SCI_EN) && s5.smi_cmd && s5.enable) {
        outb(s5.smi_cmd, s5.enable);
        /* The firmware's SMI handler answers, if it is alive. */
        for (unsigned int polls = 0; polls < 100000 && !(inw(s5.pm1a) & PM1_SCI_EN); polls++)
            cpu_pause();
    }
    sleep(s5.pm1a, s5.type_a);
    if (s5.pm1b)
        sleep(s5.pm1b, s5.type_b);
    /* It takes real machines a moment. */
    for (unsigned int polls = 0; polls < 1000000; polls++)
        inb(0x80);
}
