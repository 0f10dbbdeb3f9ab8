# What it costs, counted to the instruction. Included by the top Makefile.
COUNT_SO   := $(BUILD)/bench/count.so
BENCH_ARGS ?=

.PHONY: bench bench-plugin bench-profile
bench-plugin: $(COUNT_SO)

# Loaded into QEMU, so it is the host's, whatever the guests are.
$(COUNT_SO): tests/bench/count.c tests/bench/qemu_plugin.h guests/lib/mark.h
	@mkdir -p $(@D)
	$(say) HOSTCC $@
	$(Q)$(HOSTCC) $(STD) -O2 -fPIC -shared -o $@ $<

bench: kernel guests bench-plugin
	$(Q)$(PYTHON) tests/bench/run.py --build $(BUILD) $(BENCH_ARGS)

# Where they go, function by function: make bench-profile BENCH_ARGS="cpuid switch"
bench-profile: kernel guests bench-plugin
	$(Q)$(PYTHON) tests/bench/profile.py --build $(BUILD) $(BENCH_ARGS)
