/* Debug registers, breakpoints, and single-stepping over instructions that exit. */
#include "guests/insn/insn.h"

#include "guests/lib/io.h"
#include "guests/lib/print.h"
#include "guests/lib/traps.h"

#define VECTOR_DB 1
#define DR6_B0    (1ull << 0)
#define DR6_BS    (1ull << 14)
#define DR6_FIXED 0xffff0ff0ull
#define DR7_ON    0x402ull       /* G0 */
#define DR7_WRITE (0xdull << 16) /* 0: data writes of four bytes */
#define RFLAGS_TF (1ull << 8)
#define RFLAGS_RF (1ull << 16)

INSN_REGISTER(dr0)
INSN_REGISTER(dr1)
INSN_REGISTER(dr2)
INSN_REGISTER(dr3)
INSN_REGISTER(dr6)
INSN_REGISTER(dr7)

static volatile uint64_t hits, last_dr6;
static volatile uint64_t rips[16];

static void on_debug(struct trap_frame *frame)
{
    if (hits < sizeof(rips) / sizeof(rips[0])) {
        rips[hits] = frame->rip;
    }
    hits++;
    last_dr6 = read_dr6();
    write_dr6(DR6_FIXED);
    if (!(last_dr6 & DR6_BS)) {
        frame->rflags |= RFLAGS_RF;
    }
}

extern const uint8_t step_0[], step_1[], step_2[], step_3[], step_4[];

/* One trap behind each instruction: one that exits and is carried out by the hypervisor, one that the
 * processor carries out, and so on. POPF's own is not stepped. */
static void single_step(void)
{
    uint32_t a = 0, c = 0;

    hits = 0;
    __asm__ volatile("pushfq\n\torq %[tf], (%%rsp)\n\tpopfq\n\t"
                     "cpuid\n.globl step_0\nstep_0:\n\t"
                     "nop\n.globl step_1\nstep_1:\n\t"
                     "outb %%al, $0x80\n.globl step_2\nstep_2:\n\t"
                     "pushfq\n.globl step_3\nstep_3:\n\t"
                     "andq %[no_tf], (%%rsp)\n.globl step_4\nstep_4:\n\t"
                     "popfq"
                     : "+a"(a), "+c"(c)
                     : [tf] "i"(RFLAGS_TF), [no_tf] "i"(~(int)RFLAGS_TF)
                     : "rbx", "rdx", "memory", "cc");
    report(hits == 6, "six single steps (%lu)", hits);
    report(rips[0] == (uintptr_t)step_0, "behind CPUID");
    report(rips[1] == (uintptr_t)step_1, "behind NOP");
    report(rips[2] == (uintptr_t)step_2, "behind OUT");
    report(rips[3] == (uintptr_t)step_3, "behind PUSHF");
    report(rips[4] == (uintptr_t)step_4, "behind AND");
    report(last_dr6 == (DR6_FIXED | DR6_BS), "DR6 says single step (%lx)", last_dr6);
}

static void breakpoint(void)
{
    static volatile uint32_t watched;

    hits = 0;
    write_dr0((uintptr_t)&watched);
    write_dr7(DR7_ON | DR7_WRITE);
    (void)cpuid(0, 0); /* DR0 and DR7 stay through exits */
    watched = 1;
    write_dr7(0x400);
    report(hits == 1, "a data breakpoint (%lu)", hits);
    report(last_dr6 == (DR6_FIXED | DR6_B0), "DR6 says which (%lx)", last_dr6);
    watched = 2;
    report(hits == 1, "none when it is off");
}

static void values(void)
{
    write_dr0(0x1000);
    write_dr1(0x2001);
    write_dr2(0x123456789abcull);
    write_dr3(UINT64_MAX);
    (void)cpuid(0, 0);
    report(read_dr0() == 0x1000 && read_dr1() == 0x2001 && read_dr2() == 0x123456789abcull &&
               read_dr3() == UINT64_MAX,
           "DR0-DR3");
    report(read_dr6() == DR6_FIXED, "DR6 (%lx)", read_dr6());
    report(read_dr7() == 0x400, "DR7 (%lx)", read_dr7());
}

void insn_debug(void)
{
    traps_set(VECTOR_DB, on_debug);
    values();
    single_step();
    breakpoint();
}
