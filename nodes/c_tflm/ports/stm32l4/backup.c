#include "backup.h"

#include "l4.h"

void backup_open(const struct registers *r) {
    register_set(r, RCC_APB1ENR1, RCC_APB1ENR1_PWREN);
    register_set(r, PWR_CR1, PWR_CR1_DBP);
}

uint32_t backup_read(const struct registers *r, enum backup which) {
    return register_read(r, RTC_BKPR + 4 * (uint32_t)which);
}

void backup_write(const struct registers *r, enum backup which, uint32_t value) {
    register_write(r, RTC_BKPR + 4 * (uint32_t)which, value);
}
