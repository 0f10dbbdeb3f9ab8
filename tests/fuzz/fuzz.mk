# libFuzzer targets: tests/fuzz/fuzz_NAME.c is the program build/fuzz/fuzz_NAME. Included by the top Makefile.
# A target that needs more than timers/ and vmm/ names it as unit tests do: /* links: kernel/format.c */, and a
# library: /* libraries: capstone */.
F         := $(BUILD)/fuzz
FUZZ_CC   ?= clang
FUZZ_TIME ?= 600
FUZZ_RUN  := $(PYTHON) tests/fuzz/run.py $(F)
FUZZ_SAN  := -fsanitize=address,undefined -fno-sanitize-recover=all
FUZZ_C    := $(sort $(wildcard tests/fuzz/fuzz_*.c))
FUZZ_BIN  := $(FUZZ_C:tests/fuzz/%.c=$(F)/%)
FUZZ_LIB  := $(HOSTLIB_C:%.c=$(F)/%.o)

.PHONY: fuzz fuzz-test fuzz-build
fuzz-build: $(FUZZ_BIN)
# In `make test`: each target its corpus and as many inputs as take a few seconds, the same each time.
fuzz-test: fuzz-build
	$(FUZZ_RUN) --short
# For hours: FUZZ_TIME seconds a target; FUZZ="decode load" only these.
fuzz: fuzz-build
	$(FUZZ_RUN) --seconds $(FUZZ_TIME) $(FUZZ)

$(F)/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(say) FUZZCC $<
	$(Q)$(FUZZ_CC) $(HCFLAGS) $(FUZZ_SAN) -fsanitize=fuzzer-no-link -MMD -MP -c $< -o $@

$(F)/libfuzz.a: $(FUZZ_LIB)
	@rm -f $@
	$(Q)ar rcs $@ $^

named = $(shell sed -n 's/.*$(1): *\(.*\)\*\/.*/\1/p' $(2))
define fuzz_rule
$(F)/$(basename $(notdir $(1))): $(F)/$(1:.c=.o) $(patsubst %.c,$(F)/%.o,$(call named,links,$(1))) $(F)/libfuzz.a
	$(say) FUZZLD $$@
	$(Q)$(FUZZ_CC) $(FUZZ_SAN) -fsanitize=fuzzer $$^ $(patsubst %,-l%,$(call named,libraries,$(1))) -lcmocka -o $$@
endef
$(foreach t,$(FUZZ_C),$(eval $(call fuzz_rule,$(t))))

-include $(FUZZ_LIB:.o=.d) $(FUZZ_C:%.c=$(F)/%.d) $(wildcard $(F)/kernel/*.d $(F)/arch/*/*.d $(F)/tools/*/*.d)
