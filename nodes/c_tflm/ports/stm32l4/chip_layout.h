/* What the common part of the port has to know of this chip and board at build time.
 *
 * 1 MB of flash in two banks of 256 pages of 2 KB, laid out alike: slot A of everything lies in bank 1, slot B in bank
 * 2, so that one can be written while the core runs from the other.
 *   +0x00000   32 KB  what starts first (boot/), in bank 1
 *   +0x08000  352 KB  firmware
 *   +0x60000   64 KB  model
 *   +0x70000    8 KB  learner
 *   +0x72000    4 KB  configuration
 *   +0x7E800    2 KB  mark of the first records, in bank 1
 *   +0x7F000    4 KB  records: a page for each slot of core/port.h, the even ones in bank 1 */
#ifndef STETHOS_CHIP_LAYOUT_H
#define STETHOS_CHIP_LAYOUT_H

#include "l4.h"
#include "store.h"

#define CHIP_BOARD "b-l475e-iot01a"
#define CHIP_RESET_HZ UINT32_C(4000000) /* MSI */
#define CHIP_EMULATED_HZ CHIP_RESET_HZ
#define CHIP_INTERRUPTS 82
#define CHIP_HANDLERS                                                                                                  \
    [15 + IRQ_USART1] = line_interrupt, [15 + IRQ_LPUART1] = line_interrupt, [15 + IRQ_USART2] = feed_interrupt

#define CHIP_FLASH UINT32_C(0x08000000)
#define CHIP_FLASH_BANK UINT32_C(0x80000)
#define CHIP_FLASH_PAGE UINT32_C(0x800)
#define CHIP_STORE_HEAD 0x800
#define CHIP_STORE_SIZES                                                                                               \
    { [STORE_MODEL] = 0x10000, [STORE_CONFIG] = 0x1000, [STORE_LEARNER] = 0x2000, [STORE_FIRMWARE] = 0x58000 }

#define CHIP_RECORD_SLOTS 4
#define CHIP_RECORD_AREA CHIP_FLASH_PAGE
#define CHIP_MARK_ADDRESS (CHIP_FLASH + UINT32_C(0x7E800))

static inline uint32_t chip_record_address(uint8_t slot) {
    return CHIP_FLASH + CHIP_FLASH_BANK * (slot % 2u) + UINT32_C(0x7F000) + CHIP_FLASH_PAGE * (slot / 2u);
}

static inline uint32_t chip_store_address(enum store store, uint8_t slot) {
    static const uint32_t AT[STORES] = {
        [STORE_MODEL] = 0x60000, [STORE_CONFIG] = 0x72000, [STORE_LEARNER] = 0x70000, [STORE_FIRMWARE] = 0x8000};
    return CHIP_FLASH + CHIP_FLASH_BANK * slot + AT[store];
}

#endif
