/* Numbers that never repeat, through any reset and any torn write (nodes/wire/SPEC.md, "Numbers that never repeat").
 *
 * Durable storage holds a ceiling above every number used so far, in a record that alternates between two slots. A
 * number is handed out only below the durable ceiling. What else must survive a reset lies in the same record. */
#ifndef STETHOS_CEILING_H
#define STETHOS_CEILING_H

#include <stdbool.h>
#include <stdint.h>

#include "port.h"

enum { CEILING_BLOCK = 1024 };

/* As it lies in storage, little-endian. */
struct record {
    uint32_t write; /* counts the writes: the higher of two valid slots is the newer */
    uint32_t partial_iv_ceiling;
    uint32_t seq_ceiling;
    uint32_t seq_unused; /* no seq from here on had been used when this was written */
    uint32_t last_command;
    uint32_t heartbeat_ms; /* as commanded; 0: as built */
    uint32_t wake_ms;      /* as commanded; 0: as built */
    uint16_t epoch;
    uint8_t last_result;
    uint8_t version;      /* of this layout */
    uint32_t down_unused; /* no partial IV below this is taken downward, under `epoch` */
};

struct ceiling {
    struct record record; /* what is durable; `down_unused` runs ahead, and becomes so with the next write */
    uint32_t next_partial_iv;
    uint32_t next_seq;
    uint32_t skipped; /* numbers before the first seq since the reset that were perhaps never used */
    uint8_t slot;     /* of `record` */
    bool heal;        /* the other slot is broken: the next write goes to both */
};

/* Provision: both slots are written anew, all numbers start at 0. Only ever together with a key never used before. */
bool ceiling_provision(const struct port *port);

/* After a reset. False: no slot is valid, the node must not send. */
bool ceiling_open(struct ceiling *ceiling, const struct port *port);

/* The next number. False: it could not be made durable or there is none left; nothing may be sent. */
bool ceiling_take_partial_iv(struct ceiling *ceiling, const struct port *port, uint32_t *out);
bool ceiling_take_seq(struct ceiling *ceiling, const struct port *port, uint32_t *out);
bool ceiling_exhausted(const struct ceiling *ceiling);

/* Keep `record`, whose count, version and `seq_unused` are seen to; false: the old one stands. */
bool ceiling_keep(struct ceiling *ceiling, const struct port *port, struct record *record);

/* An orderly stop: lowers the ceilings to what was used, so that the next start skips nothing. */
bool ceiling_settle(struct ceiling *ceiling, const struct port *port);

#endif
