/* The node: wake, look at the machine, report if there is something to say, listen, sleep. */
#ifndef STETHOS_NODE_H
#define STETHOS_NODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ceiling.h"
#include "clock.h"
#include "energy.h"
#include "envelope.h"
#include "keys.h"
#include "model.h"
#include "port.h"
#include "ring.h"

enum {
    NODE_CHANNELS_MAX = 9,
    NODE_SAMPLES_MAX = 1024,
    NODE_TEXT_MAX = 24,
    NODE_WAKE_MIN_MS = 100, /* what a command may set */
    NODE_WAKE_MAX_MS = 86400000,
};

#define NODE_NEVER UINT32_MAX

struct node_config {
    uint8_t kid[KEYS_KID];
    uint8_t secret[KEYS_SECRET];
    const char *hardware; /* 1 to 24 bytes of UTF-8 */
    const char *firmware;
    uint32_t wake_ms;
    uint32_t heartbeat_ms;
    uint16_t listen_ms;
    uint16_t samples; /* per channel in one window */
    uint8_t channels;
    uint8_t reset_cause;   /* nodes/wire/SPEC.md, "Reset cause" */
    uint16_t window_every; /* send every n-th window that is normal; 0: none */
    uint16_t flag_repeat;  /* while an anomaly or a fault stands, flag every n-th wake; at least 1 */
    bool model_broken;     /* there is a model image, and model_open refused it */
};

enum node_state {
    NODE_RUNNING,
    NODE_NO_RECORD, /* refuses to send: no valid record in durable storage */
    NODE_EXHAUSTED, /* refuses to send: no number left under this key */
    NODE_STOPPED,   /* by node_stop: sends nothing until it is started anew */
};

struct node_counters {
    uint32_t wakes;
    uint32_t windows; /* looked at */
    uint32_t anomalous;
    uint32_t flags; /* with evidence */
    uint32_t faults;
    uint32_t messages;
    uint32_t sent;
    uint32_t resends;
    uint32_t acknowledged;
    uint32_t commands;
    uint32_t not_kept;   /* durable storage did not take a record */
    uint32_t not_sent;   /* the port did not take a transmission */
    uint32_t unnumbered; /* messages given up because no number could be had for them */
    uint32_t verdicts[VERDICTS];
};

/* What must survive sleep; where sleep loses memory, the caller keeps it in memory that is retained. */
struct node_kept {
    struct ceiling ceiling;
    struct downlink downlink;
    struct ring ring;
    struct node_counters counters;
    struct energy energy;
    struct clock clock;
    uint64_t booted_ms;
    uint64_t wake_due_ms;
    uint64_t health_due_ms;
    uint32_t resend_at_wake;
    uint32_t standing_for; /* wakes since `standing` began */
    uint8_t standing;      /* 0 normal, 1 an anomaly, 4.. the sensor fault: why code */
    uint8_t last_score;
    uint8_t silence; /* wakes in a row in which something was sent and nothing heard */
    bool birth_due;
    uint32_t seal; /* checksum of all before it, when the node last went to sleep */
};

struct node {
    const struct node_config *config;
    const struct port *port;
    struct model *model; /* NULL: none */
    int16_t *samples;    /* room for config->samples * config->channels */
    struct node_kept *kept;
    struct keys keys;
    enum node_state state;
    bool heard;       /* an Ack has come in this exchange */
    bool birth_asked; /* and has asked for a Birth */
    bool unplaced;    /* and has said that the gateway cannot place what was sent */
    uint8_t refusals; /* of the port in this exchange */
    uint8_t message[PLAINTEXT_MAX + 8];
    uint8_t plaintext[ENVELOPE_MAX];
    uint8_t frame[ENVELOPE_MAX + ENVELOPE_OVERHEAD];
};

/* Start. If `kept` holds what a node left there when it went to sleep, the node goes on from it; else it starts from
 * durable storage. Everything the pointers name stays with the caller and outlives the node. */
enum node_state node_init(struct node *node, const struct node_config *config, const struct port *port,
                          struct model *model, int16_t *samples, struct node_kept *kept);

/* One wake. How long to sleep now, in milliseconds; NODE_NEVER if the node does not send (its state says why). */
uint32_t node_step(struct node *node);

/* Send what is not acknowledged, and listen, without a look at the machine. Messages still not acknowledged. */
uint16_t node_flush(struct node *node);

/* An orderly stop: the next start skips no numbers. */
void node_stop(struct node *node);

/* As commanded, or else as configured. */
uint32_t node_wake_ms(const struct node *node);
uint32_t node_heartbeat_ms(const struct node *node);

#endif
