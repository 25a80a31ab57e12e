/* Flash of an emulator that has none which can be written: the stores of configuration and model in memory that a reset
 * leaves as it is. Until it is written, a slot is what was loaded with the firmware. */
#include "flash.h"

#include <string.h>

#include "chip_layout.h"
#include "config_page.h"
#include "flash_steps.h"

#define KEPT UINT32_C(0x4B455054)

enum { HEAD = 512, MODEL_ROOM = 10240, CONFIG_BYTES = CONFIG_ROOM + 2 * FLASH_WORD, AREAS = 8 };

/* What is kept of the stores, and nothing else. */
struct memory {
    uint32_t kept[AREAS]; /* KEPT: this is what lies there */
    uint8_t heads[STORE_SLOTS * 2][HEAD];
    uint8_t configs[STORE_SLOTS][CONFIG_BYTES];
    uint8_t models[STORE_SLOTS][MODEL_ROOM];
};

static struct memory memory __attribute__((section(".retained")));

struct area {
    uint32_t address, size;
    uint8_t *bytes;
};

/* Two for each slot: head and payload. */
static struct area area_of(unsigned number) {
    const enum store store = number < AREAS / 2 ? STORE_CONFIG : STORE_MODEL;
    const uint8_t slot = number / 2 % 2;
    const uint32_t address = chip_store_address(store, slot);
    if (number % 2 == 0) {
        return (struct area){address, HEAD, memory.heads[number / 2]};
    }
    return store == STORE_CONFIG ? (struct area){address + CHIP_STORE_HEAD, CONFIG_BYTES, memory.configs[slot]}
                                 : (struct area){address + CHIP_STORE_HEAD, MODEL_ROOM, memory.models[slot]};
}

/* Where `n` bytes lie all in one area, -1: in none. */
static int find(uint32_t address, size_t n, struct area *area) {
    for (unsigned i = 0; i < AREAS; i++) {
        *area = area_of(i);
        if (address >= area->address && n <= area->size && address - area->address <= area->size - n) {
            return (int)i;
        }
    }
    return -1;
}

bool flash_read(const struct registers *r, uint32_t address, uint8_t *out, size_t n) {
    struct area area;
    const int i = find(address, n, &area);
    if (i >= 0 && memory.kept[i] == KEPT) {
        memcpy(out, area.bytes + (address - area.address), n);
    } else {
        flash_copy(r, address, out, n);
    }
    return true;
}

bool flash_erase(const struct registers *r, uint32_t address) {
    (void)r;
    for (unsigned i = 0; i < AREAS; i++) {
        const struct area area = area_of(i);
        if (area.address >= address && area.address - address < CHIP_FLASH_PAGE) {
            memset(area.bytes, 0xFF, area.size);
            memory.kept[i] = KEPT;
        }
    }
    return true;
}

bool flash_program(const struct registers *r, uint32_t address, const uint8_t *data, size_t n) {
    struct area area;
    const int i = find(address, n, &area);
    if (i < 0) {
        return false;
    }
    if (memory.kept[i] != KEPT) {
        flash_copy(r, area.address, area.bytes, area.size);
        memory.kept[i] = KEPT;
    }
    memcpy(area.bytes + (address - area.address), data, n);
    return true;
}

const uint8_t *flash_memory(const struct registers *r, uint32_t address) {
    struct area area;
    const int i = find(address, 1, &area);
    return i >= 0 && memory.kept[i] == KEPT ? area.bytes + (address - area.address) : register_memory(r, address);
}
