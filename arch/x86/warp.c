#include "arch/x86/warp.h"

#include "arch/x86/cpu.h"

void warp_init(struct warp *w)
{
    *w = (struct warp){0};
}

void warp_note(struct warp *w, uint64_t tsc)
{
    if (tsc < w->last && w->last - tsc > w->backwards)
        w->backwards = w->last - tsc;
    w->last = tsc;
    __atomic_store_n(&w->turn, w->turn + 1, __ATOMIC_RELEASE);
}

/* PAUSE also lets an emulator that runs one processor at a time go on to the other. */
static bool wait_for_turn(const struct warp *w, uint32_t mine, uint64_t patience)
{
    while (__atomic_load_n(&w->turn, __ATOMIC_ACQUIRE) != mine) {
        if (patience-- == 0)
            return false;
        cpu_pause();
    }
    return true;
}

bool warp_run(struct warp *w, bool leader, uint64_t patience)
{
    for (uint32_t mine = leader ? 0 : 1; mine < WARP_TURNS; mine += 2) {
        if (!wait_for_turn(w, mine, patience))
            return false;
        warp_note(w, rdtsc_ordered());
    }
    /* The leader's part ends with the other's last reading. */
    return wait_for_turn(w, WARP_TURNS, patience);
}
