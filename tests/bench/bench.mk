# What it costs, counted to the instruction. Included by the top Makefile.
COUNT_SO   := $(BUILD)/bench/count.so
BENCH_ARGS ?=

.PHONY: bench bench-plugin bench-test bench-profile bench-peers bench-linux bench-docs bench-scaling
bench-plugin: $(COUNT_SO)

# Loaded into QEMU, so it is the host's, whatever the guests are.
$(COUNT_SO): tests/bench/count.c tests/bench/qemu_plugin.h guests/lib/mark.h
	@mkdir -p $(@D)
	$(say) HOSTCC $@
	$(Q)$(HOSTCC) $(STD) -O2 -fPIC -shared -o $@ $<

bench: kernel guests bench-plugin
	$(Q)$(PYTHON) tests/bench/run.py --build $(BUILD) $(BENCH_ARGS)

# The tools' own tests, and the budgets that are held.
bench-test: kernel guests bench-plugin debian $(BUILD)/bench/first.img
	$(Q)$(PYTHON) tests/bench/test_bench.py --build $(BUILD)

# Where they go, function by function: make bench-profile BENCH_ARGS="cpuid switch"
bench-profile: kernel guests bench-plugin
	$(Q)$(PYTHON) tests/bench/profiles.py --build $(BUILD) $(BENCH_ARGS)

# The same for KVM: Debian's kernel on the same QEMU, with a small user space of ours.
PEER_IMG := $(BUILD)/bench/peer.img
PEER_VMM := $(BUILD)/bench/peer_vmm

$(PEER_VMM): tests/bench/peer_vmm.c
	@mkdir -p $(@D)
	$(say) CC $@
	$(Q)$(CC) $(STD) -D_GNU_SOURCE -O2 -static -o $@ $<

# Without Debian's kernel there is nothing to boot, and tests/bench/linux.py says so.
$(PEER_IMG): tests/bench/peer_init $(PEER_VMM) $(BUILD)/guests/bench.elf debian
	$(Q)[ ! -d $(DEBIAN)/modules ] || \
		tools/mkinitramfs $@ tests/bench/peer_init $(PEER_VMM) $(BUILD)/guests/bench.elf $(DEBIAN)/modules/*.ko

bench-peers: kernel guests bench-plugin $(PEER_IMG)
	$(Q)$(PYTHON) tests/bench/run.py --build $(BUILD) --peers $(BENCH_ARGS)

# Debian's kernel to its first user process, natively and as a guest.
FIRST_USER := $(BUILD)/bench/first_user
FIRST_IMG  := $(BUILD)/bench/first.img

$(FIRST_USER): tests/bench/first_user.c guests/lib/mark.h
	@mkdir -p $(@D)
	$(say) CC $@
	$(Q)$(CC) -std=c11 -O2 -m64 -ffreestanding -fno-stack-protector -fno-pic -no-pie -static -nostdlib $(WARN) -I. -o $@ $<

# It is /init itself; mkinitramfs adds busybox, which nobody runs.
$(FIRST_IMG): $(FIRST_USER) tools/mkinitramfs
	$(Q)tools/mkinitramfs $@ $(FIRST_USER)

bench-linux: kernel bench-plugin debian $(FIRST_IMG)
	$(Q)$(PYTHON) tests/bench/boot.py --build $(BUILD) $(BENCH_ARGS)

# Eight busy guests on 1, 2 and 4 processors of Bochs.
bench-scaling: kernel guests
	$(Q)$(PYTHON) tests/bench/scaling.py --build $(BUILD) $(BENCH_ARGS)

# All of it into docs/performance.md and docs/performance.svg: some minutes.
bench-docs:
	$(Q)$(MAKE) --no-print-directory bench-peers BENCH_ARGS=--docs
	$(Q)$(MAKE) --no-print-directory bench-linux BENCH_ARGS=--docs
	$(Q)$(MAKE) --no-print-directory bench-time BENCH_TIME_ARGS=--docs
