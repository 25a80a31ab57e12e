#include "host.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <energy_stm32l475_lis2dw12_lpuart.h> /* the board that the host plays */

#include "wait.h"

enum { BATTERY_FULL_MV = 3650, BATTERY_EMPTY_MV = 3000, BATTERY_C = 9360, TEMPERATURE_CDEG = 2150, LINK_DBM = -60 };
enum { SAG_MV = 150 /* under the radio's load */, BEHIND_US = 100000 };
enum { WHY_STUCK = 4, WHY_SATURATED = 5 };

void host_start(struct host *host) {
    host->node_us = 0;
    host->due_us = wait_monotonic_us();
}

/* Listening takes as long for the node as for everybody. */
static void listened(struct host *host, uint64_t us) {
    host->node_us += us;
    host->due_us += us;
}

void host_sleep(struct host *host, uint64_t us) {
    host->node_us += us;
    host->due_us += (uint64_t)((double)us / host->speed);
    uint64_t now = wait_monotonic_us();
    while (now < host->due_us && !wait_stopped()) {
        wait_readable(-1, host->due_us - now);
        now = wait_monotonic_us();
    }
    if (now > host->due_us + BEHIND_US) { /* the computer slept, or is too slow for the speed asked */
        host->node_us += host->speed > 1 ? 0 : now - host->due_us;
        host->due_us = now;
    }
}

static uint64_t port_now_ms(void *context) {
    const struct host *host = context;
    return host->node_us / 1000;
}

static bool within(const struct host *host, struct stretch stretch) {
    const uint64_t now_s = host->node_us / 1000000;
    return now_s >= stretch.from_s && now_s < stretch.to_s;
}

/* Spoils a window as the sensor's fault would. */
static enum sample_status spoil(uint8_t why, int16_t *out, size_t n) {
    for (size_t i = 0; i < n; i++) {
        if (why == WHY_STUCK) {
            out[i] = out[0];
        } else if (why == WHY_SATURATED && i % 4 == 0) {
            out[i] = INT16_MAX;
        }
    }
    return why == SAMPLE_OVERRUN || why == SAMPLE_NO_ANSWER ? (enum sample_status)why : SAMPLE_OK;
}

static enum sample_status port_sample(void *context, int16_t *out, uint16_t samples, uint8_t channels) {
    struct host *host = context;
    if (host->source_ended) {
        return SAMPLE_NONE;
    }
    switch (source_read(host->source, host->node_us, out, samples, channels)) {
    case SOURCE_OK:
        host_sleep(host, UINT64_C(1000000000) * samples / host->rate_millihz);
        return within(host, host->mishaps.faulty) ? spoil(host->mishaps.sensor_fault, out, (size_t)samples * channels)
                                                  : SAMPLE_OK;
    case SOURCE_END:
        host->source_ended = true;
        return SAMPLE_NONE;
    default:
        return SAMPLE_NO_ANSWER;
    }
}

/* Read whole with the first piece: then no sample is missing or doubled between two of them. */
static enum sample_status port_sample_part(void *context, int16_t *out, uint16_t samples, uint8_t channels,
                                           uint16_t left) {
    struct host *host = context;
    const size_t n = (size_t)samples * channels;
    if (host->parts == NULL) {
        const uint16_t all = (uint16_t)(samples + left);
        host->parts = malloc((size_t)all * channels * sizeof *out);
        host->parts_at = 0;
        host->parts_status = host->parts != NULL ? port_sample(context, host->parts, all, channels) : SAMPLE_NO_ANSWER;
    }
    const enum sample_status status = host->parts_status;
    if (status == SAMPLE_OK) {
        memcpy(out, host->parts + host->parts_at, n * sizeof *out);
        host->parts_at += (uint32_t)n;
    }
    if (status != SAMPLE_OK || left == 0) {
        free(host->parts);
        host->parts = NULL;
    }
    return status;
}

static bool port_send(void *context, const uint8_t *envelope, size_t n) {
    struct host *host = context;
    return host->operations->send(host->link, envelope, n);
}

static size_t port_receive(void *context, uint8_t *out, size_t size, uint32_t *left_ms) {
    struct host *host = context;
    const uint64_t start = wait_monotonic_us();
    uint64_t spent = 0;
    size_t n = host->operations->receive(host->link, out, size);
    while (n == 0 && spent < *left_ms && !wait_stopped()) {
        host->operations->wait(host->link, *left_ms - (uint32_t)spent);
        n = host->operations->receive(host->link, out, size);
        spent = (wait_monotonic_us() - start) / 1000;
    }
    *left_ms -= spent < *left_ms ? (uint32_t)spent : *left_ms;
    listened(host, wait_monotonic_us() - start);
    return n;
}

static bool port_persist_read(void *context, uint8_t slot, uint8_t *out) {
    struct host *host = context;
    return persist_file_read(&host->file, slot, out);
}

static bool port_persist_write(void *context, uint8_t slot, const uint8_t *record) {
    struct host *host = context;
    return persist_file_write(&host->file, slot, record);
}

static uint16_t port_battery_mv(void *context) {
    const struct host *host = context;
    uint64_t spent_c = 0;
    for (unsigned i = 0; i < ACTIVITIES; i++) {
        spent_c += energy_uc(host->energy, (enum activity)i) / 1000000;
    }
    const uint64_t drop_mv = spent_c * (BATTERY_FULL_MV - BATTERY_EMPTY_MV) / BATTERY_C;
    return (uint16_t)(drop_mv < BATTERY_FULL_MV ? BATTERY_FULL_MV - drop_mv : 0);
}

static uint16_t port_battery_load_mv(void *context) {
    const struct host *host = context;
    const uint16_t mv = port_battery_mv(context);
    if (within(host, host->mishaps.weak)) {
        return host->mishaps.weak_mv;
    }
    return mv > SAG_MV ? (uint16_t)(mv - SAG_MV) : 0;
}

static bool port_store_read(void *context, enum store store, uint8_t slot, uint32_t at, uint8_t *out, uint32_t n) {
    const struct host *host = context;
    return store_file_read(host->flash, store, slot, at, out, n);
}

static bool port_store_erase(void *context, enum store store, uint8_t slot) {
    const struct host *host = context;
    return store_file_erase(host->flash, store, slot);
}

static bool port_store_write(void *context, enum store store, uint8_t slot, uint32_t at, const uint8_t *data,
                             uint32_t n) {
    const struct host *host = context;
    return store_file_write(host->flash, store, slot, at, data, n);
}

static void port_restart(void *context) {
    struct host *host = context;
    host->restart = true;
}

static void port_storage(void *context) {
    struct host *host = context;
    host->storage = true;
}

static int16_t port_temperature_cdeg(void *context) {
    (void)context;
    return TEMPERATURE_CDEG;
}

static int16_t port_link_dbm(void *context) {
    (void)context;
    return LINK_DBM;
}

static void port_identify(void *context) {
    (void)context;
    fputs("\a", stderr);
}

static void port_event(void *context, enum node_event event, uint32_t value) {
    static const char *const NAMES[] = {
        [EVENT_NO_RECORD] = "no valid record: refuses to send, needs a new key",
        [EVENT_NOT_KEPT] = "durable storage did not take a record",
        [EVENT_EXHAUSTED] = "no number left: refuses to send, needs a new key",
        [EVENT_SENT] = "sent",
        [EVENT_ACKNOWLEDGED] = "acknowledged",
        [EVENT_REFUSED] = "refused",
        [EVENT_EPOCH] = "new epoch",
        [EVENT_COMMAND] = "command",
        [EVENT_ANOMALOUS] = "anomalous",
        [EVENT_SENSOR_FAULT] = "sensor fault",
        [EVENT_MESSAGE_LOST] = "messages given up",
        [EVENT_NOTICE] = "notice",
        [EVENT_ALERT] = "alert output",
        [EVENT_LEARNED] = "learned",
        [EVENT_COLLECTED] = "collected window",
    };
    const struct host *host = context;
    if (!host->log) {
        return;
    }
    fprintf(stderr, "%10" PRIu64 " ms  ", host->node_us / 1000);
    if (event == EVENT_SENT) {
        fprintf(stderr, "sent type %" PRIu32 " seq %" PRIu32 "\n", value >> 16, value & UINT16_MAX);
    } else {
        fprintf(stderr, "%s %" PRIu32 "\n", NAMES[event], value);
    }
}

struct port host_port(struct host *host) {
    static struct port_store store = {
        .page = STORE_FILE_PAGE, .read = port_store_read, .erase = port_store_erase, .write = port_store_write};
    struct port port = {
        .context = host,
        .now_ms = port_now_ms,
        .sample = port_sample,
        .send = port_send,
        .receive = port_receive,
        .persist_read = port_persist_read,
        .persist_write = port_persist_write,
        .battery_mv = port_battery_mv,
        .temperature_cdeg = port_temperature_cdeg,
        .link_dbm = port_link_dbm,
        .identify = port_identify,
        .event = port_event,
        .store = host->flash >= 0 ? &store : NULL,
        .battery_load_mv = port_battery_load_mv,
        .restart = port_restart,
        .storage = port_storage,
        .sample_part = port_sample_part,
    };
    memcpy(store.size, STORE_FILE_SIZES, sizeof store.size);
    for (unsigned i = 0; i < ACTIVITIES; i++) {
        port.current_na[i] = ENERGY_CURRENT_NA[i];
    }
    return port;
}
