/* stethos-node: the composition of core, model, source and link on this computer. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host.h"
#include "host_model.h"
#include "options.h"
#include "wait.h"

enum {
    RESET_POWER_ON = 0,
    RESET_SOFTWARE = 2,
    EXIT_REFUSES = 3,
    DRAIN_US = 5000000,
    DRAIN_PAUSE_MS = 200,
    IMAGE_MAX = 1 << 20
};

static _Noreturn void give_up(const char *what, const char *why) {
    fprintf(stderr, "stethos-node: %s: %s\n", what, why);
    exit(EXIT_FAILURE);
}

static uint8_t *read_image(const char *path, size_t *size) {
    FILE *file = fopen(path, "rb");
    uint8_t *image = malloc(IMAGE_MAX);
    if (file == NULL || image == NULL) {
        give_up(path, strerror(errno));
    }
    *size = fread(image, 1, IMAGE_MAX, file);
    if (ferror(file) != 0 || *size == IMAGE_MAX) {
        give_up(path, "cannot be read, or is too large");
    }
    fclose(file);
    return image;
}

/* What came over the air goes before what the program was started with. */
static void load_model(const struct options *options, const struct port *port, struct host_model *out) {
    size_t size;
    host_model_close(out);
    uint8_t *image = host_model_in_flash(port, &size);
    const bool in_flash = image != NULL;
    if (!in_flash && options->model != NULL) {
        image = read_image(options->model, &size);
    }
    if (image != NULL) {
        host_model_open(out, image, size, in_flash ? options->flash : options->model);
    }
}

static void open_state(const char *path, struct host *host, const struct port *port) {
    switch (persist_file_open(&host->file, path)) {
    case PERSIST_OPEN:
        return;
    case PERSIST_NEW:
        if (ceiling_provision(port)) {
            return;
        }
        remove(path); /* half a provisioning would be taken for a lost record */
        give_up(path, "could not be written");
    default:
        give_up(path, errno == EWOULDBLOCK ? "in use by another process" : strerror(errno));
    }
}

/* What lies outside the core. */
struct outside {
    struct learner learner;
    struct slow slow;
    uint32_t rate_millihz;
    uint8_t channels;
};

static struct node_config configure(const struct options *options, const struct host_model *loaded,
                                    struct outside *outside) {
    const bool model = loaded->image != NULL && !loaded->broken;
    const uint8_t most = model ? loaded->model.channels : NODE_CHANNELS_MAX;
    const uint32_t samples = options->samples != 0 ? options->samples : model ? loaded->model.samples : 128;
    struct node_config config = {
        .hardware = options->hardware,
        .firmware = FIRMWARE,
        .wake_ms = options->wake_ms,
        .heartbeat_ms = options->heartbeat_ms,
        .listen_ms = (uint16_t)options->listen_ms,
        .samples = (uint16_t)samples,
        .channels = outside->channels < most ? outside->channels : most,
        .window_every = (uint16_t)(options->window_every_given ? options->window_every : loaded->image == NULL),
        .flag_repeat = (uint16_t)options->flag_repeat,
        .model_broken = loaded->broken,
        .feature_set = (uint8_t)(options->feature_set != 0 ? options->feature_set
                                 : model                   ? loaded->model.feature_set
                                                           : 0),
        .rate_millihz = outside->rate_millihz,
        .short_samples = (uint16_t)(options->short_samples < samples ? options->short_samples : 0),
        .whole_every = (uint8_t)options->whole_every,
        .learner = options->learn != 0 ? &outside->learner : NULL,
        .setup = {.windows = (uint16_t)options->learn, .events_ppb = options->events_ppb},
        .slow = options->feature_set == FEATURE_SET_SLOW ? &outside->slow : NULL,
        .judge_slow = slow_judge,
        .limits = options->limits,
        .alert = options->alert,
        .radio_min_mv = (uint16_t)options->radio_min_mv,
        .firmware_counter = options->firmware_counter,
        .rules = &HOST_RULES,
        .updates = &NODE_UPDATES,
        .hear = node_hear,
    };
    memcpy(config.kid, options->kid, sizeof config.kid);
    memcpy(config.secret, options->secret, sizeof config.secret);
    return config;
}

/* Send what is not acknowledged, for a bounded time. */
static void drain(struct node *node, struct host *host) {
    const uint64_t end_us = wait_monotonic_us() + DRAIN_US;
    while (node->state == NODE_RUNNING && node->kept->ring.count > 0 && node_flush(node) > 0) {
        if (wait_stopped() || wait_monotonic_us() > end_us) {
            break;
        }
        host->operations->wait(host->link, DRAIN_PAUSE_MS);
    }
}

static void run(struct node *node, struct host *host, uint32_t steps) {
    bool confirmed = false;
    while (!wait_stopped() && !host->source_ended) {
        const uint32_t sleep_ms = node_step(node);
        if (!confirmed && node->kept->counters.acknowledged > 0) {
            host_model_confirm(node->port);
            confirmed = true;
        }
        if (sleep_ms == NODE_NEVER || (steps != 0 && node->kept->counters.wakes >= steps)) {
            break;
        }
        if (!host->source_ended) {
            host_sleep(host, (uint64_t)sleep_ms * 1000);
        }
    }
    drain(node, host);
}

static void print_number(const char *name, uint32_t value) {
    printf("\"%s\": %" PRIu32 ", ", name, value);
}

static void print_verdicts(const struct node_counters *counters) {
    static const char *const NAMES[VERDICTS] = {"accepted", "malformed", "unknown_node",
                                                "bad_tag",  "replayed",  "undecodable"};
    for (unsigned i = 0; i < VERDICTS; i++) {
        print_number(NAMES[i], counters->verdicts[i]);
    }
    print_number("refused",
                 counters->verdicts[MALFORMED] + counters->verdicts[BAD_TAG] + counters->verdicts[UNDECODABLE]);
}

static void print_energy(const struct energy *energy) {
    static const char *const NAMES[ACTIVITIES] = {"sleep", "sensor", "compute", "radio"};
    printf("\"energy_uc\": {");
    for (unsigned i = 0; i < ACTIVITIES; i++) {
        printf("%s\"%s\": %" PRIu32, i > 0 ? ", " : "", NAMES[i], energy_uc(energy, (enum activity)i));
    }
    printf("}");
}

static void print_summary(const struct node *node, const char *kid_hex) {
    const struct node_kept *kept = node->kept;
    const struct node_counters *c = &kept->counters;
    printf("{\"id\": \"%s\", ", kid_hex);
    print_number("wakes", c->wakes);
    print_number("windows", c->windows);
    print_number("anomalous", c->anomalous);
    print_number("flags", c->flags);
    print_number("faults", c->faults);
    print_number("messages", c->messages);
    print_number("sent", c->sent);
    print_number("resends", c->resends);
    print_number("acked", c->acknowledged);
    print_number("unacked", kept->ring.count);
    print_number("commands", c->commands);
    print_number("ring_drops", kept->ring.dropped);
    print_number("not_sent", c->not_sent);
    print_number("not_kept", c->not_kept);
    print_number("unnumbered", c->unnumbered);
    print_number("glances", c->glances);
    print_number("deferred", c->deferred);
    print_number("restarts", c->restarts);
    print_number("collected", c->collected);
    print_number("learned", c->learned);
    print_number("epoch", kept->downlink.epoch);
    print_number("next_seq", kept->ceiling.next_seq);
    print_number("next_partial_iv", kept->ceiling.next_partial_iv);
    print_verdicts(c);
    print_energy(&kept->energy);
    puts("}");
}

static void open_outside(const struct options *options, struct host *host, struct outside *outside) {
    char error[LINK_ERROR_SIZE] = "";
    host->source = source_open(options->source, options->seed, error, sizeof error);
    if (host->source == NULL) {
        give_up("--source", error);
    }
    source_rate(host->source, &host->rate_millihz, &outside->channels);
    outside->rate_millihz = host->rate_millihz;
    host->operations = options->link;
    host->link = options->link->open(options->address, options->kid_hex, error);
    if (host->link == NULL) {
        give_up("--link", error);
    }
}

int main(int argc, char **argv) {
    static struct node node;
    static struct node_kept kept;
    static int16_t samples[NODE_SAMPLES_MAX * NODE_CHANNELS_MAX];
    static struct outside outside;
    struct options options;
    struct host_model loaded = {0};
    struct node_config config;
    options_read(argc, argv, &options);
    wait_init();
    struct host host = {
        .speed = options.speed, .log = options.log, .energy = &kept.energy, .mishaps = options.mishaps, .flash = -1};
    if (options.flash != NULL && (host.flash = store_file_open(options.flash)) < 0) {
        give_up(options.flash, strerror(errno));
    }
    const struct port port = host_port(&host);
    open_state(options.state, &host, &port);
    open_outside(&options, &host, &outside);
    host_start(&host);
    uint8_t reset_cause = RESET_POWER_ON;
    do {
        host.restart = false;
        load_model(&options, &port, &loaded);
        config = configure(&options, &loaded, &outside);
        config.reset_cause = reset_cause;
        struct model *model = loaded.image != NULL && !loaded.broken ? &loaded.model : NULL;
        if (node_init(&node, &config, &port, model, samples, &kept) == NODE_NO_RECORD) {
            fprintf(stderr, "stethos-node: %s: no valid record; refuses to send and needs a new key\n", options.state);
        } else {
            run(&node, &host, options.steps);
        }
        if (host.restart) {
            memset(&kept, 0, sizeof kept);
            memset(&outside.learner, 0, sizeof outside.learner);
            reset_cause = RESET_SOFTWARE;
        }
    } while (host.restart);
    const bool refuses = node.state != NODE_RUNNING && !host.storage;
    node_stop(&node);
    print_summary(&node, options.kid_hex);
    host.operations->close(host.link);
    source_close(host.source);
    persist_file_close(&host.file);
    host_model_close(&loaded);
    return refuses ? EXIT_REFUSES : EXIT_SUCCESS;
}
