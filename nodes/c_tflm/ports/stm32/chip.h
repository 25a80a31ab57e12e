/* What the common part of the port asks of a chip and the board it sits on; each defines it in its chip.c. */
#ifndef STETHOS_CHIP_H
#define STETHOS_CHIP_H

#include "config_page.h"
#include "image.h"
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

/* The serial port to the gateway (enum config_line), 0: this chip has none such; and the one that feeds samples in an
 * emulator. */
uint32_t chip_line_base(uint8_t line);
uint32_t chip_feed_base(void);
uint32_t chip_uart_clock_hz(void);

/* The pin that keeps the radio module awake. */
void chip_module_wake(const struct registers *r, bool awake);

void chip_uart_listen(const struct registers *r); /* lets the interrupts of all pend */

/* Mean supply current in each activity, in nA, with the sensor and the line that the configuration names:
 * gateway/energy. */
const uint32_t *chip_current_na(const struct config_page *config);

/* The slot that this firmware runs from; -1: it lies alone. */
int8_t chip_running_slot(const struct registers *r);

/* Key and function that signatures are verified with, where the chip has them; else `rules` stays as it is. */
void chip_signing(struct image_rules *rules);

#endif
