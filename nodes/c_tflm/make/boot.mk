# The boot stub of the STM32L4: slots A and B, signatures, watchdog. `make boot` needs arm-none-eabi-gcc.
ARM_CC ?= arm-none-eabi-gcc
BOOT_BUILD := $(BUILD)/boot
BOOT_FLAGS := -std=c11 -Os -g -mcpu=cortex-m4 -mthumb -mfloat-abi=soft -ffreestanding -ffunction-sections \
	-fdata-sections -fno-common -fstack-usage -MD -MP
BOOT_INCLUDE := -Icore -Iinfer -Iports/stm32 -Iports/stm32/target -Iports/stm32l4 -Iports/stm32l4/boot
BOOT_SOURCES := $(wildcard ports/stm32l4/boot/*.c) ports/stm32l4/flash.c ports/stm32/board_store.c ports/small/memory.c \
	$(addprefix core/,slots.c image.c sha256.c sha512.c ed25519_verify.c crc.c)
BOOT_OBJECTS := $(BOOT_SOURCES:%.c=$(BOOT_BUILD)/%.o)

.PHONY: boot
boot: $(BUILD)/stethos-boot-stm32l4.elf ## Needs arm-none-eabi-gcc

$(BUILD)/stethos-boot-stm32l4.elf: $(BOOT_OBJECTS) ports/stm32l4/boot/boot.ld
	$(ARM_CC) -mcpu=cortex-m4 -mthumb --specs=nano.specs -nostartfiles -Wl,--gc-sections -Wl,--fatal-warnings \
		-Tports/stm32l4/boot/boot.ld -o $@ $(BOOT_OBJECTS)

$(BOOT_BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(ARM_CC) $(BOOT_FLAGS) $(WARNINGS) $(BOOT_INCLUDE) -c -o $@ $<

-include $(BOOT_OBJECTS:.o=.d)
