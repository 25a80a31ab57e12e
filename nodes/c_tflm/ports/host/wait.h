/* Waiting that SIGTERM and SIGINT cut short. */
#ifndef STETHOS_WAIT_H
#define STETHOS_WAIT_H

#include <stdbool.h>
#include <stdint.h>

/* Hold the signals back everywhere but in wait_readable. */
void wait_init(void);
bool wait_stopped(void);

/* Until `fd` (none: -1) is readable, a signal comes, or `us` microseconds are over. */
void wait_readable(int fd, uint64_t us);

uint64_t wait_monotonic_us(void);

#endif
