/* A radio module at the end of a serial port, told by lines of text what to do; between "open" and "close" it is a wire
 * to the gateway, for whose frames cobs_uart.h is there as on any other.
 *
 * The commands are those of Microchip's RN4870/71 ("RN4870/71 Bluetooth Low Energy Module User's Guide", "Command
 * Reference"), a BLE module with a transparent UART. Between the node's reports it lies dormant, and is woken by a pin.
 * It may be silent, refuse, or lose bytes: every wait has an end, and everything is tried a few times. */
#ifndef STETHOS_MODULE_H
#define STETHOS_MODULE_H

#include "cobs_uart.h"

enum module_state { MODULE_DORMANT, MODULE_OPEN, MODULE_GIVEN_UP };

struct module {
    const struct registers *registers;
    struct timebase *time;
    struct uart *uart;
    uint8_t state;
    uint32_t refused; /* answers that were refusals */
    uint32_t silent;  /* answers that did not come */
};

void module_start(struct module *module, const struct registers *r, struct timebase *time, struct uart *uart);

/* Somebody listens at the other end. What has failed once is not tried again before it has been closed. */
bool module_open(struct module *module);

/* Disconnected and dormant; nothing to do if it is. */
void module_close(struct module *module);

#endif
