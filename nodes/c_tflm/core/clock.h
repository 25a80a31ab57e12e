/* How fast the node's clock runs against the gateway's, from the time in its Acks; corrects how long the node sleeps.
 *
 * Sleep clocks of microcontrollers are off by up to a tenth; a node that wakes late looks lost. */
#ifndef STETHOS_CLOCK_H
#define STETHOS_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

enum {
    CLOCK_BASELINE_MS = 600000, /* shortest stretch to measure over: a tenth of a second of delay is then 170 ppm */
    CLOCK_LIMIT_PPM = 100000,   /* a difference beyond it is not drift, and is not corrected */
};

struct clock {
    uint64_t local_ms; /* one moment on both clocks: the start of the present stretch */
    uint64_t gateway_ms;
    int32_t fast_ppm; /* how much faster the node's clock runs; as last measured */
    bool started;
};

/* It is `gateway_ms` at the gateway when it is `local_ms` here. */
void clock_compare(struct clock *clock, uint64_t local_ms, uint64_t gateway_ms);

/* How much time has passed at the gateway when `local_ms` have passed here. */
uint64_t clock_gateway_ms(const struct clock *clock, uint64_t local_ms);

/* How long to wait on the node's clock for `ms` to pass at the gateway. */
uint32_t clock_local_ms(const struct clock *clock, uint32_t ms);

#endif
