# clang-tidy and cppcheck over what is ours: `make lint`, a part of `make check`. clang-tidy looks at a file again when
# the file, a header or the list of checks has changed.
CLANG_TIDY ?= clang-tidy
CPPCHECK ?= cppcheck
LINTED := $(wildcard core/*.c infer/*.c infer/ops/*.c ports/bench/*.c ports/rv32/*.c ports/host/*.c)
LINT_HEADERS := $(wildcard core/*.h infer/*.h infer/ops/*.h ports/*/*.h)
LINT_FLAGS := -std=c11 $(INCLUDE) -Iports/bench $(HOST_BASE)
# What only one processor understands; the C library's headers are found from the compiler's.
LINT_ARM_HEADERS = $(shell $(ARM_GCC) -print-file-name=include)/../../../../arm-none-eabi/include
$(BUILD)/lint/ports/bench/start_arm.done $(BUILD)/lint/infer/dot_dsp.done: LINT_TARGET = \
	--target=arm-none-eabi -mcpu=cortex-m4 -isystem $(LINT_ARM_HEADERS)
$(BUILD)/lint/ports/rv32/start.done: LINT_TARGET := --target=riscv32

.PHONY: lint lint-tidy lint-cppcheck
check: lint
lint: lint-cppcheck
	$(MAKE) -j$(shell nproc) lint-tidy

lint-tidy: $(LINTED:%.c=$(BUILD)/lint/%.done)

$(BUILD)/lint/%.done: %.c .clang-tidy $(LINT_HEADERS) | $(GEN)/.done
	@mkdir -p $(@D)
	@said=$$($(CLANG_TIDY) --quiet $< -- $(LINT_FLAGS) $(LINT_TARGET) 2>/dev/null) || { echo "$$said"; exit 1; }
	@touch $@

# Left out: what takes a call through a pointer for one that changes nothing; what -Wshadow says better; `0 | 1 << n` in
# tables; that a negative number is shifted right, which every compiler meant here does with its sign; and in replay.c a
# conditional expression of two compound literals, which cppcheck does not get to the end of.
lint-cppcheck:
	$(CPPCHECK) --quiet -j$(shell nproc) --std=c11 --enable=warning,style,performance,portability --error-exitcode=1 \
		--inline-suppr --suppress=missingIncludeSystem --suppress=knownConditionTrueFalse --suppress=shadowFunction \
		--suppress=badBitmaskCheck --suppress=shiftTooManyBitsSigned \
		--suppress=internalAstError:core/replay.c -Icore -Iinfer -Iports/bench -Iports/host $(LINTED)

