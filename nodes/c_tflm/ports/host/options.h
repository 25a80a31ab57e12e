/* The command line of stethos-node. */
#ifndef STETHOS_OPTIONS_H
#define STETHOS_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "host.h"
#include "link.h"
#include "node.h"

struct options {
    uint8_t kid[KEYS_KID];
    uint8_t secret[KEYS_SECRET];
    char kid_hex[2 * KEYS_KID + 1];
    const char *state;
    const struct link_operations *link;
    const char *address; /* of the link */
    const char *source;
    const char *model;    /* NULL: none */
    const char *hardware; /* 1 to NODE_TEXT_MAX bytes */
    uint32_t samples;     /* 0: what the model wants */
    uint32_t wake_ms;
    uint32_t heartbeat_ms;
    uint32_t listen_ms;
    uint32_t window_every;
    bool window_every_given;
    uint32_t flag_repeat;
    uint32_t steps;    /* 0: no end */
    const char *flash; /* NULL: none */
    uint32_t feature_set;
    uint32_t short_samples;
    uint32_t whole_every;
    uint32_t learn; /* windows; 0: no learner */
    uint32_t events_ppb;
    uint32_t radio_min_mv;
    uint32_t firmware_counter;
    struct slow_limits limits;
    struct alert_policy alert;
    struct mishaps mishaps;
    uint64_t seed;
    double speed;
    bool log;
};

/* Ends the program with a sentence if the command line is not as it should be. */
void options_read(int argc, char **argv, struct options *out);

#endif
