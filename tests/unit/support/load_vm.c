#include "tests/unit/support/load_vm.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "vmm/load.h"

#define FILL 0xA5

char load_vm_why[VM_REASON_MAX];

struct vm *load_vm_new(uint64_t mem)
{
    struct vm *vm = calloc(1, sizeof(*vm));
    uint64_t low = mem < (3ull << 30) ? mem : 3ull << 30;

    assert_non_null(vm);
    vm->config.mem = mem;
    vm->config.cpus = 1;
    vm->config.image_name = "/some/where/image";
    vm->config.image_module = 3;
    vm->config.cmdline = "";
    vm->ram = (struct guest_ram){.base = aligned_alloc(4096, mem), .low = low, .high = mem - low};
    assert_non_null(vm->ram.base);
    memset(vm->ram.base, FILL, mem);
    vm->nvcpus = 1;
    vm->vcpus[0] = calloc(1, sizeof(struct vcpu));
    assert_non_null(vm->vcpus[0]);
    vm->vcpus[0]->vm = vm;
    hv = &fake_hv_ops;
    assert_true(hv->vcpu_init(vm->vcpus[0]));
    return vm;
}

void load_vm_free(struct vm *vm)
{
    hv->vcpu_destroy(vm->vcpus[0]);
    free(vm->vcpus[0]);
    free(vm->ram.base);
    free(vm);
}

bool load_vm_load(struct vm *vm, const uint8_t *image, size_t size)
{
    /* A heap copy of the very size, so that ASan sees a read behind its end. */
    uint8_t *copy = malloc(size != 0 ? size : 1);
    bool loaded;

    assert_non_null(copy);
    memcpy(copy, image, size);
    vm->config.image = copy;
    vm->config.image_size = size;
    load_vm_why[0] = '\0';
    hv->vcpu_reset(vm->vcpus[0]);
    loaded = load_images(vm, load_vm_why, sizeof(load_vm_why));
    vm->config.image = NULL;
    free(copy);
    return loaded;
}

static const void *in_guest(struct vm *vm, uint64_t gpa, uint64_t n)
{
    const void *p = vm_ram(vm, gpa, n);

    assert_non_null(p);
    return p;
}

uint8_t guest_u8(struct vm *vm, uint64_t gpa)
{
    uint8_t v;

    memcpy(&v, in_guest(vm, gpa, sizeof(v)), sizeof(v));
    return v;
}

uint16_t guest_u16(struct vm *vm, uint64_t gpa)
{
    uint16_t v;

    memcpy(&v, in_guest(vm, gpa, sizeof(v)), sizeof(v));
    return v;
}

uint32_t guest_u32(struct vm *vm, uint64_t gpa)
{
    uint32_t v;

    memcpy(&v, in_guest(vm, gpa, sizeof(v)), sizeof(v));
    return v;
}

uint64_t guest_u64(struct vm *vm, uint64_t gpa)
{
    uint64_t v;

    memcpy(&v, in_guest(vm, gpa, sizeof(v)), sizeof(v));
    return v;
}

const char *guest_string(struct vm *vm, uint64_t gpa)
{
    uint64_t n = 0;

    while (guest_u8(vm, gpa + n) != 0)
        n++;
    return in_guest(vm, gpa, n + 1);
}

void put_u16(uint8_t *p, uint16_t v)
{
    memcpy(p, &v, sizeof(v));
}

void put_u32(uint8_t *p, uint32_t v)
{
    memcpy(p, &v, sizeof(v));
}

void put_u64(uint8_t *p, uint64_t v)
{
    memcpy(p, &v, sizeof(v));
}

bool sums_to_zero(const uint8_t *p, size_t n)
{
    uint8_t sum = 0;

    while (n-- > 0)
        sum = (uint8_t)(sum + *p++);
    return sum == 0;
}

static uint32_t next_random(uint64_t *state)
{
    *state = *state * 6364136223846793005ull + 1442695040888963407ull;
    return (uint32_t)(*state >> 33);
}

static void spoil(uint8_t *p, size_t size, size_t header, uint64_t *state)
{
    static const uint32_t extremes[] = {0,          1,          0x7FFFFFFF, 0x80000000,
                                        0xFFFFFFFF, 0xFFFFF000, 0x100000,   0xA0000};
    unsigned int n = 1 + next_random(state) % 3;

    while (n-- > 0) {
        size_t at = next_random(state) % header;

        if (next_random(state) % 2 == 0)
            p[at] ^= (uint8_t)(1u << next_random(state) % 8);
        else if (at + 4 <= size)
            put_u32(p + (at & ~3ull), extremes[next_random(state) % 8]);
    }
}

void load_vm_fuzz(uint64_t mem, const uint8_t *image, size_t size, size_t header, unsigned int rounds)
{
    struct vm *vm = load_vm_new(mem);
    uint64_t state = 1;
    unsigned int loaded = 0;
    unsigned int i;

    if (header > size)
        header = size;
    for (i = 0; i < rounds; i++) {
        size_t n = next_random(&state) % 4 == 0 ? next_random(&state) % size : size;
        uint8_t *copy = malloc(n != 0 ? n : 1);

        assert_non_null(copy);
        memcpy(copy, image, n);
        if (n >= 8)
            spoil(copy, n, header < n ? header : n, &state);
        if (load_vm_load(vm, copy, n)) {
            loaded++;
        } else {
            assert_true(strlen(load_vm_why) > 0 && strlen(load_vm_why) < sizeof(load_vm_why));
            assert_null(strchr(load_vm_why, '\n'));
        }
        free(copy);
    }
    /* Both ways have been gone, or this has tested nothing. */
    assert_true(loaded > 0 && loaded < rounds);
    load_vm_free(vm);
}

static void put_ehdr(uint8_t *h, bool is64, uint64_t entry, unsigned int n)
{
    static const uint8_t magic[] = {0x7F, 'E', 'L', 'F'};
    uint8_t *tail = h + (is64 ? 52 : 40);

    memcpy(h, magic, sizeof(magic));
    h[4] = is64 ? 2 : 1;
    h[5] = 1;
    h[6] = 1;
    put_u16(h + 16, 2);
    put_u16(h + 18, is64 ? 62 : 3);
    put_u32(h + 20, 1);
    if (is64) {
        put_u64(h + 24, entry);
        put_u64(h + 32, 64);
    } else {
        put_u32(h + 24, (uint32_t)entry);
        put_u32(h + 28, 52);
    }
    put_u16(tail, is64 ? 64 : 52);
    put_u16(tail + 2, is64 ? 56 : 32);
    put_u16(tail + 4, (uint16_t)n);
}

static void put_phdr(uint8_t *p, bool is64, const struct test_segment *s, uint64_t offset)
{
    put_u32(p, s->type);
    if (is64) {
        put_u64(p + 8, offset);
        put_u64(p + 16, s->vaddr);
        put_u64(p + 24, s->paddr);
        put_u64(p + 32, s->size);
        put_u64(p + 40, s->memsz);
    } else {
        put_u32(p + 4, (uint32_t)offset);
        put_u32(p + 8, (uint32_t)s->vaddr);
        put_u32(p + 12, (uint32_t)s->paddr);
        put_u32(p + 16, (uint32_t)s->size);
        put_u32(p + 20, (uint32_t)s->memsz);
    }
}

size_t build_elf(uint8_t *out, size_t room, bool is64, uint64_t entry, const struct test_segment *s,
                 unsigned int n)
{
    size_t phentsize = is64 ? 56 : 32;
    size_t table = is64 ? 64 : 52;
    size_t at = (table + n * phentsize + 15) & ~15ull;
    unsigned int i;

    assert_true(at <= room);
    memset(out, 0, at);
    put_ehdr(out, is64, entry, n);
    for (i = 0; i < n; i++) {
        assert_true(s[i].size <= room - at);
        put_phdr(out + table + i * phentsize, is64, &s[i], at);
        if (s[i].size != 0)
            memcpy(out + at, s[i].data, s[i].size);
        at += s[i].size;
    }
    return at;
}
