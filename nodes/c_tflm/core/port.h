/* The port: everything the core asks of a board, in one struct of functions. A new board is one file that fills it in.
 *
 * All functions are called from node_init, node_step, node_flush and node_stop only, with `context` first, on the
 * caller's stack; none may call back into the core. Times are milliseconds. */
#ifndef STETHOS_PORT_H
#define STETHOS_PORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "aes128.h"
#include "store.h"

enum {
    PORT_RECORD_SIZE = 40,             /* bytes in each slot of durable storage */
    PORT_SLOTS = 4,                    /* 0, 1: numbers that never repeat (ceiling.h); 2, 3: notes (notes.h) */
    PORT_TEMPERATURE_NONE = INT16_MIN, /* cannot be measured */
    PORT_LINK_NONE = INT16_MIN,        /* cannot be measured */
};

/* How a window of samples came about. The faults have the codes of nodes/wire/SPEC.md, "Why". */
enum sample_status {
    SAMPLE_OK = 0,
    SAMPLE_OVERRUN = 6,   /* samples are missing in between */
    SAMPLE_NO_ANSWER = 7, /* the sensor did not answer or failed its self-test */
    SAMPLE_NONE = 255,    /* nothing to be had and nothing wrong: a recording has ended */
};

/* What the node does at any moment, for the energy ledger. */
enum activity { SLEEPING, SENSING, COMPUTING, RADIATING, ACTIVITIES };

/* Things worth a lamp or a line in a log. `value` is in parentheses. */
enum node_event {
    EVENT_NO_RECORD,    /* no valid record in durable storage: the node refuses to send and needs a new key */
    EVENT_NOT_KEPT,     /* durable storage did not take a record */
    EVENT_EXHAUSTED,    /* a number has reached its end: the node refuses to send and needs a new key */
    EVENT_SENT,         /* a transmission (low 16 bits: seq, above: message type) */
    EVENT_ACKNOWLEDGED, /* messages are durable at the gateway (how many) */
    EVENT_REFUSED,      /* a frame was not accepted (enum verdict) */
    EVENT_EPOCH,        /* the gateway has a new epoch (the epoch) */
    EVENT_COMMAND,      /* a command was taken up (its kind) */
    EVENT_ANOMALOUS,    /* a window is anomalous (the score code) */
    EVENT_SENSOR_FAULT, /* a sensor fault was found (why code) */
    EVENT_MESSAGE_LOST, /* the ring was full: unacknowledged messages were given up (how many) */
    EVENT_NOTICE,       /* moved, drifted or deferred (why code) */
    EVENT_ALERT,        /* the alert output was switched (1: on) */
    EVENT_LEARNED,      /* the learner watches from now on (windows it stands on) */
    EVENT_COLLECTED,    /* a window of samples is with the gateway (its number) */
};

struct port {
    void *context;

    /* Monotonic, goes on through sleep, and through a reset that keeps retained memory. */
    uint64_t (*now_ms)(void *context);

    /* Fill `out`, interleaved [samples][channels], in the unit of the sensor's specification. */
    enum sample_status (*sample)(void *context, int16_t *out, uint16_t samples, uint8_t channels);

    /* Put one envelope on the air (frames are the port's business). False: it certainly did not go out. */
    bool (*send)(void *context, const uint8_t *envelope, size_t n);

    /* Wait for one envelope, at most `*left_ms`, and subtract from `*left_ms` the time it took. Bytes written to
     * `out`, 0 when the time is up. */
    size_t (*receive)(void *context, uint8_t *out, size_t size, uint32_t *left_ms);

    /* PORT_SLOTS slots of PORT_RECORD_SIZE bytes. A write is durable when it returns true; one that is cut short may
     * leave anything in its own slot and nothing in the other. */
    bool (*persist_read)(void *context, uint8_t slot, uint8_t *out);
    bool (*persist_write)(void *context, uint8_t slot, const uint8_t *record);

    uint16_t (*battery_mv)(void *context);
    int16_t (*temperature_cdeg)(void *context); /* 0.01 degC, or PORT_TEMPERATURE_NONE */
    int16_t (*link_dbm)(void *context);         /* of the last frame received, or PORT_LINK_NONE */

    /* The rest may be NULL. */
    void (*identify)(void *context);                                     /* blink or beep, a few seconds */
    void (*event)(void *context, enum node_event event, uint32_t value); /* tell whoever is looking */
    aes128_hardware aes;                                                 /* one block in hardware */

    /* Mean supply current in each activity, in nA: the board's description, measured or from its data sheets. */
    uint32_t current_na[ACTIVITIES];

    /* These may be NULL, too. */
    const struct port_store *store;             /* flash slots: where the learner's state is kept, and updates go */
    void (*alert)(void *context, bool on);      /* the alert output */
    uint16_t (*battery_load_mv)(void *context); /* with the radio, or a load like it, switched on */
    uint32_t (*stop_refused)(void *context);    /* how often the deepest sleep was refused */
    enum sample_status (*sample_short)(void *context, int16_t *out, uint16_t samples, uint8_t channels);
    void (*restart)(void *context); /* start anew; need not return */
    void (*storage)(void *context); /* switch off until somebody wakes the board; need not return */

    /* A window longer than memory: pieces without a gap between them, though the core computes meanwhile. `left`
     * samples follow this piece; with 0 left, or a fault, the window is over. NULL: models of such windows are not
     * used. */
    enum sample_status (*sample_part)(void *context, int16_t *out, uint16_t samples, uint8_t channels, uint16_t left);
};

#endif
