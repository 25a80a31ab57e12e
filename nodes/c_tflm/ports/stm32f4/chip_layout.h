/* What the common part of the port has to know of this chip and board at build time.
 *
 * 1 MB of flash in 12 sectors of 16, 64 and 128 KB; one bank, so the core waits while it is written.
 *   sector 0         16 KB        vectors
 *   sectors 1, 2     16 KB each   records of core/port.h, slots 0 and 1
 *   sector 3         16 KB        mark of the first records
 *   sector 4         64 KB        firmware
 *   sectors 5, 6     128 KB each  configuration, slots A and B
 *   sectors 7, 8     128 KB each  model, slots A and B
 *   sectors 9, 10    128 KB each  records, slots 2 and 3
 *   sector 11        128 KB       free */
#ifndef STETHOS_CHIP_LAYOUT_H
#define STETHOS_CHIP_LAYOUT_H

#include "f4.h"
#include "store.h"

#define CHIP_BOARD "stm32f4"
#define CHIP_RESET_HZ UINT32_C(16000000)     /* HSI */
#define CHIP_EMULATED_HZ UINT32_C(168000000) /* QEMU: whatever the clock tree says */
#define CHIP_INTERRUPTS 82
#define CHIP_HANDLERS [15 + IRQ_USART1] = line_interrupt, [15 + IRQ_USART2] = feed_interrupt

#define CHIP_FLASH UINT32_C(0x08000000)
#define CHIP_FLASH_PAGE UINT32_C(0x20000) /* of every sector that holds slots */
#define CHIP_STORE_HEAD 0x200
#define CHIP_STORE_SIZES                                                                                               \
    { [STORE_MODEL] = 0x20000, [STORE_CONFIG] = 0x20000 }

#define CHIP_RECORD_SLOTS 4
#define CHIP_RECORD_AREA UINT32_C(0x4000) /* of the larger sectors the rest stays free */
#define CHIP_MARK_ADDRESS (CHIP_FLASH + UINT32_C(0xC000))

static inline uint32_t chip_record_address(uint8_t slot) {
    return slot < 2 ? CHIP_FLASH + UINT32_C(0x4000) + CHIP_RECORD_AREA * slot
                    : CHIP_FLASH + UINT32_C(0xA0000) + CHIP_FLASH_PAGE * (slot - 2u);
}

static inline uint32_t chip_store_address(enum store store, uint8_t slot) {
    static const uint32_t AT[STORES] = {[STORE_CONFIG] = 0x20000, [STORE_MODEL] = 0x60000};
    return CHIP_FLASH + AT[store] + CHIP_FLASH_PAGE * slot;
}

#endif
