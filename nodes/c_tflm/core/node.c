#include "node.h"

#include <string.h>

#include "crc.h"
#include "node_internal.h"

uint64_t node_now(const struct node *node) {
    return node->port->now_ms(node->port->context);
}

void node_tell(const struct node *node, enum node_event event, uint32_t value) {
    if (node->port->event != NULL) {
        node->port->event(node->port->context, event, value);
    }
}

void node_enter(struct node *node, enum activity activity) {
    energy_enter(&node->kept->energy, node->port->current_na, activity, node_now(node));
}

bool node_keep(struct node *node, struct record *record) {
    if (ceiling_keep(&node->kept->ceiling, node->port, record)) {
        return true;
    }
    node->kept->counters.not_kept++;
    node_tell(node, EVENT_NOT_KEPT, 0);
    return false;
}

void node_without_number(struct node *node) {
    if (ceiling_exhausted(&node->kept->ceiling)) {
        node->state = NODE_EXHAUSTED;
        node_tell(node, EVENT_EXHAUSTED, 0);
    } else {
        node->kept->counters.not_kept++;
        node_tell(node, EVENT_NOT_KEPT, 0);
    }
}

uint8_t node_feature_set(const struct node *node) {
    return node->config->feature_set != 0 ? node->config->feature_set : FEATURE_SET_STATISTICS;
}

uint64_t node_after(const struct node *node, uint32_t ms) {
    return node_now(node) + clock_local_ms(&node->kept->clock, ms);
}

uint32_t node_wake_ms(const struct node *node) {
    const uint32_t commanded = node->kept->ceiling.record.wake_ms;
    return commanded != 0 ? commanded : node->config->wake_ms;
}

uint32_t node_heartbeat_ms(const struct node *node) {
    const uint32_t commanded = node->kept->ceiling.record.heartbeat_ms;
    return commanded != 0 ? commanded : node->config->heartbeat_ms;
}

/* Under another key the numbers in there are worth nothing: the seal is this key's, too. */
static uint32_t seal_of(const struct node *node) {
    const uint32_t key = crc32(node->keys.iv_up, sizeof node->keys.iv_up);
    return crc32((const uint8_t *)node->kept, offsetof(struct node_kept, seal)) ^ (uint32_t)sizeof *node->kept ^ key;
}

/* The seal is broken while the node is awake: a reset in between must not go on from numbers that were used. */
static void break_seal(struct node *node) {
    node->kept->seal = ~seal_of(node);
}

static bool start_anew(struct node *node) {
    struct node_kept *kept = node->kept;
    const uint64_t now = node_now(node);
    memset(kept, 0, sizeof *kept);
    kept->booted_ms = now;
    kept->wake_due_ms = now;
    kept->health_due_ms = now;
    kept->birth_due = true;
    energy_start(&kept->energy, COMPUTING, now);
    if (!ceiling_open(&kept->ceiling, node->port)) {
        return false;
    }
    kept->downlink.epoch = kept->ceiling.record.epoch;
    kept->downlink.replay = replay_from(kept->ceiling.record.down_unused);
    node_remember(node);
    return true;
}

enum node_state node_init(struct node *node, const struct node_config *config, const struct port *port,
                          struct model *model, int16_t *samples, struct node_kept *kept) {
    memset(node, 0, sizeof *node);
    node->config = config;
    node->port = port;
    node->model = model;
    node->samples = samples;
    node->kept = kept;
    node->state = NODE_RUNNING;
    keys_init(&node->keys, config->kid, config->secret);
    const bool slept = kept->seal == seal_of(node);
    if (!slept && !start_anew(node)) {
        node->state = NODE_NO_RECORD;
        node_tell(node, EVENT_NO_RECORD, 0);
    }
    break_seal(node);
    return node->state;
}

/* A report comes as often as announced: now, if at the next wake it would be late. A sixteenth of a wake is jitter. */
static void report_due(struct node *node) {
    struct node_kept *kept = node->kept;
    const uint32_t wake_ms = node_wake_ms(node);
    if (kept->birth_due) {
        node_report_birth(node);
    }
    if (node_after(node, wake_ms - wake_ms / 16) > kept->health_due_ms && !kept->deferring) {
        node_report_health(node);
        kept->health_due_ms = node_after(node, node_heartbeat_ms(node));
    }
}

/* Wakes keep to their grid, which is the gateway's time; those that were slept or worked through are left out. */
static uint32_t until_next_wake(struct node *node) {
    struct node_kept *kept = node->kept;
    const uint64_t now = node_now(node);
    const uint32_t wake_ms = clock_local_ms(&kept->clock, node_wake_ms(node));
    kept->wake_due_ms += wake_ms;
    if (kept->wake_due_ms < now || kept->wake_due_ms - now > wake_ms) {
        kept->wake_due_ms = now;
    }
    const uint64_t sleep_ms = kept->wake_due_ms - now;
    return sleep_ms < NODE_NEVER ? (uint32_t)sleep_ms : NODE_NEVER - 1;
}

static void fall_asleep(struct node *node) {
    node_enter(node, SLEEPING);
    node->kept->seal = seal_of(node);
}

/* A command that switches the node off, once the gateway knows that it will be. */
static void leave(struct node *node) {
    const struct port *port = node->port;
    const uint8_t then = node->then;
    if (then == THEN_NOTHING || node->kept->ring.count > 0 || node->state != NODE_RUNNING) {
        return;
    }
    node->then = THEN_NOTHING;
    node_stop(node);
    if (then == THEN_RESTART) {
        port->restart(port->context);
    } else {
        port->storage(port->context);
    }
}

uint32_t node_step(struct node *node) {
    if (node->state != NODE_RUNNING) {
        return NODE_NEVER;
    }
    break_seal(node);
    node_enter(node, COMPUTING);
    node->kept->counters.wakes++;
    if (node->kept->birth_due) {
        node_report_birth(node); /* before all other news: it carries the whole number */
    }
    if (node->kept->counters.wakes == 1) {
        node_announce(node); /* a window may take long, and somebody waits for the node that was just switched on */
    }
    node_look(node);
    report_due(node);
    node_exchange(node);
    node_send_learner(node);
    node_memorise(node);
    leave(node);
    const uint32_t sleep_ms = until_next_wake(node);
    fall_asleep(node);
    return node->state == NODE_RUNNING ? sleep_ms : NODE_NEVER;
}

uint16_t node_flush(struct node *node) {
    if (node->state == NODE_RUNNING) {
        break_seal(node);
        node_enter(node, COMPUTING);
        node->kept->resend_at_wake = node->kept->counters.wakes;
        report_due(node);
        node_exchange(node);
        fall_asleep(node);
    }
    return node->kept->ring.count;
}

void node_stop(struct node *node) {
    if (node->state != NODE_RUNNING) {
        return;
    }
    node->kept->notes_due_ms = 0;
    node_memorise(node);
    if (!ceiling_settle(&node->kept->ceiling, node->port)) {
        node_tell(node, EVENT_NOT_KEPT, 0);
    }
    break_seal(node);
    node->state = NODE_STOPPED;
}
