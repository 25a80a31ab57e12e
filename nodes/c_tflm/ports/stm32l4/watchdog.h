/* The independent watchdog ("IWDG"): whoever does not feed it for WATCHDOG_MS is reset. */
#ifndef STETHOS_WATCHDOG_H
#define STETHOS_WATCHDOG_H

#include "registers.h"

enum { WATCHDOG_MS = 26000 }; /* LSI runs up to a tenth too fast: 32 s are as few as 29 */

/* Once started it cannot be stopped. */
void watchdog_start(const struct registers *r);
void watchdog_feed(const struct registers *r);

/* It stands still in Stop (an option byte), so sleep needs no feeding. */
bool watchdog_sleeps(const struct registers *r);

#endif
