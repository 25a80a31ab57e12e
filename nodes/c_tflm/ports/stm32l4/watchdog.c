#include "watchdog.h"

#include "l4.h"

enum { START = 0xCCCC, UNLOCK = 0x5555, RELOAD = 0xAAAA, OVER_256 = 6, COUNTS = 4095, TRIES = 100000 };

void watchdog_start(const struct registers *r) {
    register_write(r, IWDG_KR, START);
    register_write(r, IWDG_KR, UNLOCK);
    register_write(r, IWDG_PR, OVER_256);
    register_write(r, IWDG_RLR, COUNTS);
    register_until(r, IWDG_SR, UINT32_MAX, 0, TRIES);
    watchdog_feed(r);
}

void watchdog_feed(const struct registers *r) {
    register_write(r, IWDG_KR, RELOAD);
}

bool watchdog_sleeps(const struct registers *r) {
    return register_is(r, FLASH_OPTR, FLASH_OPTR_IWDG_STOP, 0);
}
