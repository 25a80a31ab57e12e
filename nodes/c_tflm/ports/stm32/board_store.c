/* Slots A and B of everything that can be replaced (core/store.h), in the chip's flash. */
#include "board.h"
#include "chip_layout.h"
#include "flash.h"

static bool within(enum store store, uint8_t slot, uint32_t at, uint32_t n) {
    static const uint32_t SIZE[STORES] = CHIP_STORE_SIZES;
    return (unsigned)store < STORES && slot < STORE_SLOTS && at <= SIZE[store] && n <= SIZE[store] - at;
}

static bool store_read(void *context, enum store store, uint8_t slot, uint32_t at, uint8_t *out, uint32_t n) {
    const struct board *board = context;
    return within(store, slot, at, n) && flash_read(board->registers, chip_store_address(store, slot) + at, out, n);
}

static bool store_write(void *context, enum store store, uint8_t slot, uint32_t at, const uint8_t *data, uint32_t n) {
    const struct board *board = context;
    return within(store, slot, at, n) && flash_program(board->registers, chip_store_address(store, slot) + at, data, n);
}

static bool store_erase(void *context, enum store store, uint8_t slot) {
    static const uint32_t SIZE[STORES] = CHIP_STORE_SIZES;
    const struct board *board = context;
    if (!within(store, slot, 0, 1)) {
        return false;
    }
    for (uint32_t at = 0; at < SIZE[store]; at += CHIP_FLASH_PAGE) {
        if (!flash_erase(board->registers, chip_store_address(store, slot) + at)) {
            return false;
        }
    }
    return true;
}

const struct port_store BOARD_STORE = {
    .size = CHIP_STORE_SIZES,
    .page = CHIP_STORE_HEAD,
    .read = store_read,
    .erase = store_erase,
    .write = store_write,
};
