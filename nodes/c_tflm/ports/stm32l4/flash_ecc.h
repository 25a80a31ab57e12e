/* Reading a word that was being written when the power went is a non-maskable interrupt on this chip. */
#ifndef STETHOS_FLASH_ECC_H
#define STETHOS_FLASH_ECC_H

#include "registers.h"

/* In that interrupt. False: it came from something else. */
bool flash_ecc_error(const struct registers *r);

#endif
