#include "ceiling.h"

#include <string.h>

#include "crc.h"

enum { VERSION = 1, SLOTS = 2, CRC_AT = PORT_RECORD_SIZE - 4 };

static void put32(uint8_t *at, uint32_t value) {
    for (unsigned i = 0; i < 4; i++) {
        at[i] = (uint8_t)(value >> 8 * i);
    }
}

static uint32_t get32(const uint8_t *at) {
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

/* The layout, little-endian: seven numbers, epoch, last result, version, one number, CRC-32 of all before it. */
static void pack(const struct record *record, uint8_t out[PORT_RECORD_SIZE]) {
    memset(out, 0, PORT_RECORD_SIZE);
    put32(out, record->write);
    put32(out + 4, record->partial_iv_ceiling);
    put32(out + 8, record->seq_ceiling);
    put32(out + 12, record->seq_unused);
    put32(out + 16, record->last_command);
    put32(out + 20, record->heartbeat_ms);
    put32(out + 24, record->wake_ms);
    out[28] = (uint8_t)record->epoch;
    out[29] = (uint8_t)(record->epoch >> 8);
    out[30] = record->last_result;
    out[31] = VERSION;
    put32(out + 32, record->down_unused);
    put32(out + CRC_AT, crc32(out, CRC_AT));
}

static bool unpack(const uint8_t in[PORT_RECORD_SIZE], struct record *out) {
    if (get32(in + CRC_AT) != crc32(in, CRC_AT) || in[31] != VERSION) {
        return false;
    }
    *out = (struct record){
        .write = get32(in),
        .partial_iv_ceiling = get32(in + 4),
        .seq_ceiling = get32(in + 8),
        .seq_unused = get32(in + 12),
        .last_command = get32(in + 16),
        .heartbeat_ms = get32(in + 20),
        .wake_ms = get32(in + 24),
        .epoch = (uint16_t)(in[28] | in[29] << 8),
        .last_result = in[30],
        .down_unused = get32(in + 32),
    };
    return true;
}

static bool read_slot(const struct port *port, uint8_t slot, struct record *out) {
    uint8_t bytes[PORT_RECORD_SIZE];
    return port->persist_read(port->context, slot, bytes) && unpack(bytes, out);
}

static bool write_slot(const struct port *port, uint8_t slot, const struct record *record) {
    uint8_t bytes[PORT_RECORD_SIZE];
    pack(record, bytes);
    return port->persist_write(port->context, slot, bytes);
}

static uint32_t raised(uint32_t number) {
    return number > UINT32_MAX - CEILING_BLOCK ? UINT32_MAX : number + CEILING_BLOCK;
}

bool ceiling_provision(const struct port *port) {
    const struct record zero = {0};
    const struct record one = {.write = 1};
    return write_slot(port, 0, &zero) && write_slot(port, 1, &one);
}

bool ceiling_open(struct ceiling *ceiling, const struct port *port) {
    struct record found[SLOTS];
    const bool first = read_slot(port, 0, &found[0]);
    const bool second = read_slot(port, 1, &found[1]);
    if (!first && !second) {
        return false;
    }
    const bool other_broken = !first || !second;
    const bool second_newer = other_broken ? second : (int32_t)(found[1].write - found[0].write) > 0;
    const uint8_t slot = second_newer ? 1 : 0;
    memset(ceiling, 0, sizeof *ceiling);
    ceiling->record = found[slot];
    ceiling->slot = slot;
    /* A slot that is broken, or blank, may have been written whole, been used, and rotted or been erased since: it was
     * one block ahead at most. */
    struct record *record = &ceiling->record;
    ceiling->next_partial_iv = other_broken ? raised(record->partial_iv_ceiling) : record->partial_iv_ceiling;
    ceiling->next_seq = other_broken ? raised(record->seq_ceiling) : record->seq_ceiling;
    record->partial_iv_ceiling = ceiling->next_partial_iv;
    record->seq_ceiling = ceiling->next_seq;
    ceiling->skipped = ceiling->next_seq - record->seq_unused;
    ceiling->heal = other_broken;
    return true;
}

static bool keep_once(struct ceiling *ceiling, const struct port *port, struct record record) {
    const uint8_t slot = ceiling->slot ^ 1;
    record.write = ceiling->record.write + 1;
    record.seq_unused = ceiling->next_seq;
    if (!write_slot(port, slot, &record)) {
        return false;
    }
    ceiling->record = record;
    ceiling->slot = slot;
    return true;
}

bool ceiling_keep(struct ceiling *ceiling, const struct port *port, struct record record) {
    if (!keep_once(ceiling, port, record)) {
        return false;
    }
    if (ceiling->heal) { /* never leave one slot more than a block below the other: see ceiling_open */
        ceiling->heal = !keep_once(ceiling, port, record);
    }
    return true;
}

static bool raise(struct ceiling *ceiling, const struct port *port) {
    struct record record = ceiling->record;
    record.partial_iv_ceiling = raised(ceiling->next_partial_iv);
    record.seq_ceiling = raised(ceiling->next_seq);
    return ceiling_keep(ceiling, port, record);
}

bool ceiling_take_partial_iv(struct ceiling *ceiling, const struct port *port, uint32_t *out) {
    const bool there = ceiling->next_partial_iv < ceiling->record.partial_iv_ceiling;
    if (ceiling_exhausted(ceiling) || (!there && !raise(ceiling, port))) {
        return false;
    }
    *out = ceiling->next_partial_iv++;
    return true;
}

bool ceiling_take_seq(struct ceiling *ceiling, const struct port *port, uint32_t *out) {
    const bool there = ceiling->next_seq < ceiling->record.seq_ceiling;
    if (ceiling_exhausted(ceiling) || (!there && !raise(ceiling, port))) {
        return false;
    }
    *out = ceiling->next_seq++;
    return true;
}

bool ceiling_exhausted(const struct ceiling *ceiling) {
    return ceiling->next_partial_iv == UINT32_MAX || ceiling->next_seq == UINT32_MAX;
}

bool ceiling_settle(struct ceiling *ceiling, const struct port *port) {
    struct record record = ceiling->record;
    record.partial_iv_ceiling = ceiling->next_partial_iv;
    record.seq_ceiling = ceiling->next_seq;
    return ceiling_keep(ceiling, port, record);
}
