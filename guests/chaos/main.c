/* Words: seed=N, bits=16|32|64 (all if not given), ring=0|3 (both if not given), devices=1, tell=N. Never
 * ends by itself, unless the instructions end it: whoever started it does. Says each `tell` attempts how far
 * it is.
 */
#include "guests/chaos/chaos.h"

#include "guests/lib/multiboot.h"
#include "guests/lib/power.h"
#include "guests/lib/irq.h"
#include "guests/lib/print.h"
#include "guests/lib/string.h"

#define SCRATCH       0x800000u /* the code, and around it what it may write */
#define RESTORE_EVERY 32u
#define RFLAGS        0x3202u /* IF, IOPL 3: ports are reached from ring 3 too */

struct mode {
    uint64_t bits, ring;
    uint16_t code, stack, data;
};

static const struct mode modes[] = {
    {64, 0, SEL_CODE64, SEL_DATA, SEL_DATA},
    {32, 0, SEL_CODE32, SEL_DATA, SEL_DATA},
    {16, 0, SEL_CODE16, SEL_DATA16, SEL_DATA16},
    {64, 3, SEL_CODE64_USER, SEL_DATA_USER, SEL_DATA_USER},
    {32, 3, SEL_CODE32_USER, SEL_DATA_USER, SEL_DATA_USER},
    {16, 3, SEL_CODE16_USER, SEL_DATA16_USER, SEL_DATA16_USER},
};

#define MODES (sizeof(modes) / sizeof(modes[0]))

static bool wanted(const struct mode *m, uint64_t bits, uint64_t ring)
{
    return (bits == 0 || bits == m->bits) && (ring == 1 || ring == m->ring);
}

static const struct mode *pick(uint64_t bits, uint64_t ring)
{
    const struct mode *m;

    do {
        m = &modes[random_next() % MODES];
    } while (!wanted(m, bits, ring));
    return m;
}

static void attempt(const struct mode *m, bool on_devices)
{
    uint8_t *code = (uint8_t *)(uintptr_t)SCRATCH;
    struct start start = {.cs = m->code, .ss = m->stack, .data = m->data, .rflags = RFLAGS};

    if (on_devices) {
        random_moves(code);
    } else {
        random_code(code);
    }
    for (unsigned int i = 0; i < 16; i++) {
        start.gpr[i] = random_register(SCRATCH);
    }
    start.rip = m->bits == 16 ? 0 : SCRATCH;
    start.rsp = m->bits == 16 ? 0x8000 : SCRATCH + 0x8000;
    machine_try(&start);
}

static void tell(uint64_t seed)
{
    const uint64_t *v = tally.vectors;
    uint64_t sum = 0;

    for (unsigned int i = 0; i < 256; i++) {
        sum += v[i];
    }
    printf("chaos: seed %lu: %lu attempts, %lu faults: UD %lu GP %lu PF %lu SS %lu DB %lu, %lu NMI\n", seed,
           tally.attempts, sum, v[6], v[13], v[14], v[12], v[1], v[2]);
}

int guest_main(uint64_t magic, uint64_t info)
{
    static const char *const names[] = {"seed", "bits", "ring", "devices", "tell", NULL};
    const char *words = multiboot_cmdline(guest_init(magic, info));
    bool bad = !words_check(words, names);
    uint64_t seed = word_number(words, "seed", 1, &bad), bits = word_number(words, "bits", 0, &bad);
    uint64_t ring = word_number(words, "ring", 1, &bad), each = word_number(words, "tell", 1024, &bad);

    const bool on_devices = word_number(words, "devices", 0, &bad) != 0;

    if (bad || each == 0 || (bits != 0 && bits != 16 && bits != 32 && bits != 64) ||
        (ring != 0 && ring != 1 && ring != 3)) {
        printf("chaos: FAIL unusable words: %s\n", words);
        return EXIT_FAIL;
    }
    printf("chaos: seed %lu\n", seed);
    lapic_init();
    random_seed(seed);
    machine_take((uint8_t *)(uintptr_t)SCRATCH, on_devices);
    for (;;) {
        if (tally.attempts % RESTORE_EVERY == 0) {
            machine_restore();
        }
        attempt(pick(bits, ring), on_devices);
        if (tally.attempts % each == 0) {
            tell(seed);
        }
    }
}
