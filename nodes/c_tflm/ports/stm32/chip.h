/* What the common part of the port asks of a chip and the board it sits on; each defines it in its chip.c. */
#ifndef STETHOS_CHIP_H
#define STETHOS_CHIP_H

#include "port.h"
#include "registers.h"

/* Clocks of the peripherals, pins. The core's own clock is the time base's business. */
void chip_start(const struct registers *r);

/* nodes/wire/SPEC.md, "Reset cause". */
enum { RESET_POWER_ON, RESET_PIN, RESET_SOFTWARE, RESET_WATCHDOG, RESET_BROWN_OUT, RESET_UNKNOWN };

/* One of these. The cause is forgotten by this: it is read once after a reset. */
uint8_t chip_reset_cause(const struct registers *r);

void chip_lamp(const struct registers *r, bool on);

uint16_t chip_supply_mv(const struct registers *r);

/* The serial port to the gateway, and the one that feeds samples in an emulator. */
uint32_t chip_line_base(void);
uint32_t chip_feed_base(void);
uint32_t chip_uart_clock_hz(void);
void chip_uart_listen(const struct registers *r); /* lets the interrupts of both pend */

/* Mean supply current in each activity, in nA. */
extern const uint32_t CHIP_CURRENT_NA[ACTIVITIES];

#endif
