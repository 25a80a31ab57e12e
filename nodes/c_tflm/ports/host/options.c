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
    "  --flash FILE          its flash slots: what it learns, and models that come over the air, outlive the program\n"
    "  --feature-set N       1 statistics, 2 however it is mounted, 3 slow sensors, 5 as 2, in less (1)\n"
    "  --short N             look at N samples first, and at the whole window unless they are plainly normal\n"
    "  --whole-every N       all the same at the whole window in every n-th wake (16)\n"
    "  --learn N             learn from N windows what is normal\n"
    "  --events-ppb N        false alarms in 10^9 windows that the learner allows itself\n"
    "  --limits LOW:HIGH     of the first channel of a slow sensor\n"
    "  --alert AFTER:CLEAR   looks in a row until the alert output is switched on, and off; 0: by command\n"
    "  --radio-min-mv N      below it nothing is sent\n"
    "  --firmware-counter N  what its Birth says (0)\n"
    "  --sensor-fault WHY@FROM:TO   stuck, saturated, overrun or no_answer, in these seconds\n"
    "  --weak MV@FROM:TO     the battery under load, in these seconds\n"
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
    FLASH,
    FEATURE_SET,
    SHORT,
    WHOLE_EVERY,
    LEARN,
    EVENTS_PPB,
    LIMITS,
    ALERT,
    RADIO_MIN_MV,
    FIRMWARE_COUNTER,
    SENSOR_FAULT,
    WEAK,
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
    {"flash", required_argument, NULL, FLASH},
    {"feature-set", required_argument, NULL, FEATURE_SET},
    {"short", required_argument, NULL, SHORT},
    {"whole-every", required_argument, NULL, WHOLE_EVERY},
    {"learn", required_argument, NULL, LEARN},
    {"events-ppb", required_argument, NULL, EVENTS_PPB},
    {"limits", required_argument, NULL, LIMITS},
    {"alert", required_argument, NULL, ALERT},
    {"radio-min-mv", required_argument, NULL, RADIO_MIN_MV},
    {"firmware-counter", required_argument, NULL, FIRMWARE_COUNTER},
    {"sensor-fault", required_argument, NULL, SENSOR_FAULT},
    {"weak", required_argument, NULL, WEAK},
    {"help", no_argument, NULL, HELP},
    {NULL, 0, NULL, 0},
};

/* Two numbers with a colon between them. */
static void read_pair(const char *what, const char *text, int64_t least, int64_t most, int64_t out[2]) {
    const char *start = text;
    errno = 0;
    for (unsigned i = 0; i < 2; i++) {
        char *end;
        out[i] = strtoll(start, &end, 10);
        if (errno != 0 || end == start || *end != (i == 0 ? ':' : '\0') || out[i] < least || out[i] > most) {
            refuse(what, text);
        }
        start = end + 1;
    }
}

static struct stretch read_stretch(const char *what, const char *text) {
    int64_t pair[2];
    const char *at = strchr(text, '@');
    if (at == NULL) {
        refuse(what, text);
    }
    read_pair(what, at + 1, 0, UINT32_MAX, pair);
    return (struct stretch){(uint64_t)pair[0], (uint64_t)pair[1]};
}

static uint8_t read_fault(const char *text) {
    static const char *const NAMES[] = {"stuck@", "saturated@", "overrun@", "no_answer@"};
    for (uint8_t i = 0; i < sizeof NAMES / sizeof NAMES[0]; i++) {
        if (strncmp(text, NAMES[i], strlen(NAMES[i])) == 0) {
            return (uint8_t)(4 + i);
        }
    }
    refuse("--sensor-fault", text);
}

static void take_mishap(int option, const char *value, struct options *out) {
    struct mishaps *mishaps = &out->mishaps;
    if (option == SENSOR_FAULT) {
        mishaps->sensor_fault = read_fault(value);
        mishaps->faulty = read_stretch("--sensor-fault", value);
    } else {
        char *end;
        mishaps->weak_mv = (uint16_t)strtoul(value, &end, 10);
        mishaps->weak = read_stretch("--weak", value);
        if (*end != '@') {
            refuse("--weak", value);
        }
    }
}

static void take_judgement(int option, const char *value, struct options *out) {
    int64_t pair[2];
    switch (option) {
    case FEATURE_SET:
        out->feature_set = (uint32_t)read_number("--feature-set", value, 1, UINT8_MAX);
        if (feature_set_size((uint8_t)out->feature_set, 1) == 0) {
            refuse("--feature-set", value);
        }
        break;
    case SHORT:
        out->short_samples = (uint32_t)read_number("--short", value, 32, NODE_SAMPLES_MAX);
        break;
    case WHOLE_EVERY:
        out->whole_every = (uint32_t)read_number("--whole-every", value, 1, UINT8_MAX);
        break;
    case LEARN:
        out->learn = (uint32_t)read_number("--learn", value, 24, LEARNER_WINDOWS_MAX);
        break;
    case EVENTS_PPB:
        out->events_ppb = (uint32_t)read_number("--events-ppb", value, 1, 1000000000);
        break;
    case LIMITS:
        read_pair("--limits", value, INT16_MIN, INT16_MAX, pair);
        out->limits = (struct slow_limits){.low = {(int16_t)pair[0]}, .high = {(int16_t)pair[1]}, .set = 3};
        break;
    case ALERT:
        read_pair("--alert", value, 0, UINT8_MAX, pair);
        out->alert = (struct alert_policy){.raise_after = (uint8_t)pair[0], .clear_after = (uint8_t)pair[1]};
        break;
    case RADIO_MIN_MV:
        out->radio_min_mv = (uint32_t)read_number("--radio-min-mv", value, 0, UINT16_MAX);
        break;
    default:
        take_mishap(option, value, out);
        break;
    }
}

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
    case FLASH:
        out->flash = value;
        break;
    case FIRMWARE_COUNTER:
        out->firmware_counter = (uint32_t)read_number("--firmware-counter", value, 0, UINT32_MAX);
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
        } else if (option >= FEATURE_SET && option <= WEAK && option != FIRMWARE_COUNTER) {
            take_judgement(option, optarg, out);
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
