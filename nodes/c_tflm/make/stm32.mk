# The STM32 firmwares, with a bare-metal toolchain: `make stm32`. For each chip one for its board, and one for QEMU, in
# which sample source, time base, flash and persistence are substitutes (ports/stm32/qemu).
ARM_CC ?= arm-none-eabi-gcc
STM32_CHIPS := stm32l4 stm32f4
STM32_BUILD := $(BUILD)/stm32
STM32_FLAGS := -std=c11 -Os -g -mcpu=cortex-m4 -mthumb -mfloat-abi=soft -ffreestanding -ffunction-sections \
	-fdata-sections -fno-common -fstack-usage -MD -MP
STM32_INCLUDE = $(INCLUDE) -Iports/stm32 -Iports/stm32/target -Iports/$(1) -Iports/stm32l4/boot
STM32_LINK := -mcpu=cortex-m4 -mthumb -mfloat-abi=soft --specs=nano.specs -nostartfiles -Wl,--gc-sections \
	-Wl,--fatal-warnings -Lports/stm32

# All that a node can be made of; the linker keeps what a firmware uses.
STM32_SOURCES := $(filter-out infer/binding.c infer/dot_portable.c %_text.c,$(wildcard core/*.c infer/*.c infer/ops/*.c))
STM32_CORE := $(STM32_SOURCES:%.c=$(STM32_BUILD)/%.o) $(STM32_BUILD)/gen/ops.o $(STM32_BUILD)/small/memory.o
STM32_COMMON := board board_commit board_store board_update cobs_uart config_page console firmware module run startup
STM32_REAL := persist_flash record_log rtc sensor lsm6dsl mpu6050 lis2dw12 source_sensor
STM32_QEMU := qemu/source qemu/time qemu/persist qemu/flash
# Of each chip: what every firmware of it has, and what only the one for the board has.
STM32_CHIP_stm32l4 := chip chip_current chip_signing uart adc backup
STM32_REAL_stm32l4 := time clock power watchdog i2c_dma flash nmi
STM32_CHIP_stm32f4 := chip chip_current uart
STM32_REAL_stm32f4 := time clock i2c_dma adc flash

# Currents come from the one table: a header for each sensor and line (energy.mk).
STM32_CURRENTS = $(patsubst %,$(GEN)/energy_$(1)_%_$(2).h,lsm6dsl mpu6050 mpu6050-accelerometer lis2dw12)
$(STM32_BUILD)/stm32l4/chip_current.o $(BUILD)/lint/ports/stm32l4/chip_current.done: \
	$(call STM32_CURRENTS,stm32l475,lpuart) $(call STM32_CURRENTS,stm32l475,ble)
$(STM32_BUILD)/stm32f4/chip_current.o $(BUILD)/lint/ports/stm32f4/chip_current.done: $(call STM32_CURRENTS,stm32f407,lpuart)

STM32_L4 := $(addprefix $(STM32_BUILD)/stethos-stm32l4,.elf -a.elf -b.elf)

.PHONY: stm32
stm32: $(foreach chip,$(STM32_CHIPS),$(STM32_BUILD)/stethos-$(chip)-qemu.elf) $(STM32_L4) \
	$(STM32_BUILD)/stethos-stm32f4.elf ## Needs arm-none-eabi-gcc

define STM32_RULES
$(STM32_BUILD)/$(1)/stm32/%.o: ports/stm32/%.c | $(GEN)/.done
	@mkdir -p $$(@D)
	$(ARM_CC) $(STM32_FLAGS) $(WARNINGS) $$(call STM32_INCLUDE,$(1)) -DFIRMWARE='"$(VERSION)"' -c -o $$@ $$<

$(STM32_BUILD)/$(1)/%.o: ports/$(1)/%.c | $(GEN)/.done
	@mkdir -p $$(@D)
	$(ARM_CC) $(STM32_FLAGS) $(WARNINGS) $$(call STM32_INCLUDE,$(1)) -c -o $$@ $$<

$(STM32_BUILD)/stethos-$(1)-qemu.elf: $(addprefix $(STM32_BUILD)/$(1)/stm32/,$(addsuffix .o,$(STM32_COMMON) \
		$(STM32_QEMU))) $(addprefix $(STM32_BUILD)/$(1)/,$(addsuffix .o,$(STM32_CHIP_$(1)))) $(STM32_CORE) \
		ports/$(1)/flash.ld ports/stm32/sections.ld
	$(ARM_CC) $(STM32_LINK) -Tports/$(1)/flash.ld -o $$@ $$(filter %.o,$$^)

STM32_OBJECTS_$(1) := $(addprefix $(STM32_BUILD)/$(1)/stm32/,$(addsuffix .o,$(STM32_COMMON) $(STM32_REAL))) \
	$(addprefix $(STM32_BUILD)/$(1)/,$(addsuffix .o,$(STM32_CHIP_$(1)) $(STM32_REAL_$(1)))) $(STM32_CORE)
endef
$(foreach chip,$(STM32_CHIPS),$(eval $(call STM32_RULES,$(chip))))

# For the board: alone in its flash, and for each of the two slots of boot/.
$(STM32_BUILD)/stethos-stm32l4.elf: STM32_SCRIPT := ports/stm32l4/flash.ld
$(STM32_BUILD)/stethos-stm32l4-a.elf: STM32_SCRIPT := ports/stm32l4/slot_a.ld
$(STM32_BUILD)/stethos-stm32l4-b.elf: STM32_SCRIPT := ports/stm32l4/slot_b.ld
$(STM32_L4): $(STM32_OBJECTS_stm32l4) $(wildcard ports/stm32l4/*.ld) ports/stm32/sections.ld
	$(ARM_CC) $(STM32_LINK) -T$(STM32_SCRIPT) -o $@ $(STM32_OBJECTS_stm32l4)

$(STM32_BUILD)/stethos-stm32f4.elf: $(STM32_OBJECTS_stm32f4) ports/stm32f4/flash.ld ports/stm32/sections.ld
	$(ARM_CC) $(STM32_LINK) -Tports/stm32f4/flash.ld -o $@ $(STM32_OBJECTS_stm32f4)

$(STM32_BUILD)/core/%.o: core/%.c | $(GEN)/.done
	@mkdir -p $(@D)
	$(ARM_CC) $(STM32_FLAGS) $(WARNINGS) $(INCLUDE) -c -o $@ $<

$(STM32_BUILD)/infer/%.o: infer/%.c | $(GEN)/.done
	@mkdir -p $(@D)
	$(ARM_CC) $(STM32_FLAGS) $(WARNINGS) $(INCLUDE) -c -o $@ $<

$(STM32_BUILD)/small/%.o: ports/small/%.c
	@mkdir -p $(@D)
	$(ARM_CC) $(STM32_FLAGS) $(WARNINGS) -c -o $@ $<

$(STM32_BUILD)/gen/%.o: $(GEN)/%.c
	@mkdir -p $(@D)
	$(ARM_CC) $(STM32_FLAGS) $(WARNINGS) $(INCLUDE) -c -o $@ $<

# The console is fuzzed on the fake of the L4's registers (tests/nodes/stm32_bench.py has the same list).
FUZZED_PORT := $(addprefix ports/stm32/,$(addsuffix .c,$(filter-out firmware startup,$(STM32_COMMON)) $(STM32_REAL))) \
	$(addprefix ports/stm32l4/,$(addsuffix .c,$(filter-out chip_signing,$(STM32_CHIP_stm32l4)) \
	$(filter-out nmi,$(STM32_REAL_stm32l4))))
$(BUILD)/fuzz/fuzz_console: $(TESTS)/fuzz/fuzz_console.c $(FUZZED_PORT) $(wildcard $(TESTS)/fakes/*.[ch] ports/stm32*/*.h) \
		$(LIBRARY) $(wildcard core/*.h infer/*.h) $(GEN)/.done $(GEN)/ops.c \
		$(call STM32_CURRENTS,stm32l475,lpuart) $(call STM32_CURRENTS,stm32l475,ble)
	@mkdir -p $(@D)
	$(CLANG) -std=c11 -O1 -g -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all -w -I$(TESTS)/fakes \
		-Iports/stm32 -Iports/stm32l4 $(INCLUDE) -o $@ $< $(FUZZED_PORT) $(wildcard $(TESTS)/fakes/*.c) $(LIBRARY) \
		$(GEN)/ops.c

-include $(shell find $(STM32_BUILD) -name '*.d' 2>/dev/null)
