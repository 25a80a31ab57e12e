/* MQTT: the envelope is the payload, up on PREFIX/<kid>/up, down on PREFIX/<kid>/down (nodes/wire/SPEC.md, "Links"). */
#include <mosquitto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "envelope.h"
#include "link.h"
#include "wait.h"

enum { QUEUE = 8, KEEPALIVE_S = 60, RECONNECT_MS = 1000, SLICE_MS = 50, QOS = 1, CONNECT_MS = 5000 };

struct received {
    size_t n;
    uint8_t data[ENVELOPE_MAX];
};

struct link {
    struct mosquitto *client;
    bool connected;
    uint64_t retry_at_us;
    uint64_t turn_at_us; /* while not connected: when sending looks for the broker again */
    unsigned first;      /* of the queue of what has come; when it is full the oldest is given up */
    unsigned count;
    struct received queue[QUEUE];
    char up[256];
    char down[256];
};

static void on_connect(struct mosquitto *client, void *context, int code) {
    struct link *link = context;
    link->connected = code == 0;
    if (link->connected) {
        mosquitto_subscribe(client, NULL, link->down, QOS);
    }
}

static void on_disconnect(struct mosquitto *client, void *context, int code) {
    struct link *link = context;
    (void)client;
    (void)code;
    link->connected = false;
}

static void on_message(struct mosquitto *client, void *context, const struct mosquitto_message *message) {
    struct link *link = context;
    (void)client;
    if (message->payloadlen <= 0 || message->payloadlen > ENVELOPE_MAX) {
        return;
    }
    if (link->count == QUEUE) {
        link->first = (link->first + 1) % QUEUE;
        link->count--;
    }
    struct received *slot = &link->queue[(link->first + link->count++) % QUEUE];
    slot->n = (size_t)message->payloadlen;
    memcpy(slot->data, message->payload, slot->n);
}

static void turn(struct link *link, uint32_t ms) {
    const int status = mosquitto_loop(link->client, (int)ms, 1);
    if (status == MOSQ_ERR_SUCCESS) {
        return;
    }
    link->connected = false;
    if (wait_monotonic_us() >= link->retry_at_us) {
        link->retry_at_us = wait_monotonic_us() + (uint64_t)RECONNECT_MS * 1000;
        mosquitto_reconnect(link->client);
    }
    wait_readable(-1, (uint64_t)ms * 1000);
}

static void mqtt_wait(struct link *link, uint32_t ms) {
    const uint64_t end_us = wait_monotonic_us() + (uint64_t)ms * 1000;
    const unsigned before = link->count;
    do {
        const uint64_t now_us = wait_monotonic_us();
        const uint64_t left_ms = end_us > now_us ? (end_us - now_us) / 1000 : 0;
        turn(link, left_ms < SLICE_MS ? (uint32_t)left_ms : SLICE_MS);
        wait_readable(-1, 0); /* lets a signal in */
    } while (link->count == before && wait_monotonic_us() < end_us && !wait_stopped());
}

/* HOST:PORT[/PREFIX] */
static bool read_address(struct link *link, const char *address, const char *kid_hex, char host[256], int *port) {
    char prefix[128] = "stethos/nodes";
    if (sscanf(address, "%255[^:]:%d/%127s", host, port, prefix) < 2 || *port < 1 || *port > UINT16_MAX) {
        return false;
    }
    snprintf(link->up, sizeof link->up, "%s/%s/up", prefix, kid_hex);
    snprintf(link->down, sizeof link->down, "%s/%s/down", prefix, kid_hex);
    return true;
}

/* A broker that is not there yet is tried again by every turn. */
static bool mqtt_connect(struct link *link, const char *host, int port) {
    mosquitto_lib_init();
    link->client = mosquitto_new(NULL, true, link);
    if (link->client == NULL) {
        return false;
    }
    mosquitto_connect_callback_set(link->client, on_connect);
    mosquitto_disconnect_callback_set(link->client, on_disconnect);
    mosquitto_message_callback_set(link->client, on_message);
    const int status = mosquitto_connect(link->client, host, port, KEEPALIVE_S);
    if (status == MOSQ_ERR_INVAL || status == MOSQ_ERR_NOMEM) {
        return false;
    }
    const uint64_t end_us = wait_monotonic_us() + (uint64_t)CONNECT_MS * 1000;
    while (!link->connected && wait_monotonic_us() < end_us && !wait_stopped()) {
        turn(link, SLICE_MS);
        wait_readable(-1, 0);
    }
    return true;
}

static void mqtt_close(struct link *link) {
    if (link->client != NULL) {
        for (int i = 0; link->connected && i < 5 && mosquitto_want_write(link->client); i++) {
            mosquitto_loop(link->client, SLICE_MS, 1);
        }
        mosquitto_disconnect(link->client);
        mosquitto_destroy(link->client);
    }
    mosquitto_lib_cleanup();
    free(link);
}

static struct link *mqtt_open(const char *address, const char *kid_hex, char error[LINK_ERROR_SIZE]) {
    struct link *link = calloc(1, sizeof *link);
    char host[256];
    int port = 0;
    if (link == NULL || !read_address(link, address, kid_hex, host, &port)) {
        snprintf(error, LINK_ERROR_SIZE, "mqtt:HOST:PORT or mqtt:HOST:PORT/PREFIX is what an MQTT link looks like");
        free(link);
        return NULL;
    }
    if (!mqtt_connect(link, host, port)) {
        snprintf(error, LINK_ERROR_SIZE, "%.100s: not an address of a broker", address);
        mqtt_close(link);
        return NULL;
    }
    return link;
}

static bool mqtt_send(struct link *link, const uint8_t *envelope, size_t n) {
    if (wait_monotonic_us() >= link->turn_at_us) {
        for (int i = 0; i < 2 && !link->connected; i++) {
            turn(link, SLICE_MS); /* who cannot send does not listen either: only here can the broker be found again */
        }
        link->turn_at_us = wait_monotonic_us() + (uint64_t)SLICE_MS * 1000; /* not for every message of a wake */
    }
    if (!link->connected) {
        return false;
    }
    return mosquitto_publish(link->client, NULL, link->up, (int)n, envelope, QOS, false) == MOSQ_ERR_SUCCESS;
}

static size_t mqtt_receive(struct link *link, uint8_t *out, size_t size) {
    if (link->count == 0) {
        turn(link, 0);
    }
    if (link->count == 0) {
        return 0;
    }
    const struct received *slot = &link->queue[link->first];
    const size_t n = slot->n <= size ? slot->n : 0;
    memcpy(out, slot->data, n);
    link->first = (link->first + 1) % QUEUE;
    link->count--;
    return n;
}

const struct link_operations link_mqtt = {mqtt_open, mqtt_send, mqtt_receive, mqtt_wait, mqtt_close};
