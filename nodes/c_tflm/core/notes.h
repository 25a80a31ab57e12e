/* Notes: what should outlive a reset, but may be an hour old: counts, and how fast the clock runs.
 *
 * They lie in two slots of durable storage that take turns, apart from the numbers that must never repeat: a board that
 * has no such slots loses them with each reset, and nothing else. */
#ifndef STETHOS_NOTES_H
#define STETHOS_NOTES_H

#include <stdbool.h>
#include <stdint.h>

#include "port.h"

enum { NOTES_SLOT = 2, NOTES_EVERY_MS = 3600000 /* at most so often: flash wears */ };

struct notes {
    uint32_t write; /* counts the writes: the higher of two valid slots is the newer */
    uint32_t restarts;
    uint32_t anomalous; /* windows */
    uint32_t flags;
    uint32_t faults;
    uint32_t deferred;
    int32_t fast_ppm; /* clock.h */
};

/* The newest of what was kept; zeros if there is none. */
void notes_open(struct notes *notes, const struct port *port);

/* Keep them, under the next number of `write`. False: they are not kept. */
bool notes_keep(struct notes *notes, const struct port *port);

#endif
