/* Command lines: the hypervisor's own, and those of modules (DESIGN.md section 4). Whatever words they hold:
 * no access outside them (ASan), each complaint one line; a VM that is not refused has settings that the
 * rest may rely on; one that is says why. */
#include "tests/fuzz/bytes.h"
#include "tests/unit/support/fake_host.h"
#include "vmm/config.h"

#define VMS     6u
#define MODULES 10u

static void complain(const char *line)
{
    CHECK(strlen(line) > 0 && !strchr(line, '\n'), "the complaint: %s", line);
}

static bool is_name(const char *s)
{
    size_t n = strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_");

    return n > 0 && n <= VM_NAME_MAX && s[n] == 0;
}

static void judge_global(const struct global_config *g)
{
    CHECK(g->slice_ns >= 100000 && g->slice_ns <= 10000000000ull, "slice %llu",
          (unsigned long long)g->slice_ns);
    CHECK(g->poll_ns == 0 || (g->poll_ns >= 10000 && g->poll_ns <= 100000000), "poll %llu",
          (unsigned long long)g->poll_ns);
    CHECK((g->trace_bytes & (g->trace_bytes - 1)) == 0 && g->trace_bytes >= 65536 &&
              g->trace_bytes <= 256u << 20,
          "trace-buffer %llu", (unsigned long long)g->trace_bytes);
}

static void judge(const struct vm_config *c)
{
    CHECK(is_name(c->name), "the name: %s", c->name);
    CHECK(c->cmdline && c->image_name, "no strings");
    CHECK(c->first_module >= 1 && c->first_module <= MODULES, "module %u", c->first_module);
    if (c->refused) {
        CHECK(strlen(c->reason) > 0 && !strchr(c->reason, '\n'), "the reason: %s", c->reason);
        return;
    }
    CHECK(c->image, "no kernel");
    CHECK(c->mem >= VM_MEM_MIN && c->mem <= VM_MEM_MAX, "mem %llu", (unsigned long long)c->mem);
    CHECK(c->cpus >= 1 && c->cpus <= VM_CPUS_MAX, "cpus %u", c->cpus);
    CHECK(c->nmodules <= VM_MAX_MODULES, "%u modules", c->nmodules);
    CHECK(c->time.rate_q > 0 && c->time.rate_p >= c->time.rate_q, "catchup %llu/%llu",
          (unsigned long long)c->time.rate_p, (unsigned long long)c->time.rate_q);
    for (unsigned int i = 0; i < c->nmodules; i++)
        CHECK(c->modules[i].cmdline, "a module without words");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t bytes[4];
    struct bytes in = {data, size};
    uint8_t what = take8(&in);
    struct global_config global;
    struct boot_module modules[MODULES];
    struct vm_config vms[VMS];
    char *words[MODULES];
    unsigned int n = 0;

    fake_host_reset();
    char *line = take_string(&in, 2000);
    config_parse_global(&global, line, what & 1, complain);
    judge_global(&global);
    free(line);
    while (in.left > 0 && n < MODULES) {
        words[n] = take_string(&in, 1000);
        modules[n] = (struct boot_module){bytes, sizeof(bytes), words[n]};
        n++;
    }
    unsigned int found = config_parse_modules(vms, VMS, modules, n, what & 2, complain);
    CHECK(found <= VMS, "%u VMs", found);
    for (unsigned int i = 0; i < found; i++)
        judge(&vms[i]);
    for (unsigned int i = 0; i < n; i++)
        free(words[i]);
    return 0;
}
