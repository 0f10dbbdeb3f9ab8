#include "vmm/settings.h"

#include "vmm/string.h"

#define COUNT(a) ((unsigned int)(sizeof(a) / sizeof((a)[0])))

#define SLICE_MIN_NS    100000ull
#define SLICE_MAX_NS    10000000000ull
#define POLL_MIN_NS     10000ull
#define POLL_MAX_NS     100000000ull
#define WATCHDOG_MIN_NS 200000000ull
#define WATCHDOG_MAX_NS 1000000000000ull
#define TIME_MAX_NS     100000000000000000ull /* 3 years; in RT ticks at 10 GHz still far from 2^64 */
#define PROGRESS_MIN_NS 10000ull
#define RATE_MAX        0xFFFFFFFFull
#define MAXRATE_MAX     1000000ull
#define TRACE_MIN       (64ull << 10) /* room for the accounts of 32 VMs */
#define TRACE_MAX       (256ull << 20)
#define PROCESSORS_MAX  64u
#define RTC_MAX         253402300799ull /* the end of the year 9999: the CMOS century has two digits */

/* ---- global settings ---- */

/* One of a list of words; its index into *out. */
static bool one_of(const char *value, const char *const *list, unsigned int n, unsigned int *out)
{
    unsigned int i;

    for (i = 0; i < n; i++) {
        if (strcmp(value, list[i]) == 0) {
            *out = i;
            return true;
        }
    }
    return false;
}

/* A choice of two words: false is the first. */
static bool choice(const char *value, const char *no, const char *yes, bool *out)
{
    const char *const list[] = {no, yes};
    unsigned int i;

    if (!one_of(value, list, 2, &i))
        return false;
    *out = i == 1;
    return true;
}

static bool parse_slice(void *target, const char *value)
{
    struct global_config *g = target;
    uint64_t ns;

    if (!words_time(value, SLICE_MAX_NS, &ns) || ns < SLICE_MIN_NS)
        return false;
    g->slice_ns = ns;
    return true;
}

static bool parse_boost(void *target, const char *value)
{
    return choice(value, "off", "on", &((struct global_config *)target)->boost);
}

static bool parse_on_empty(void *target, const char *value)
{
    return choice(value, "end", "halt", &((struct global_config *)target)->halt_on_empty);
}

static bool parse_monitor(void *target, const char *value)
{
    return choice(value, "next", "each", &((struct global_config *)target)->monitor_each);
}

static bool parse_poll(void *target, const char *value)
{
    struct global_config *g = target;

    g->poll_ns = 0;
    return strcmp(value, "off") == 0 ||
           (words_time(value, POLL_MAX_NS, &g->poll_ns) && g->poll_ns >= POLL_MIN_NS);
}

static bool parse_global_trace(void *target, const char *value)
{
    static const char *const list[] = {"off", "on", "full", "dump"};
    unsigned int i;

    if (!one_of(value, list, COUNT(list), &i))
        return false;
    ((struct global_config *)target)->trace = (enum trace_setting)i;
    return true;
}

static bool parse_trace_buffer(void *target, const char *value)
{
    uint64_t bytes;

    if (!words_size(value, TRACE_MAX, &bytes) || bytes < TRACE_MIN || (bytes & (bytes - 1)) != 0)
        return false;
    ((struct global_config *)target)->trace_bytes = bytes;
    return true;
}

const char *const mitigation_names[] = {"auto", "off", "all"};

static bool parse_mitigations(void *target, const char *value)
{
    unsigned int i;

    if (!one_of(value, mitigation_names, COUNT(mitigation_names), &i))
        return false;
    ((struct global_config *)target)->mitigations = (enum mitigation_setting)i;
    return true;
}

static bool parse_watchdog(void *target, const char *value)
{
    struct global_config *g = target;

    g->watchdog_ns = 0;
    return strcmp(value, "off") == 0 ||
           (words_time(value, WATCHDOG_MAX_NS, &g->watchdog_ns) && g->watchdog_ns >= WATCHDOG_MIN_NS);
}

#ifdef ESC_DEBUG
/* WORD[,WORD...] */
static bool parse_inject(void *target, const char *value)
{
    static const char *const list[INJECTIONS] = {
        "nmi",           "machine-check", "spurious",     "lost-timer",     "late-timer",
        "early-timer",   "serial-slow",   "serial-stuck", "no-memory",      "tsc-forward",
        "tsc-back",      "stall",         "stack",        "stack-overflow", "write-text",
        "console-stall", "console-fault", "panic-fault",  "serial-dead"};
    size_t n;

    do {
        char word[16];
        unsigned int i;

        n = 0;
        while (value[n] != '\0' && value[n] != ',' && n < sizeof(word) - 1) {
            word[n] = value[n];
            n++;
        }
        word[n] = '\0';
        if (!one_of(word, list, INJECTIONS, &i))
            return false;
        ((struct global_config *)target)->inject |= 1u << i;
        value += n;
    } while (*value++ == ',');
    return true;
}
#endif

static bool parse_processors(void *target, const char *value)
{
    uint64_t n;

    if (!words_number(value, PROCESSORS_MAX, &n) || n == 0)
        return false;
    ((struct global_config *)target)->processors = (unsigned int)n;
    return true;
}

const struct setting global_settings[] = {
    {"slice=", "slice= takes a time from 100us to 10s", parse_slice},
    {"boost=", "boost=on|off", parse_boost},
    {"on-empty=", "on-empty=halt|end", parse_on_empty},
    {"monitor=", "monitor=next|each", parse_monitor},
    {"poll=", "poll= takes a time from 10us to 100ms, or off", parse_poll},
    {"trace=", "trace=on|off|full|dump", parse_global_trace},
    {"trace-buffer=", "trace-buffer= takes a power of two from 64K to 256M", parse_trace_buffer},
    {"processors=", "processors= takes a number from 1 to 64", parse_processors},
    {"mitigations=", "mitigations=auto|off|all", parse_mitigations},
    {"watchdog=", "watchdog= takes a time from 200ms to 1000s, or off", parse_watchdog},
#ifdef ESC_DEBUG
    {"inject=", "inject= takes nmi, machine-check, ... (docs/reliability.md)", parse_inject},
#endif
};
const unsigned int global_settings_count = COUNT(global_settings);

/* ---- a module's settings ---- */

static struct vtime_settings *time_of(void *target)
{
    return &((struct settings_line *)target)->vm->time;
}

static bool name_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

/* Only checked here: config.c has read it before the other words, to know whose they are. */
static bool parse_vm(void *target, const char *value)
{
    size_t n = 0;

    (void)target;
    while (name_char(value[n]))
        n++;
    return value[n] == '\0' && n >= 1 && n <= VM_NAME_MAX;
}

static bool parse_mem(void *target, const char *value)
{
    uint64_t bytes;

    if (!words_size(value, VM_MEM_MAX, &bytes) || bytes < VM_MEM_MIN || bytes % 4096 != 0)
        return false;
    ((struct settings_line *)target)->vm->mem = bytes;
    return true;
}

static bool parse_cpus(void *target, const char *value)
{
    uint64_t n;

    if (!words_number(value, VM_CPUS_MAX, &n) || n == 0)
        return false;
    ((struct settings_line *)target)->vm->cpus = (unsigned int)n;
    return true;
}

/* P or P,Q,...: as many as a VM can have vCPUs. */
static bool parse_pin(void *target, const char *value)
{
    struct vm_config *vm = ((struct settings_line *)target)->vm;
    char number[4];
    uint64_t processor;

    for (vm->npins = 0; vm->npins < VM_CPUS_MAX; value++) {
        size_t n = 0;

        while (value[n] != '\0' && value[n] != ',' && n < sizeof(number) - 1) {
            number[n] = value[n];
            n++;
        }
        number[n] = '\0';
        if (!words_number(number, PROCESSORS_MAX - 1, &processor))
            return false;
        vm->pins[vm->npins++] = (unsigned int)processor;
        value += n;
        if (*value != ',')
            return *value == '\0';
    }
    return false;
}

static bool parse_maxrate(void *target, const char *value)
{
    uint64_t n;

    if (!words_number(value, MAXRATE_MAX, &n) || n == 0)
        return false;
    time_of(target)->maxrate = n;
    return true;
}

/* P or P/Q, at least 1: a rate under one never catches up. */
static bool parse_rate(const char *value, uint64_t *p, uint64_t *q)
{
    char number[16];
    size_t n = 0;

    *q = 1;
    while (value[n] != '\0' && value[n] != '/' && n < sizeof(number) - 1) {
        number[n] = value[n];
        n++;
    }
    number[n] = '\0';
    if (!words_number(number, RATE_MAX, p))
        return false;
    if (value[n] == '/' && !words_number(value + n + 1, RATE_MAX, q))
        return false;
    return (value[n] == '/' || value[n] == '\0') && *q != 0 && *p >= *q;
}

static bool parse_catchup(void *target, const char *value)
{
    struct vtime_settings *t = time_of(target);

    t->fixed = strcmp(value, "adaptive") != 0;
    if (!t->fixed)
        return true;
    return parse_rate(value, &t->rate_p, &t->rate_q);
}

static bool parse_k1(void *target, const char *value)
{
    return words_time(value, TIME_MAX_NS, &time_of(target)->k1_ns);
}

static bool parse_k2(void *target, const char *value)
{
    return words_time(value, TIME_MAX_NS, &time_of(target)->k2_ns);
}

static bool parse_leap(void *target, const char *value)
{
    if (strcmp(value, "off") == 0) {
        time_of(target)->leap_ns = LEAP_OFF;
        return true;
    }
    return words_time(value, TIME_MAX_NS, &time_of(target)->leap_ns);
}

/* Less than what the run loop's own turn takes would let a storm of timer events keep it from ever entering
 * the guest: a smaller value is that one. */
static bool parse_progress(void *target, const char *value)
{
    uint64_t *ns = &time_of(target)->progress_ns;

    if (!words_time(value, TIME_MAX_NS, ns))
        return false;
    *ns = *ns < PROGRESS_MIN_NS ? PROGRESS_MIN_NS : *ns;
    return true;
}

static bool parse_gap(void *target, const char *value)
{
    return choice(value, "smooth", "jump", &time_of(target)->gap_jump);
}

static bool parse_hyst(void *target, const char *value)
{
    static const char *const list[] = {"5c", "rtc", "artp"};
    unsigned int i;

    if (!one_of(value, list, COUNT(list), &i))
        return false;
    time_of(target)->hyst = (uint8_t)i;
    return true;
}

static bool parse_time(void *target, const char *value)
{
    static const char *const list[] = {"fast", "strict", "naive"};
    unsigned int i;

    if (!one_of(value, list, COUNT(list), &i))
        return false;
    time_of(target)->strict = i == 1;
    time_of(target)->naive = i == 2;
    return true;
}

const char *const missed_timers[MISSED_TIMERS] = {"pit", "rtc", "lapic", "hpet"};

/* "POLICY", for all, or "TIMER:POLICY"; `text` is one item of the list. */
static bool parse_missed_item(struct vtime_settings *t, const char *text, size_t length)
{
    static const char *const policies[] = {"compress", "skip", "collapse"};
    char item[24];
    char *policy = item;
    unsigned int timer = MISSED_TIMERS, how;

    if (length >= sizeof(item))
        return false;
    memcpy(item, text, length);
    item[length] = '\0';
    while (*policy != '\0' && *policy != ':')
        policy++;
    if (*policy == ':') {
        *policy++ = '\0';
        if (!one_of(item, missed_timers, MISSED_TIMERS, &timer))
            return false;
    } else {
        policy = item;
    }
    if (!one_of(policy, policies, COUNT(policies), &how))
        return false;
    for (unsigned int i = 0; i < MISSED_TIMERS; i++) {
        if (timer == MISSED_TIMERS || timer == i)
            t->missed[i] = (enum vt_missed)how;
    }
    return true;
}

static bool parse_missed(void *target, const char *value)
{
    size_t n;

    do {
        n = 0;
        while (value[n] != '\0' && value[n] != ',')
            n++;
        if (!parse_missed_item(time_of(target), value, n))
            return false;
        value += n;
    } while (*value++ == ',');
    return true;
}

static bool parse_rtc(void *target, const char *value)
{
    struct vm_config *vm = ((struct settings_line *)target)->vm;

    vm->rtc_host = strcmp(value, "host") == 0;
    return vm->rtc_host || words_number(value, RTC_MAX, &vm->rtc_seconds);
}

static bool parse_hpet(void *target, const char *value)
{
    return choice(value, "on", "off", &((struct settings_line *)target)->vm->no_hpet);
}

static bool parse_pvclock(void *target, const char *value)
{
    return choice(value, "off", "on", &((struct settings_line *)target)->vm->pvclock);
}

static bool parse_x2apic(void *target, const char *value)
{
    return choice(value, "off", "on", &((struct settings_line *)target)->vm->x2apic);
}

static bool parse_tsc_deadline(void *target, const char *value)
{
    return choice(value, "off", "on", &((struct settings_line *)target)->vm->tsc_deadline);
}

static bool parse_on_reset(void *target, const char *value)
{
    bool end;

    if (!choice(value, "restart", "end", &end))
        return false;
    ((struct settings_line *)target)->vm->on_reset = end ? ON_RESET_END : ON_RESET_RESTART;
    return true;
}

static bool parse_trace(void *target, const char *value)
{
    ((struct settings_line *)target)->vm->trace_exits = true;
    return strcmp(value, "exits") == 0;
}

static bool parse_stats(void *target, const char *value)
{
    static const char *const list[] = {"exits", "lag", "all"};
    struct vm_config *vm = ((struct settings_line *)target)->vm;
    unsigned int i;

    if (!one_of(value, list, 3, &i))
        return false;
    vm->count_exits = i != 1;
    vm->keep_lag = i != 0;
    return true;
}

static bool parse_role(struct settings_line *line, enum module_role role)
{
    bool first = line->role == ROLE_KERNEL;

    line->role = role;
    return first;
}

static bool parse_initrd(void *target, const char *value)
{
    (void)value;
    return parse_role(target, ROLE_INITRD);
}

static bool parse_module(void *target, const char *value)
{
    (void)value;
    return parse_role(target, ROLE_MODULE);
}

bool settings_live(const char *word)
{
    static const char *const names[] = {
        "maxrate=", "catchup=", "k1=", "k2=", "leap=", "progress=", "gap=", "hyst="};

    for (unsigned int i = 0; i < COUNT(names); i++) {
        if (strncmp(word, names[i], strlen(names[i])) == 0)
            return true;
    }
    return false;
}

const struct setting vm_settings[] = {
    {"vm=", "a name of 1 to 16 letters, digits, '-' and '_'", parse_vm},
    {"initrd", "a module is an initrd or a module, not both", parse_initrd},
    {"module", "a module is an initrd or a module, not both", parse_module},
    {"mem=", "mem= takes a size from 2M to 1024G, a multiple of 4K", parse_mem},
    {"cpus=", "cpus= takes a number from 1 to 8", parse_cpus},
    {"pin=", "pin= takes up to 8 numbers of processors from 0 to 63, as 0,1", parse_pin},
    {"maxrate=", "maxrate= takes a number from 1 to 1000000", parse_maxrate},
    {"catchup=", "catchup=adaptive|P[/Q], at least 1", parse_catchup},
    {"k1=", "k1= takes a time such as 10us", parse_k1},
    {"k2=", "k2= takes a time such as 10us", parse_k2},
    {"leap=", "leap= takes a time such as 60s, or off", parse_leap},
    {"progress=", "progress= takes a time such as 50us", parse_progress},
    {"gap=", "gap=smooth|jump", parse_gap},
    {"hyst=", "hyst=5c|rtc|artp", parse_hyst},
    {"time=", "time=fast|strict|naive", parse_time},
    {"missed=", "missed=[pit:|rtc:|lapic:|hpet:]compress|skip|collapse[,...]", parse_missed},
    {"rtc=", "rtc=host|SECONDS since 1970", parse_rtc},
    {"hpet=", "hpet=on|off", parse_hpet},
    {"pvclock=", "pvclock=on|off", parse_pvclock},
    {"tsc-deadline=", "tsc-deadline=on|off", parse_tsc_deadline},
    {"x2apic=", "x2apic=on|off", parse_x2apic},
    {"on-reset=", "on-reset=restart|end", parse_on_reset},
    {"trace=", "trace=exits", parse_trace},
    {"stats=", "stats=exits|lag|all", parse_stats},
};
const unsigned int vm_settings_count = COUNT(vm_settings);
_Static_assert(COUNT(vm_settings) <= 32, "words_apply() has a bit for each");
