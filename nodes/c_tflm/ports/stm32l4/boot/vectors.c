#include "vectors.h"

static uint32_t get32(const uint8_t *at) {
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

bool boot_vectors_fit(const uint8_t vectors[8], uint32_t begin, uint32_t size, const struct boot_memory *ram) {
    const uint32_t stack = get32(vectors);
    const uint32_t entry = get32(vectors + 4);
    const bool thumb = (entry & 1) != 0;
    const bool inside = entry >= begin + 8 && entry - begin < size;
    if (!thumb || !inside || stack % 8 != 0) {
        return false;
    }
    for (; ram->end != 0; ram++) {
        if (stack > ram->begin && stack <= ram->end) {
            return true;
        }
    }
    return false;
}

uint32_t boot_note(uint8_t slot, const enum image_reply why[STORE_SLOTS]) {
    return UINT32_C(0xB0) << 24 | (uint32_t)slot << 16 | (uint32_t)why[1] << 8 | (uint32_t)why[0];
}

int8_t boot_note_slot(uint32_t note) {
    const uint32_t slot = note >> 16 & 0xFF;
    return note >> 24 == 0xB0 && slot < STORE_SLOTS ? (int8_t)slot : -1;
}
