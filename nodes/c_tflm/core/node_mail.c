#include "node_internal.h"

enum command_kind {
    IDENTIFY = 1,
    SEND_BIRTH,
    SET_HEARTBEAT,
    SET_WAKE,
    LEARN,
    FREEZE,
    THAW,
    ROLL_BACK,
    SENSITIVITY,
    COLLECT,
    ACKNOWLEDGE_ALERT,
    SEND_LEARNER,
    STORAGE,
    RESTART,
};

enum { PPB = 1000000000 };

static bool learns(const struct node *node) {
    return node->config->learner != NULL;
}

/* What a command asks of the record, and whether it can be done at all; the result's code. */
static uint8_t plan(const struct node *node, const struct command *command, struct record *record) {
    const uint32_t argument = command->argument;
    bool can = true;
    switch (command->kind) {
    case IDENTIFY:
        can = node->port->identify != NULL;
        break;
    case SEND_BIRTH:
    case ACKNOWLEDGE_ALERT:
        break;
    case SET_HEARTBEAT:
        can = argument != 0 && argument <= UINT32_MAX / 1000;
        record->heartbeat_ms = can ? argument * 1000 : record->heartbeat_ms;
        break;
    case SET_WAKE:
        can = argument >= NODE_WAKE_MIN_MS && argument <= NODE_WAKE_MAX_MS;
        record->wake_ms = can ? argument : record->wake_ms;
        break;
    case LEARN:
        can = learns(node) && argument <= UINT16_MAX;
        break;
    case SENSITIVITY:
        can = learns(node) && argument <= PPB;
        break;
    case FREEZE:
    case THAW:
    case ROLL_BACK:
    case SEND_LEARNER:
        can = learns(node);
        break;
    case COLLECT:
        can = argument <= NODE_COLLECT_MAX;
        break;
    case STORAGE:
        can = node->port->storage != NULL;
        break;
    case RESTART:
        can = node->port->restart != NULL;
        break;
    default:
        return UNKNOWN_KIND;
    }
    return can ? DONE : REFUSED;
}

static enum learner_reply tell_learner(struct learner *learner, const struct command *command) {
    switch (command->kind) {
    case LEARN:
        return learner_relearn(learner, (uint16_t)command->argument);
    case ROLL_BACK:
        return learner_rollback(learner);
    case SENSITIVITY:
        return learner_sensitivity(learner, command->argument);
    default:
        learner_freeze(learner, command->kind == FREEZE);
        return LEARNER_OK;
    }
}

static void announce(struct node *node) {
    const uint64_t heartbeat_due = node_after(node, node_heartbeat_ms(node));
    if (heartbeat_due < node->kept->health_due_ms) {
        node->kept->health_due_ms = heartbeat_due;
    }
    node_report_birth(node); /* asked for, or because the schedule has changed */
}

static void acknowledge_alert(struct node *node) {
    struct alert *alert = &node->kept->alert;
    const bool was = alert->on;
    alert_acknowledge(alert);
    node_alert(node, was);
    if (node->config->learner != NULL && (node->kept->noticed & NOTICED_MOVED) != 0) {
        learner_acknowledge(node->config->learner); /* it learns anew where it lies now */
    }
}

/* The result's code: the learner alone can still refuse. */
static uint8_t act(struct node *node, const struct command *command) {
    switch (command->kind) {
    case IDENTIFY:
        node->port->identify(node->port->context);
        break;
    case ACKNOWLEDGE_ALERT:
        acknowledge_alert(node);
        break;
    case COLLECT:
        node->kept->collect = (uint16_t)command->argument;
        break;
    case SEND_LEARNER:
        node->learner_wanted = true;
        break;
    case STORAGE:
        node->then = THEN_STORAGE;
        break;
    case RESTART:
        node->then = THEN_RESTART;
        break;
    case SEND_BIRTH:
    case SET_HEARTBEAT:
    case SET_WAKE:
        announce(node);
        break;
    default:
        node->kept->learner_changed = true;
        return tell_learner(node->config->learner, command) == LEARNER_OK ? DONE : REFUSED;
    }
    return DONE;
}

bool node_take_up(struct node *node, struct record *record, uint32_t id, uint8_t code, uint8_t kind) {
    record->last_command = id;
    record->last_result = code;
    if (!node_keep(node, record)) {
        return false;
    }
    node->kept->counters.commands++;
    node_tell(node, EVENT_COMMAND, kind);
    return true;
}

static void take_command(struct node *node, const struct command *command) {
    struct record record = node->kept->ceiling.record;
    if (command->id <= record.last_command) {
        const bool last = command->id == record.last_command;
        node_report_result(node, command->id, last ? record.last_result : DONE, NULL);
        return;
    }
    uint8_t code = plan(node, command, &record);
    if (!node_take_up(node, &record, command->id, code, (uint8_t)command->kind)) {
        return;
    }
    if (code == DONE) {
        code = act(node, command);
    }
    node_report_result(node, command->id, code, NULL);
}

void node_take_mail(struct node *node, const struct down_message *message) {
    const struct node_updates *updates = node->config->updates;
    if (message->type == MESSAGE_COMMAND) {
        take_command(node, &message->command);
    } else if (updates == NULL || node->config->rules == NULL || node->port->store == NULL) {
        const bool offer = message->type == MESSAGE_OFFER;
        node_report_result(node, offer ? message->offer.id : message->chunk.transfer, REFUSED, NULL);
    } else if (message->type == MESSAGE_OFFER) {
        updates->offer(node, &message->offer);
    } else {
        updates->chunk(node, &message->chunk);
    }
}
