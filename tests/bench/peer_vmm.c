/* The peer's user space: runs one of our guests under Linux's KVM, with KVM's own PIC, IOAPIC, LAPIC and PIT,
 * as small as it can be, so that what is measured is KVM. Prints the guest's serial lines as NAME| TEXT.
 *
 *   peer_vmm NAME IMAGE [WORD...]        IMAGE: an ELF32 multiboot 1 kernel; 16 MiB of memory
 *
 * The exit status is what the guest writes to port F4h; 125 where KVM will not
 * (linux/Documentation/virt/kvm/api.rst). */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define MEMORY      (16u << 20)
#define TSS_ADDRESS 0xfffbd000 /* three pages that VT-x wants; below the BIOS's */
#define INFO        0x9000     /* multiboot information, then the command line */
#define CMDLINE     0x9100
#define CMDLINE_MAX 1024

#define MULTIBOOT_LOADER_MAGIC 0x2BADB002
#define MB_MEMORY              (1u << 0)
#define MB_CMDLINE             (1u << 2)

#define PORT_EXIT     0xF4
#define PORT_PM_TIMER 0x608 /* what guests/bench reads where no ACPI table names one */
#define COM1          0x3F8
#define COM1_LCR      (COM1 + 3)
#define COM1_LSR      (COM1 + 5)
#define LCR_DLAB      0x80 /* the data port is the divisor's */
#define LSR_EMPTY     0x60
#define PM_TIMER_HZ   3579545u
#define GIVEN_UP      125

struct machine {
    const char *name;
    uint8_t *memory;
    int kvm, vm, vcpu;
    struct kvm_run *run;
    char line[256];
    size_t length;
    uint8_t lcr;
};

static _Noreturn void die(const char *what)
{
    fprintf(stderr, "peer_vmm: %s: %s\n", what, strerror(errno));
    exit(GIVEN_UP);
}

static int ask(int fd, unsigned long request, void *argument, const char *what)
{
    int result = ioctl(fd, request, argument);

    if (result < 0)
        die(what);
    return result;
}

/* ---- the machine ---- */

static void create(struct machine *m)
{
    struct kvm_pit_config pit = {.flags = 0};
    struct kvm_userspace_memory_region ram = {.memory_size = MEMORY};
    int size;

    m->kvm = open("/dev/kvm", O_RDWR);
    if (m->kvm < 0)
        die("/dev/kvm");
    m->vm = ask(m->kvm, KVM_CREATE_VM, NULL, "KVM_CREATE_VM");
    ask(m->vm, KVM_SET_TSS_ADDR, (void *)TSS_ADDRESS, "KVM_SET_TSS_ADDR");
    ask(m->vm, KVM_CREATE_IRQCHIP, NULL, "KVM_CREATE_IRQCHIP");
    ask(m->vm, KVM_CREATE_PIT2, &pit, "KVM_CREATE_PIT2");
    m->memory = mmap(NULL, MEMORY, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (m->memory == MAP_FAILED)
        die("memory");
    ram.userspace_addr = (uintptr_t)m->memory;
    ask(m->vm, KVM_SET_USER_MEMORY_REGION, &ram, "KVM_SET_USER_MEMORY_REGION");
    m->vcpu = ask(m->vm, KVM_CREATE_VCPU, NULL, "KVM_CREATE_VCPU");
    size = ask(m->kvm, KVM_GET_VCPU_MMAP_SIZE, NULL, "KVM_GET_VCPU_MMAP_SIZE");
    m->run = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_SHARED, m->vcpu, 0);
    if (m->run == MAP_FAILED)
        die("the vCPU's page");
}

static void set_cpuid(struct machine *m)
{
    enum { ENTRIES = 128 };
    struct kvm_cpuid2 *c = calloc(1, sizeof *c + ENTRIES * sizeof c->entries[0]);

    if (!c)
        die("memory");
    c->nent = ENTRIES;
    ask(m->kvm, KVM_GET_SUPPORTED_CPUID, c, "KVM_GET_SUPPORTED_CPUID");
    ask(m->vcpu, KVM_SET_CPUID2, c, "KVM_SET_CPUID2");
    free(c);
}

/* ---- the image ---- */

static void *read_file(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    uint8_t *data = malloc(MEMORY);

    if (!file || !data)
        die(path);
    *size = fread(data, 1, MEMORY, file);
    fclose(file);
    return data;
}

/* The image is our own, but one that was cut short should be told apart. Returns the entry point. */
static uint32_t load(struct machine *m, const char *path)
{
    size_t size;
    uint8_t *data = read_file(path, &size);
    const Elf32_Ehdr *elf = (const Elf32_Ehdr *)data;
    uint32_t entry;

    errno = ENOEXEC;
    if (size < sizeof *elf || memcmp(elf->e_ident, ELFMAG, SELFMAG) != 0 ||
        elf->e_ident[EI_CLASS] != ELFCLASS32)
        die(path);
    for (unsigned int i = 0; i < elf->e_phnum; i++) {
        size_t at = elf->e_phoff + i * sizeof(Elf32_Phdr);
        const Elf32_Phdr *p = (const Elf32_Phdr *)(data + at);

        if (at + sizeof *p > size)
            die(path);
        if (p->p_type != PT_LOAD)
            continue;
        if ((uint64_t)p->p_offset + p->p_filesz > size || (uint64_t)p->p_paddr + p->p_memsz > MEMORY)
            die(path);
        memcpy(m->memory + p->p_paddr, data + p->p_offset, p->p_filesz);
    }
    entry = elf->e_entry;
    free(data);
    return entry;
}

static void put32(struct machine *m, uint32_t at, uint32_t value)
{
    memcpy(m->memory + at, &value, sizeof value);
}

/* Multiboot Specification 0.6.96, 3.3: flags, the two sizes in KiB, ..., the command line's address at 16. */
static void write_info(struct machine *m, char **words)
{
    char *line = (char *)m->memory + CMDLINE;

    strcpy(line, "bench");
    for (; *words && strlen(line) + strlen(*words) + 2 < CMDLINE_MAX; words++) {
        strcat(line, " ");
        strcat(line, *words);
    }
    put32(m, INFO, MB_MEMORY | MB_CMDLINE);
    put32(m, INFO + 4, 640);
    put32(m, INFO + 8, (MEMORY >> 10) - 1024);
    put32(m, INFO + 16, CMDLINE);
}

/* 32-bit protected mode, flat, as 3.2 of that specification has it. */
static void set_registers(struct machine *m, uint32_t entry)
{
    const struct kvm_segment code = {
        .limit = 0xffffffff, .selector = 8, .type = 0xb, .present = 1, .db = 1, .s = 1, .g = 1};
    struct kvm_segment data = code;
    struct kvm_regs regs = {.rip = entry, .rflags = 2, .rax = MULTIBOOT_LOADER_MAGIC, .rbx = INFO};
    struct kvm_sregs sregs;

    data.selector = 0x10;
    data.type = 3;
    ask(m->vcpu, KVM_GET_SREGS, &sregs, "KVM_GET_SREGS");
    sregs.cs = code;
    sregs.ds = sregs.es = sregs.fs = sregs.gs = sregs.ss = data;
    sregs.cr0 = 0x11;
    ask(m->vcpu, KVM_SET_SREGS, &sregs, "KVM_SET_SREGS");
    ask(m->vcpu, KVM_SET_REGS, &regs, "KVM_SET_REGS");
}

/* ---- the guest's devices that KVM has not got ---- */

static void serial_out(struct machine *m, char c)
{
    if (c != '\n' && m->length < sizeof m->line - 1) {
        m->line[m->length++] = c;
        return;
    }
    m->line[m->length] = '\0';
    printf("%s| %s\n", m->name, m->line);
    fflush(stdout);
    m->length = 0;
}

static uint32_t pm_timer(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint32_t)((uint64_t)t.tv_sec * PM_TIMER_HZ + (uint64_t)t.tv_nsec * PM_TIMER_HZ / 1000000000u);
}

static uint32_t port_in(uint16_t port)
{
    switch (port) {
    case PORT_PM_TIMER:
        return pm_timer();
    case COM1_LSR:
        return LSR_EMPTY;
    default:
        return UINT32_MAX;
    }
}

static void port_out(struct machine *m, uint16_t port, uint8_t value)
{
    if (port == PORT_EXIT)
        exit(value);
    if (port == COM1_LCR)
        m->lcr = value;
    if (port == COM1 && !(m->lcr & LCR_DLAB))
        serial_out(m, (char)value);
}

static void port_access(struct machine *m)
{
    uint8_t *data = (uint8_t *)m->run + m->run->io.data_offset;
    uint32_t value;

    for (uint32_t i = 0; i < m->run->io.count; i++, data += m->run->io.size) {
        if (m->run->io.direction == KVM_EXIT_IO_IN) {
            value = port_in(m->run->io.port);
            memcpy(data, &value, m->run->io.size);
        } else {
            port_out(m, m->run->io.port, *data);
        }
    }
}

static _Noreturn void run(struct machine *m)
{
    for (;;) {
        if (ioctl(m->vcpu, KVM_RUN, NULL) < 0) {
            if (errno == EINTR)
                continue;
            die("KVM_RUN");
        }
        switch (m->run->exit_reason) {
        case KVM_EXIT_IO:
            port_access(m);
            break;
        case KVM_EXIT_MMIO:
            memset(m->run->mmio.data, 0xff, sizeof m->run->mmio.data);
            break;
        default:
            fprintf(stderr, "peer_vmm: %s: KVM's exit reason %u\n", m->name, m->run->exit_reason);
            exit(GIVEN_UP);
        }
    }
}

int main(int argc, char **argv)
{
    struct machine m = {.name = argc > 1 ? argv[1] : ""};

    if (argc < 3) {
        fprintf(stderr, "usage: peer_vmm NAME IMAGE [WORD...]\n");
        return GIVEN_UP;
    }
    create(&m);
    set_cpuid(&m);
    write_info(&m, argv + 3);
    set_registers(&m, load(&m, argv[2]));
    run(&m);
}
