/* The console of provisioning, on the serial port that leads to the workstation: README.md, "Console". It listens for a
 * moment after a power-on or a pin reset, longer only where there is no node, and while somebody speaks. */
#ifndef STETHOS_CONSOLE_H
#define STETHOS_CONSOLE_H

#include "run.h"

enum { CONSOLE_LISTEN_MS = 1000, CONSOLE_BAUD = 115200 };

/* What there is to answer from. */
struct console {
    struct run *run; /* nothing of it runs */
    const struct registers *registers;
    struct timebase *time;
    const char *firmware;
    uint8_t reset_cause;
};

/* This reset is one by hand. */
bool console_wanted(const struct console *console);

/* Waits for somebody to speak, at most so long, and serves them. Returns if nobody did, with the port as it was; else
 * it ends in a restart. */
void console_listen(const struct console *console, uint32_t listen_ms);

#endif
