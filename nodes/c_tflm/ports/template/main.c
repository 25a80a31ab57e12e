/* The firmware: an identity becomes a node, and the node runs for ever. Start-up code calls this with memory cleared
 * and clocks running; `kept` may lie in memory that a reset retains. */
#include <string.h>

#include "drivers.h"
#include "template.h"

enum { CHANNELS = 3, SAMPLES = 128, WAKE_MS = 60000, HEARTBEAT_MS = 3600000, LISTEN_MS = 500, REFUSES_MS = 3600000 };

static struct board board;
static struct identity identity;
static struct node node;
static struct node_kept kept;
static int16_t samples[SAMPLES * CHANNELS];

static struct node_config configure(void) {
    struct node_config config = {
        .hardware = "template",
        .firmware = "0.1.0",
        .wake_ms = WAKE_MS,
        .heartbeat_ms = HEARTBEAT_MS,
        .listen_ms = LISTEN_MS,
        .samples = SAMPLES,
        .channels = CHANNELS,
        .reset_cause = reset_cause(),
        .window_every = 1, /* without a model every window is sent, for training */
        .flag_repeat = 1,
    };
    memcpy(config.kid, identity.kid, sizeof config.kid);
    memcpy(config.secret, identity.secret, sizeof config.secret);
    return config;
}

/* A sleep may be cut short by anything; the node is asked again when its time has come. */
static void sleep_for(uint32_t ms) {
    const uint32_t begun_ms = clock_ms();
    for (uint32_t passed_ms = 0; passed_ms < ms; passed_ms = clock_ms() - begun_ms) {
        clock_sleep(ms - passed_ms);
    }
}

/* A node that must not send says so by silence; whoever comes gives it a new identity. */
static _Noreturn void refuse(void) {
    for (;;) {
        clock_sleep(REFUSES_MS);
    }
}

int main(void) {
    const struct port port = template_port(&board);
    if (!template_identity(&identity) || !template_provision(&port)) {
        refuse();
    }
    const struct node_config config = configure();
    node_init(&node, &config, &port, NULL, samples, &kept);
    for (;;) {
        const uint32_t sleep_ms = node_step(&node);
        if (sleep_ms == NODE_NEVER) {
            refuse();
        }
        sleep_for(sleep_ms);
    }
}
