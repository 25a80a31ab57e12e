/* A link of the host: carries envelopes, knows nothing of what they mean. One file per carrier. */
#ifndef STETHOS_LINK_H
#define STETHOS_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { LINK_ERROR_SIZE = 200 };

struct link; /* each carrier's own */

struct link_operations {
    /* `address` is what follows the colon in --link. NULL with a sentence in `error`. */
    struct link *(*open)(const char *address, const char *kid_hex, char error[LINK_ERROR_SIZE]);
    bool (*send)(struct link *link, const uint8_t *envelope, size_t n);
    /* One envelope that has come, without waiting for more; 0: none. */
    size_t (*receive)(struct link *link, uint8_t *out, size_t size);
    /* Wait until something may have come, at most `ms`; returns early on a signal. */
    void (*wait)(struct link *link, uint32_t ms);
    void (*close)(struct link *link);
};

extern const struct link_operations link_udp;
extern const struct link_operations link_serial;
extern const struct link_operations link_mqtt; /* only where WITH_MQTT is defined */

#endif
