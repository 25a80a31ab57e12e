# clang-tidy and cppcheck over what is ours: `make lint`, a part of `make check`. clang-tidy looks at a file again when
# the file, a header or the list of checks has changed.
CLANG_TIDY ?= clang-tidy
CPPCHECK ?= cppcheck
LINT_STM32 := $(wildcard ports/stm32/*.c ports/stm32/*/*.c ports/stm32l4/*.c ports/stm32l4/boot/*.c ports/stm32f4/*.c)
LINT_ESP32 := $(wildcard ports/esp32/component/*.c ports/esp32/example/main/*.c)
LINT_TEMPLATE := $(wildcard ports/template/*.c)
LINTED := $(wildcard core/*.c infer/*.c infer/ops/*.c ports/bench/*.c ports/rv32/*.c ports/host/*.c) \
	$(LINT_STM32) $(LINT_ESP32) $(LINT_TEMPLATE)
LINT_HEADERS := $(wildcard core/*.h infer/*.h infer/ops/*.h ports/*/*.h ports/*/*/*.h ports/*/*/*/*.h)
LINT_FLAGS := -std=c11 $(INCLUDE) -Iports/bench $(HOST_BASE)
# What only one processor understands; the C library's headers are found from the compiler's.
LINT_ARM_HEADERS = $(shell $(ARM_GCC) -print-file-name=include)/../../../../arm-none-eabi/include
$(BUILD)/lint/ports/bench/start_arm.done $(BUILD)/lint/infer/dot_dsp.done: LINT_TARGET = \
	--target=arm-none-eabi -mcpu=cortex-m4 -isystem $(LINT_ARM_HEADERS)
$(BUILD)/lint/ports/rv32/start.done: LINT_TARGET := --target=riscv32
$(LINT_STM32:%.c=$(BUILD)/lint/%.done): LINT_TARGET = \
	--target=arm-none-eabi -mcpu=cortex-m4 -ffreestanding -isystem $(LINT_ARM_HEADERS) -Iports/stm32/target \
	-Iports/stm32 -Iports/$(if $(findstring stm32f4,$@),stm32f4,stm32l4) -Iports/stm32l4/boot
# What of ESP-IDF the port uses, as the tests have it.
$(LINT_ESP32:%.c=$(BUILD)/lint/%.done): LINT_TARGET := \
	-I$(TESTS)/fakes_idf -Iports/esp32/component -Iports/esp32/component/include
$(LINT_ESP32:%.c=$(BUILD)/lint/%.done): $(GEN)/energy_esp32c3_lis2dw12_wifi.h
$(LINT_TEMPLATE:%.c=$(BUILD)/lint/%.done): LINT_TARGET := -Iports/template
$(LINT_TEMPLATE:%.c=$(BUILD)/lint/%.done): $(GEN)/energy_stm32l475_lis2dw12_lpuart.h

.PHONY: lint lint-tidy lint-cppcheck
check: lint
lint: lint-cppcheck
	$(MAKE) -j$(shell nproc) lint-tidy

lint-tidy: $(LINTED:%.c=$(BUILD)/lint/%.done)

$(BUILD)/lint/%.done: %.c .clang-tidy $(LINT_HEADERS) | $(GEN)/.done
	@mkdir -p $(@D)
	@said=$$($(CLANG_TIDY) --quiet $< -- $(LINT_TARGET) $(LINT_FLAGS) 2>/dev/null) || { echo "$$said"; exit 1; }
	@touch $@

# Left out: what takes a call through a pointer for one that changes nothing; what -Wshadow says better; `0 | 1 << n` in
# tables; that a negative number is shifted right, which every compiler meant here does with its sign; and in replay.c a
# conditional expression of two compound literals, which cppcheck does not get to the end of.
lint-cppcheck:
	$(CPPCHECK) --quiet -j$(shell nproc) --std=c11 --enable=warning,style,performance,portability --error-exitcode=1 \
		--inline-suppr --suppress=missingIncludeSystem --suppress=knownConditionTrueFalse --suppress=shadowFunction \
		--suppress=badBitmaskCheck --suppress=shiftTooManyBitsSigned \
		--suppress=internalAstError:core/replay.c -Icore -Iinfer -Iports/bench -Iports/host -Iports/template \
		-Iports/stm32 -Iports/stm32/target -Iports/stm32l4 -Iports/stm32l4/boot -Iports/esp32/component \
		-Iports/esp32/component/include $(LINTED)

