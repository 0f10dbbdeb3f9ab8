#include "vmm/acpi_tables.h"

#include "timers/hpet.h"
#include "vmm/acpi_pm.h"
#include "vmm/apic_message.h"
#include "vmm/blob.h"
#include "vmm/dsdt.h"
#include "vmm/ioapic.h"
#include "vmm/lapic.h"

#define TABLE_ALIGN 64u /* the FACS needs it (5.2.10); the others may have it */
#define RSDP_SIZE   36u

#define SCI_IRQ 9u

/* FADT fixed feature flags (table 5.10). The RTC has no wake status here, and there is no sleep button. */
#define FADT_WBINVD        (1u << 0)
#define FADT_PROC_C1       (1u << 2)
#define FADT_SLP_BUTTON    (1u << 5) /* 1: no fixed one */
#define FADT_FIX_RTC       (1u << 6) /* 1: no RTC wake status */
#define FADT_TMR_VAL_EXT   (1u << 8) /* the PM timer has 32 bits */
#define FADT_RESET_REG_SUP (1u << 10)
#define FADT_FLAGS                                                                                           \
    (FADT_WBINVD | FADT_PROC_C1 | FADT_SLP_BUTTON | FADT_FIX_RTC | FADT_TMR_VAL_EXT | FADT_RESET_REG_SUP)

/* IA-PC boot architecture (table 5.11): ISA devices are there; no keyboard controller; VGA text is there. */
#define BOOT_ARCH_LEGACY_DEVICES (1u << 0)

#define FADT_CENTURY  0x32u
#define FADT_NO_C2    101u  /* a latency above 100 us: no C2 */
#define FADT_NO_C3    1001u /* above 1000 us: no C3 */
#define FADT_REVISION 4u    /* ACPI 4.0's, 244 bytes: what came later describes nothing that is here */
#define FADT_LENGTH   244u

#define GAS_MEMORY 0u /* address spaces (5.2.3.2) */
#define GAS_IO     1u

/* Counts of the HPET's shortest period without lost interrupts: 50 us, progress='s default. */
#define HPET_MIN_TICK 5000u

/* MADT (5.2.12). */
#define MADT_PCAT_COMPAT 1u /* a PIC pair is there too */
#define MADT_LAPIC       0u
#define MADT_IOAPIC      1u
#define MADT_OVERRIDE    2u
#define MADT_LAPIC_NMI   4u
#define MPS_HIGH_LEVEL   0xDu /* polarity: active high; trigger: level (table 5.26) */

/* Addresses (guest-physical) of what other tables point to. */
struct places {
    uint32_t facs;
    uint32_t dsdt;
};

/* ---- headers ---- */

static size_t header_begin(struct blob *b, const char *signature, uint8_t revision)
{
    size_t at;

    blob_align(b, TABLE_ALIGN);
    at = b->used;
    blob_bytes(b, signature, 4);
    blob_u32(b, 0); /* length */
    blob_u8(b, revision);
    blob_u8(b, 0); /* checksum */
    blob_bytes(b, "ESCAPE", 6);
    blob_bytes(b, "ESCAPMNT", 8);
    blob_u32(b, 1); /* OEM revision */
    blob_bytes(b, "ESCP", 4);
    blob_u32(b, 1); /* creator revision */
    return at;
}

static void header_end(struct blob *b, size_t at)
{
    size_t length = b->used - at;

    blob_patch_u32(b, at + 4, (uint32_t)length);
    blob_checksum(b, at, length, at + 9);
}

/* Generic address structure of an I/O port; access: 1 byte, 2 word, 3 double word. */
static void gas_io(struct blob *b, uint8_t bits, uint8_t access, uint16_t port)
{
    blob_u8(b, GAS_IO);
    blob_u8(b, bits);
    blob_u8(b, 0);
    blob_u8(b, access);
    blob_u64(b, port);
}

static void gas_none(struct blob *b)
{
    blob_zeros(b, 12);
}

/* ---- the tables ---- */

/* 5.2.10: no waking vector, no lock held. */
static void facs(struct blob *b)
{
    blob_align(b, TABLE_ALIGN);
    blob_bytes(b, "FACS", 4);
    blob_u32(b, 64);
    blob_zeros(b, 24);
    blob_u8(b, 2); /* version */
    blob_zeros(b, 31);
}

static void fadt_32bit_part(struct blob *b, const struct places *at)
{
    blob_u32(b, at->facs);
    blob_u32(b, at->dsdt);
    blob_u8(b, 0); /* reserved */
    blob_u8(b, 0); /* preferred profile: unspecified */
    blob_u16(b, SCI_IRQ);
    blob_u32(b, 0);   /* SMI_CMD: always in ACPI mode */
    blob_zeros(b, 4); /* ACPI_ENABLE, ACPI_DISABLE, S4BIOS_REQ, PSTATE_CNT */
    blob_u32(b, ACPI_PM1A_EVT);
    blob_u32(b, 0); /* PM1b_EVT */
    blob_u32(b, ACPI_PM1A_CNT);
    blob_u32(b, 0); /* PM1b_CNT */
    blob_u32(b, 0); /* PM2_CNT */
    blob_u32(b, ACPI_PM_TMR);
    blob_zeros(b, 8); /* GPE0, GPE1 */
    blob_u8(b, ACPI_PM1A_EVT_LEN);
    blob_u8(b, ACPI_PM1A_CNT_LEN);
    blob_u8(b, 0); /* PM2_CNT_LEN */
    blob_u8(b, ACPI_PM_TMR_LEN);
    blob_zeros(b, 4); /* GPE lengths and base, CST_CNT */
    blob_u16(b, FADT_NO_C2);
    blob_u16(b, FADT_NO_C3);
    blob_zeros(b, 6); /* FLUSH_SIZE, FLUSH_STRIDE, DUTY_OFFSET, DUTY_WIDTH */
    blob_zeros(b, 2); /* DAY_ALRM, MON_ALRM */
    blob_u8(b, FADT_CENTURY);
    blob_u16(b, BOOT_ARCH_LEGACY_DEVICES);
    blob_u8(b, 0);
    blob_u32(b, FADT_FLAGS);
}

/* 5.2.9 */
static void fadt(struct blob *b, const struct acpi_config *config, const struct places *at)
{
    (void)config;
    fadt_32bit_part(b, at);
    gas_io(b, 8, 1, ACPI_RESET_PORT);
    blob_u8(b, ACPI_RESET_VALUE);
    blob_zeros(b, 3);
    blob_u64(b, at->facs);
    blob_u64(b, at->dsdt);
    gas_io(b, ACPI_PM1A_EVT_LEN * 8, 2, ACPI_PM1A_EVT);
    gas_none(b);
    gas_io(b, ACPI_PM1A_CNT_LEN * 8, 2, ACPI_PM1A_CNT);
    gas_none(b);
    gas_none(b); /* PM2_CNT */
    gas_io(b, ACPI_PM_TMR_LEN * 8, 3, ACPI_PM_TMR);
    gas_none(b); /* GPE0 */
    gas_none(b); /* GPE1 */
}

static void madt_override(struct blob *b, uint8_t irq, uint32_t gsi, uint16_t flags)
{
    blob_u8(b, MADT_OVERRIDE);
    blob_u8(b, 10);
    blob_u8(b, 0); /* ISA */
    blob_u8(b, irq);
    blob_u32(b, gsi);
    blob_u16(b, flags);
}

/* 5.2.12 */
static void madt(struct blob *b, const struct acpi_config *config, const struct places *at)
{
    unsigned int i;

    (void)at;
    blob_u32(b, LAPIC_DEFAULT_BASE);
    blob_u32(b, MADT_PCAT_COMPAT);
    for (i = 0; i < config->cpus; i++) {
        blob_u8(b, MADT_LAPIC);
        blob_u8(b, 8);
        blob_u8(b, (uint8_t)i); /* processor UID: the DSDT's */
        blob_u8(b, (uint8_t)i); /* APIC id */
        blob_u32(b, 1);         /* enabled */
    }
    blob_u8(b, MADT_IOAPIC);
    blob_u8(b, 12);
    blob_u8(b, config->ioapic_id);
    blob_u8(b, 0);
    blob_u32(b, (uint32_t)IOAPIC_BASE);
    blob_u32(b, 0); /* first GSI */
    madt_override(b, 0, 2, 0);
    madt_override(b, SCI_IRQ, SCI_IRQ, MPS_HIGH_LEVEL);
    blob_u8(b, MADT_LAPIC_NMI);
    blob_u8(b, 6);
    blob_u8(b, 0xFF); /* all processors */
    blob_u16(b, 0);
    blob_u8(b, 1); /* LINT1 */
}

static bool has_hpet(const struct acpi_config *config)
{
    return config->hpet;
}

/* IA-PC HPET Specification 1.0a, 3.2.4 */
static void hpet(struct blob *b, const struct acpi_config *config, const struct places *at)
{
    (void)config;
    (void)at;
    blob_u32(b, HPET_BLOCK_ID);
    blob_u8(b, GAS_MEMORY);
    blob_u8(b, 64);
    blob_zeros(b, 2); /* bit offset, access size: any */
    blob_u64(b, HPET_BASE);
    blob_u8(b, 0); /* the first and only one */
    blob_u16(b, HPET_MIN_TICK);
    blob_u8(b, 0); /* nothing is said of the rest of its page */
}

/* What RSDT and XSDT list. */
static const struct table {
    char signature[5];
    uint8_t revision;
    void (*body)(struct blob *b, const struct acpi_config *config, const struct places *at);
    bool (*there)(const struct acpi_config *config); /* NULL: always */
} tables[] = {
    {"FACP", FADT_REVISION, fadt, NULL},
    {"APIC", 3, madt, NULL},
    {"HPET", 1, hpet, has_hpet},
};
#define NTABLES (sizeof(tables) / sizeof(tables[0]))

/* 5.2.7, 5.2.8: the addresses of the tables, in 4 or 8 bytes. Returns its own. */
static uint32_t root_table(struct blob *b, uint32_t base, const char *signature, bool wide,
                           const uint32_t *at, size_t n)
{
    size_t header = header_begin(b, signature, 1);
    size_t i;

    for (i = 0; i < n; i++) {
        if (wide)
            blob_u64(b, at[i]);
        else
            blob_u32(b, at[i]);
    }
    header_end(b, header);
    return base + (uint32_t)header;
}

/* 5.2.5.3, revision 2, at the start of the blob, where room was left for it. */
static void rsdp(struct blob *b, uint32_t rsdt, uint32_t xsdt)
{
    struct blob r = {.mem = b->mem, .size = RSDP_SIZE};

    blob_bytes(&r, "RSD PTR ", 8);
    blob_u8(&r, 0); /* checksum of the first 20 bytes */
    blob_bytes(&r, "ESCAPE", 6);
    blob_u8(&r, 2);
    blob_u32(&r, rsdt);
    blob_u32(&r, RSDP_SIZE);
    blob_u64(&r, xsdt);
    blob_zeros(&r, 4); /* extended checksum, reserved */
    blob_checksum(&r, 0, 20, 8);
    blob_checksum(&r, 0, RSDP_SIZE, 32);
}

size_t acpi_tables_write(uint8_t *mem, size_t size, uint32_t base, const struct acpi_config *config)
{
    struct blob b = {.mem = mem, .size = size};
    struct places places;
    uint32_t at[NTABLES];
    uint32_t rsdt, xsdt;
    size_t header, i, n = 0;

    blob_zeros(&b, TABLE_ALIGN); /* the RSDP's */
    places.facs = base + (uint32_t)b.used;
    facs(&b);
    header = header_begin(&b, "DSDT", 2);
    places.dsdt = base + (uint32_t)header;
    dsdt_body(&b, config->cpus, config->hpet);
    header_end(&b, header);
    for (i = 0; i < NTABLES; i++) {
        if (tables[i].there != NULL && !tables[i].there(config))
            continue;
        header = header_begin(&b, tables[i].signature, tables[i].revision);
        at[n++] = base + (uint32_t)header;
        tables[i].body(&b, config, &places);
        header_end(&b, header);
    }
    rsdt = root_table(&b, base, "RSDT", false, at, n);
    xsdt = root_table(&b, base, "XSDT", true, at, n);
    if (b.full)
        return 0;
    rsdp(&b, rsdt, xsdt);
    return b.used;
}
