/* The durable records of the node, bound at link time: flash of a chip, or memory in an emulator (qemu/persist.c). */
#ifndef STETHOS_PERSIST_H
#define STETHOS_PERSIST_H

#include "registers.h"

struct persist;

/* There is one. */
struct persist *persist_open(const struct registers *r);

/* As in core/port.h. */
bool persist_read(struct persist *persist, uint8_t slot, uint8_t *out);
bool persist_write(struct persist *persist, uint8_t slot, const uint8_t *record);

/* A configuration is fresh until its node has made its first records: they are made only then, and never again with
 * the same key. persist_used is durable when it returns true. */
bool persist_is_fresh(struct persist *persist);
bool persist_used(struct persist *persist);

#endif
