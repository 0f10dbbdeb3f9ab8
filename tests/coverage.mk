# Branch coverage of timers/ and vmm/ by the unit tests: clang's source-based one, without ASSERTs (which cannot fail).
# Included by the top Makefile.
C         := $(BUILD)/coverage
COVER_CC  ?= clang
COVER     := -fprofile-instr-generate -fcoverage-mapping
COVER_BIN := $(UNIT_C:tests/unit/%.c=$(C)/%)
COVER_LIB := $(HOSTLIB_C:%.c=$(C)/%.o)

.PHONY: coverage
coverage: $(COVER_BIN)
	$(PYTHON) tests/coverage.py $(C)

$(C)/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(say) COVERCC $<
	$(Q)$(COVER_CC) -std=c11 -I. -O0 -g -w -D_DEFAULT_SOURCE $(COVER) -MMD -MP -c $< -o $@

define cover_rule
$(C)/$(basename $(notdir $(1))): $(C)/$(1:.c=.o) $(patsubst %.c,$(C)/%.o,$(call named,links,$(1))) $(COVER_LIB)
	$(Q)$(COVER_CC) $(COVER) $$^ -lcmocka -o $$@
endef
$(foreach t,$(UNIT_C),$(eval $(call cover_rule,$(t))))

-include $(COVER_LIB:.o=.d) $(UNIT_C:%.c=$(C)/%.d)
