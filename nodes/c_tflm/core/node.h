/* The node: wake, look at the machine, report if there is something to say, listen, sleep. */
#ifndef STETHOS_NODE_H
#define STETHOS_NODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "alert.h"
#include "ceiling.h"
#include "clock.h"
#include "energy.h"
#include "envelope.h"
#include "glance.h"
#include "judge.h"
#include "keys.h"
#include "notes.h"
#include "port.h"
#include "ring.h"
#include "update.h"

enum {
    NODE_CHANNELS_MAX = 9,
    NODE_SAMPLES_MAX = 1024,
    NODE_TEXT_MAX = 24,
    NODE_WAKE_MIN_MS = 100, /* what a command may set */
    NODE_WAKE_MAX_MS = 86400000,
    NODE_COLLECT_MAX = 1000, /* windows that one command asks for */
};

#define NODE_NEVER UINT32_MAX

/* A window for a model that looks at a spectrogram, if there is one, and for the node, whose last config->samples stay
 * in memory. `*why` remains 0 unless something is wrong with what came before those. */
struct node;
typedef enum sample_status node_hearing(struct node *node, uint8_t *why);
node_hearing node_hear;

struct node_config {
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
    uint8_t feature_set;   /* feature_set.h; 0: statistics */
    uint8_t kid[KEYS_KID];
    uint8_t secret[KEYS_SECRET];

    /* All of this may be 0. */
    uint32_t rate_millihz;      /* of the samples, for those who get them */
    uint16_t short_samples;     /* look at so many first; 0: always at the whole window */
    uint8_t whole_every;        /* all the same at the whole window in every n-th wake; 0: in every 16th */
    struct learner *learner;    /* NULL: none. Kept through sleep by the caller; all 0, or as it was left */
    struct learner_setup setup; /* of it; feature set, channels and average are seen to */
    struct slow *slow;          /* with FEATURE_SET_SLOW; as the learner */
    slow_judgement *judge_slow; /* slow_judge, or NULL with `slow` */
    struct slow_limits limits;
    struct alert_policy alert;
    uint16_t radio_min_mv; /* below it nothing is sent; 0: always send */
    uint32_t firmware_counter;
    uint8_t slot;                       /* that this firmware runs from */
    const struct image_rules *rules;    /* what may go into the board's slots; NULL: nothing */
    const struct node_updates *updates; /* &NODE_UPDATES: takes it from the gateway; NULL: does not */
    node_hearing *hear;                 /* node_hear; NULL: no model that looks at a spectrogram is used */
};

/* A part that a firmware contains if it is named, as judge.h's slow_judge is. */
extern const struct node_updates NODE_UPDATES;

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
    uint32_t glances;    /* wakes in which the short look was enough */
    uint32_t deferred;   /* wakes in which news waited because the battery was too low */
    uint32_t restarts;
    uint32_t collected; /* windows of samples that went to the gateway */
    uint32_t learned;   /* windows that the learner was given to learn from */
    uint32_t verdicts[VERDICTS];
};

/* What must survive sleep; where sleep loses memory, the caller keeps it in memory that is retained. What is used most
 * comes first: a small offset makes a short instruction. */
struct node_kept {
    uint8_t standing; /* 0 normal, 1 an anomaly, 4.. the sensor fault: why code */
    uint8_t last_score;
    uint8_t silence; /* wakes in a row in which something was sent and nothing heard */
    uint8_t similarity;
    uint8_t noticed;  /* bits of what has been told: node_internal.h */
    uint8_t hindered; /* windows in a row that kept the learner from learning, up to those that are told */
    bool birth_due;
    bool deferring;       /* the battery is too low for the radio */
    bool learner_changed; /* since it was kept */
    struct alert alert;
    uint16_t battery_load_mv; /* as last measured; 0: never */
    uint16_t collect;         /* windows still to be collected */
    uint32_t window_number;   /* of the one collected last */
    uint32_t resend_at_wake;
    uint32_t standing_for; /* wakes since `standing` began */
    uint32_t notes_write;
    struct node_counters counters;
    uint64_t booted_ms;
    uint64_t wake_due_ms;
    uint64_t health_due_ms;
    uint64_t notes_due_ms;
    uint64_t learner_due_ms;
    struct clock clock;
    struct ceiling ceiling;
    struct downlink downlink;
    struct energy energy;
    struct glance glance;
    struct ring ring;
    uint32_t seal; /* checksum of all before it, when the node last went to sleep */
};

struct node {
    const struct node_config *config;
    const struct port *port;
    struct model *model; /* NULL: none */
    int16_t *samples;    /* room for config->samples * config->channels */
    struct node_kept *kept;
    enum node_state state;
    bool heard;          /* an Ack has come in this exchange */
    bool birth_asked;    /* and has asked for a Birth */
    bool unplaced;       /* and has said that the gateway cannot place what was sent */
    uint8_t refusals;    /* of the port in this exchange */
    bool learner_wanted; /* its state, by a command */
    bool parts;          /* what lies in `samples` is being sent */
    uint8_t then;        /* what is to be done when the answer is with the gateway: enum node_then */
    uint32_t transfer;   /* id of the offer that `update` is about */
    struct update update;
    struct keys keys;
    union {                          /* no two of these are in use at a time */
        uint8_t frame[ENVELOPE_MAX]; /* one at a time: sealed and opened in place; what is said is put together here */
        struct feature_scratch scratch;
    };
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
