/* The flash of the chip, by address; the chip's own flash.c defines these. A word is 8 bytes, and is written once
 * between two erasures. */
#ifndef STETHOS_FLASH_H
#define STETHOS_FLASH_H

#include <stddef.h>

#include "registers.h"

enum { FLASH_WORD = 8 };

/* False: a word in there is unreadable, as one is that was being written when the power went. */
bool flash_read(const struct registers *r, uint32_t address, uint8_t *out, size_t n);

/* The page, or sector, that begins at `address`. */
bool flash_erase(const struct registers *r, uint32_t address);

/* Whole words, in order. False: the flash has refused one, and what follows it is not written. */
bool flash_program(const struct registers *r, uint32_t address, const uint8_t *data, size_t n);

/* Where the flash can be read as memory. */
const uint8_t *flash_memory(const struct registers *r, uint32_t address);

#endif
