#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char USAGE[] =
    "stethos-node: a node on this computer, from samples to envelopes\n"
    "\n"
    "  --id HEX8             the node's id\n"
    "  --key HEX32           its master secret; or\n"
    "  --key-file FILE       one line: id and master secret, in hex\n"
    "  --state FILE          its flash; made if it is not there, and then the key must be a new one\n"
    "  --link LINK           udp:HOST:PORT, serial:PATH (a pseudo-terminal appears there) or mqtt:HOST:PORT[/PREFIX]\n"
    "  --source SOURCE       sim:motor?fault=imbalance&at=30, file:PATH, ... (ports/host/source.h)\n"
    "  --model FILE          model image; without one the node sends windows for training\n"
    "  --samples N           per channel in one window (128, or what the model wants)\n"
    "  --wake-ms N           from one look at the machine to the next (10000)\n"
    "  --heartbeat-ms N      a Health comes at least this often (60000)\n"
    "  --listen-ms N         after sending (500)\n"
    "  --window-every N      send every n-th normal window; 0: none (0 with a model, else 1)\n"
    "  --flag-repeat N       while an anomaly stands, flag every n-th wake (1)\n"
    "  --speed X             node time runs X times as fast, but for listening (1)\n"
    "  --hardware NAME       what its Birth says (host)\n"
    "  --seed N              another machine of the same kind (0)\n"
    "  --steps N             end after so many wakes\n"
    "  --log                 tell what happens, on stderr\n";

static _Noreturn void refuse(const char *what, const char *value) {
    fprintf(stderr, "stethos-node: %s: %s\n", what, value);
    exit(2);
}

static void read_hex(const char *what, const char *text, uint8_t *out, size_t n) {
    if (strlen(text) != 2 * n || strspn(text, "0123456789abcdefABCDEF") != 2 * n) {
        refuse(what, "not the right number of hex digits");
    }
    for (size_t i = 0; i < n; i++) {
        const char byte[3] = {text[2 * i], text[2 * i + 1], '\0'};
        out[i] = (uint8_t)strtoul(byte, NULL, 16);
    }
}

static uint64_t read_number(const char *what, const char *text, uint64_t least, uint64_t most) {
    char *end;
    errno = 0;
    const unsigned long long value = strtoull(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || *text == '-' || value < least || value > most) {
        refuse(what, text);
    }
    return value;
}

static double read_speed(const char *text) {
    char *end;
    const double value = strtod(text, &end);
    if (end == text || *end != '\0' || !(value >= 0.01 && value <= 1e6)) {
        refuse("--speed", text);
    }
    return value;
}

static void read_key_file(const char *path, struct options *out) {
    char id[2 * KEYS_KID + 2];
    char secret[2 * KEYS_SECRET + 2];
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        refuse(path, strerror(errno));
    }
    const int found = fscanf(file, "%9s %33s", id, secret);
    fclose(file);
    if (found != 2) {
        refuse(path, "not a line of id and secret");
    }
    read_hex(path, id, out->kid, KEYS_KID);
    read_hex(path, secret, out->secret, KEYS_SECRET);
}

static void read_link(const char *text, struct options *out) {
    static const struct {
        const char *prefix;
        const struct link_operations *link;
    } LINKS[] = {
        {"udp:", &link_udp},
        {"serial:", &link_serial},
#ifdef WITH_MQTT
        {"mqtt:", &link_mqtt},
#else
        {"mqtt:", NULL},
#endif
    };
    for (size_t i = 0; i < sizeof LINKS / sizeof LINKS[0]; i++) {
        const size_t n = strlen(LINKS[i].prefix);
        if (strncmp(text, LINKS[i].prefix, n) == 0) {
            out->link = LINKS[i].link;
            out->address = text + n;
            if (out->link == NULL) {
                refuse("--link", "this program was built without libmosquitto, so without MQTT");
            }
            return;
        }
    }
    refuse("--link", text);
}

enum option_name {
    ID,
    KEY,
    KEY_FILE,
    STATE,
    LINK,
    SOURCE,
    MODEL,
    SAMPLES,
    WAKE_MS,
    HEARTBEAT_MS,
    LISTEN_MS,
    WINDOW_EVERY,
    FLAG_REPEAT,
    SPEED,
    HARDWARE,
    SEED,
    STEPS,
    LOG,
    HELP,
    OPTIONS,
};

static const struct option LONG_OPTIONS[] = {
    {"id", required_argument, NULL, ID},
    {"key", required_argument, NULL, KEY},
    {"key-file", required_argument, NULL, KEY_FILE},
    {"state", required_argument, NULL, STATE},
    {"link", required_argument, NULL, LINK},
    {"source", required_argument, NULL, SOURCE},
    {"model", required_argument, NULL, MODEL},
    {"samples", required_argument, NULL, SAMPLES},
    {"wake-ms", required_argument, NULL, WAKE_MS},
    {"heartbeat-ms", required_argument, NULL, HEARTBEAT_MS},
    {"listen-ms", required_argument, NULL, LISTEN_MS},
    {"window-every", required_argument, NULL, WINDOW_EVERY},
    {"flag-repeat", required_argument, NULL, FLAG_REPEAT},
    {"speed", required_argument, NULL, SPEED},
    {"hardware", required_argument, NULL, HARDWARE},
    {"seed", required_argument, NULL, SEED},
    {"steps", required_argument, NULL, STEPS},
    {"log", no_argument, NULL, LOG},
    {"help", no_argument, NULL, HELP},
    {NULL, 0, NULL, 0},
};

static void take_schedule(int option, const char *value, struct options *out) {
    switch (option) {
    case SAMPLES:
        out->samples = (uint32_t)read_number("--samples", value, 32, NODE_SAMPLES_MAX);
        break;
    case WAKE_MS:
        out->wake_ms = (uint32_t)read_number("--wake-ms", value, 1, UINT32_MAX - 1);
        break;
    case HEARTBEAT_MS:
        out->heartbeat_ms = (uint32_t)read_number("--heartbeat-ms", value, 1, UINT32_MAX);
        break;
    case LISTEN_MS:
        out->listen_ms = (uint32_t)read_number("--listen-ms", value, 0, UINT16_MAX);
        break;
    case WINDOW_EVERY:
        out->window_every = (uint32_t)read_number("--window-every", value, 0, UINT16_MAX);
        out->window_every_given = true;
        break;
    case FLAG_REPEAT:
        out->flag_repeat = (uint32_t)read_number("--flag-repeat", value, 1, UINT16_MAX);
        break;
    default:
        exit(2); /* getopt has said why */
    }
}

static void take_identity(int option, const char *value, struct options *out) {
    switch (option) {
    case ID:
        read_hex("--id", value, out->kid, KEYS_KID);
        break;
    case KEY:
        read_hex("--key", value, out->secret, KEYS_SECRET);
        break;
    default:
        read_key_file(value, out);
        break;
    }
}

static void take(int option, const char *value, struct options *out) {
    switch (option) {
    case STATE:
        out->state = value;
        break;
    case LINK:
        read_link(value, out);
        break;
    case SOURCE:
        out->source = value;
        break;
    case MODEL:
        out->model = value;
        break;
    case SPEED:
        out->speed = read_speed(value);
        break;
    case HARDWARE:
        out->hardware = value;
        break;
    case SEED:
        out->seed = read_number("--seed", value, 0, UINT64_MAX);
        break;
    case STEPS:
        out->steps = (uint32_t)read_number("--steps", value, 1, UINT32_MAX);
        break;
    case LOG:
        out->log = true;
        break;
    case HELP:
        fputs(USAGE, stdout);
        exit(0);
    default:
        take_schedule(option, value, out);
        break;
    }
}

static void check(const struct options *options, const bool given[OPTIONS]) {
    if (!given[KEY_FILE] && !(given[ID] && given[KEY])) {
        refuse("missing", "--id and --key, or --key-file");
    }
    if (options->state == NULL || options->link == NULL || options->source == NULL) {
        refuse("missing", "--state, --link and --source must all be given");
    }
    const size_t n = strlen(options->hardware);
    if (n < 1 || n > NODE_TEXT_MAX) {
        refuse("--hardware, 1 to 24 bytes", options->hardware);
    }
}

void options_read(int argc, char **argv, struct options *out) {
    bool given[OPTIONS] = {false};
    int option;
    *out = (struct options){
        .hardware = "host", .wake_ms = 10000, .heartbeat_ms = 60000, .listen_ms = 500, .flag_repeat = 1, .speed = 1};
    while ((option = getopt_long(argc, argv, "", LONG_OPTIONS, NULL)) != -1) {
        if (option >= 0 && option < OPTIONS) {
            given[option] = true;
        }
        if (option >= ID && option <= KEY_FILE) {
            take_identity(option, optarg, out);
        } else {
            take(option, optarg, out);
        }
    }
    if (optind < argc) {
        refuse("unexpected", argv[optind]);
    }
    check(out, given);
    for (unsigned i = 0; i < KEYS_KID; i++) {
        snprintf(out->kid_hex + 2 * i, 3, "%02x", out->kid[i]);
    }
}
