/* The port that is made of drivers.h. */
#ifndef TEMPLATE_TEMPLATE_H
#define TEMPLATE_TEMPLATE_H

#include "frame.h"
#include "node.h"

/* Who the node is: what is written into PAGE_IDENTITY when the node is made, and with it all other pages erased. */
struct identity {
    uint8_t magic[4]; /* "STID" */
    uint8_t kid[KEYS_KID];
    uint8_t secret[KEYS_SECRET];
    uint8_t reserved[4];
    uint8_t crc[4]; /* CRC-32 of the bytes before, little-endian */
};

/* The port's own memory; all zeros at the start. */
struct board {
    uint64_t passed_ms; /* of the clock, with what it has wrapped round */
    uint32_t seen_ms;
    struct frame_decoder decoder;
    bool torn; /* the last frame did not go out whole */
};

struct port template_port(struct board *board);

/* False: there is no identity, or a damaged one. */
bool template_identity(struct identity *out);

/* First records, once in the life of an identity. False: they could not be made. */
bool template_provision(const struct port *port);

#endif
