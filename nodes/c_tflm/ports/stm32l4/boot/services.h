/* What the boot stub holds for the firmware that it starts: code that both need, at one place in flash. It needs no
 * memory of its own but stack. */
#ifndef STETHOS_BOOT_SERVICES_H
#define STETHOS_BOOT_SERVICES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BOOT_SERVICES_MAGIC UINT32_C(0x31425453) /* "STB1" */
#define BOOT_SERVICES ((const struct boot_services *)UINT32_C(0x08000200))

struct boot_services {
    uint32_t magic;
    const uint8_t *public_key; /* Ed25519, in the stub's last page; while that is erased no signature is good */
    bool (*verify)(const uint8_t *signature, const uint8_t *key, const uint8_t *message, size_t n);
};

/* NULL where the firmware lies alone in its flash, without a stub. */
static inline const struct boot_services *boot_services(void) {
    return BOOT_SERVICES->magic == BOOT_SERVICES_MAGIC ? BOOT_SERVICES : NULL;
}

#endif
