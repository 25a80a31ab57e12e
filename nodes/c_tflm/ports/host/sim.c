/* Options, individuals, sensors and sampling of the simulator; the plants are in sim_machine.c and sim_room.c. */
#include "sim.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "source_kind.h"

#define PI 3.141592653589793

enum { WARM_UP = 256 }; /* draws before a window, until the filters have forgotten how they were started */

struct simulation {
    struct source base;
    const struct sim_plant *plant;
    struct sim_options options;
    struct sim_individual who;
    uint64_t seed;
};

struct low_pass { /* transposed direct form II */
    double b[3], a[3], state[2];
};

uint64_t sim_random_next(struct sim_random *r) {
    uint64_t z = r->state += UINT64_C(0x9E3779B97F4A7C15);
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}

double sim_random_uniform(struct sim_random *r, double low, double high) {
    return low + (high - low) * (double)(sim_random_next(r) >> 11) * 0x1p-53;
}

/* Box and Muller (1958), one of the pair. */
double sim_random_normal(struct sim_random *r) {
    const double radius = sqrt(-2.0 * log(sim_random_uniform(r, 0x1p-54, 1.0)));
    return radius * cos(sim_random_uniform(r, 0.0, 2.0 * PI));
}

double sim_hash(uint64_t seed, int64_t index) {
    struct sim_random r = {seed ^ ((uint64_t)index * UINT64_C(0xD1342543DE82EF95))};
    return sim_random_uniform(&r, 0.0, 1.0);
}

double sim_severity(const struct sim_options *options, double t) {
    if (t < options->at_s) {
        return 0.0;
    }
    const double since = t - options->at_s;
    return options->severity * (since < options->ramp_s ? since / options->ramp_s : 1.0);
}

/* Second-order Butterworth by the bilinear transform, at rest on `level`. */
static struct low_pass low_pass_of(double corner_hz, double rate_hz, double level) {
    const double k = tan(PI * corner_hz / rate_hz);
    const double norm = 1.0 / (1.0 + sqrt(2.0) * k + k * k);
    struct low_pass f = {.b = {k * k * norm, 2.0 * k * k * norm, k * k * norm},
                         .a = {1.0, 2.0 * (k * k - 1.0) * norm, (1.0 - sqrt(2.0) * k + k * k) * norm}};
    f.state[0] = level * (1.0 - f.b[0]);
    f.state[1] = level * (f.b[2] - f.a[2]);
    return f;
}

static double low_pass_step(struct low_pass *f, double x) {
    const double y = f->b[0] * x + f->state[0];
    f->state[0] = f->b[1] * x - f->a[1] * y + f->state[1];
    f->state[1] = f->b[2] * x - f->a[2] * y;
    return y;
}

static int16_t count_of(const struct sim_sensor *sensor, double value) {
    const double counts = floor(value * sensor->per_unit + 0.5);
    return (int16_t)fmin(fmax(counts, sensor->low), sensor->high);
}

static int16_t stuck_at(const struct simulation *sim, uint8_t channel) {
    const struct sim_sensor *sensor = &sim->plant->sensors[channel];
    return count_of(sensor, sim_hash(sim->seed, channel) * 0.01 * sensor->high / sensor->per_unit);
}

static int read_window(struct source *s, uint64_t time_us, int16_t *out, uint16_t n, uint8_t channels) {
    const struct simulation *sim = (const struct simulation *)s;
    const struct sim_plant *plant = sim->plant;
    const double rate_hz = plant->rate_millihz / 1000.0;
    const double fast_hz = rate_hz * plant->oversampling;
    const double start = (double)time_us / 1e6;
    struct sim_random noise = {sim->seed ^ (time_us * UINT64_C(0xD1342543DE82EF95))};
    struct low_pass filters[SIM_CHANNELS_MAX];
    const int64_t end = (int64_t)(n - 1) * plant->oversampling;
    for (int64_t i = -WARM_UP; i <= end; i++) {
        const double t = start + (double)i / fast_hz;
        double signal[SIM_CHANNELS_MAX] = {0};
        plant->signal(&sim->who, &sim->options, t, &noise, signal);
        for (uint8_t c = 0; c < plant->channels; c++) {
            const struct sim_sensor *sensor = &plant->sensors[c];
            if (i == -WARM_UP) {
                filters[c] = low_pass_of(sensor->bandwidth_hz, fast_hz, signal[c]);
            }
            const double hiss = sensor->noise_density * sqrt(fast_hz / 2.0) * sim_random_normal(&noise);
            const double value = low_pass_step(&filters[c], signal[c] + hiss);
            if (i < 0 || i % plant->oversampling != 0 || c >= channels) {
                continue;
            }
            const bool stuck = sim->options.fault == SIM_STUCK && t >= sim->options.at_s;
            out[i / plant->oversampling * channels + c] = stuck ? stuck_at(sim, c) : count_of(sensor, value);
        }
    }
    return SOURCE_OK;
}

static void close_simulation(struct source *s) {
    free(s);
}

/* Rotations about the three axes by a few degrees: no two nodes are glued on alike. */
static void make_mounting(struct sim_random *r, double m[3][3]) {
    const double a = sim_random_uniform(r, -0.08, 0.08);
    const double b = sim_random_uniform(r, -0.08, 0.08);
    const double c = sim_random_uniform(r, -0.08, 0.08);
    const double rotation[3][3] = {
        {cos(b) * cos(c), -cos(b) * sin(c), sin(b)},
        {sin(a) * sin(b) * cos(c) + cos(a) * sin(c), cos(a) * cos(c) - sin(a) * sin(b) * sin(c), -sin(a) * cos(b)},
        {sin(a) * sin(c) - cos(a) * sin(b) * cos(c), cos(a) * sin(b) * sin(c) + sin(a) * cos(c), cos(a) * cos(b)},
    };
    memcpy(m, rotation, sizeof rotation);
}

static struct sim_individual make_individual(uint64_t seed) {
    struct sim_random r = {seed};
    struct sim_individual who = {.seed = sim_random_next(&r)};
    make_mounting(&r, who.mounting);
    who.gain = sim_random_uniform(&r, 0.85, 1.15);
    who.phase = sim_random_uniform(&r, 0.0, 2.0 * PI);
    who.imbalance = sim_random_uniform(&r, 0.7, 1.3);
    who.wander[0] = sim_random_uniform(&r, 0.0, 2.0 * PI);
    who.wander[1] = sim_random_uniform(&r, 0.0, 2.0 * PI);
    who.offset = sim_random_uniform(&r, -0.5, 0.5);
    return who;
}

static const char *const fault_names[] = {
    [SIM_HEALTHY] = "none",        [SIM_IMBALANCE] = "imbalance",   [SIM_MISALIGNMENT] = "misalignment",
    [SIM_LOOSENESS] = "looseness", [SIM_CAVITATION] = "cavitation", [SIM_BLOCKAGE] = "blockage",
    [SIM_LEAK] = "leak",           [SIM_HEATING] = "heating",       [SIM_DOOR] = "door",
    [SIM_MOVED] = "moved",         [SIM_STUCK] = "stuck",           [SIM_SATURATED] = "saturated",
};

static bool parse_fault(const struct sim_plant *plant, const char *text, enum sim_fault *fault) {
    for (unsigned i = 0; i < sizeof fault_names / sizeof fault_names[0]; i++) {
        if (strcmp(text, fault_names[i]) == 0 && (plant->faults >> i & 1) != 0) {
            *fault = (enum sim_fault)i;
            return true;
        }
    }
    return false;
}

static bool parse_number(const char *text, double low, double high, double *value) {
    char *end;
    *value = strtod(text, &end);
    return end != text && *end == '\0' && *value >= low && *value <= high;
}

static bool parse_option(const struct sim_plant *plant, const char *name, const char *value, struct sim_options *o) {
    if (strcmp(name, "fault") == 0) {
        return parse_fault(plant, value, &o->fault);
    }
    if (strcmp(name, "at") == 0) {
        return parse_number(value, 0.0, 1e9, &o->at_s);
    }
    if (strcmp(name, "ramp") == 0) {
        return parse_number(value, 0.0, 1e9, &o->ramp_s);
    }
    if (strcmp(name, "severity") == 0) {
        return parse_number(value, 0.0, 10.0, &o->severity);
    }
    if (strcmp(name, "hour") == 0) {
        return parse_number(value, 0.0, 24.0, &o->hour);
    }
    return strcmp(name, "speed") == 0 && plant->speed_rpm > 0.0 && parse_number(value, 60.0, 6000.0, &o->speed_rpm);
}

static const struct sim_plant *plant_named(const char *name) {
    const struct sim_plant *plants[] = {&sim_motor, &sim_pump, &sim_room};
    for (unsigned i = 0; i < 3; i++) {
        if (strcmp(plants[i]->name, name) == 0) {
            return plants[i];
        }
    }
    return NULL;
}

struct source *source_sim_open(const char *what, const char *query, uint64_t seed, char *error, size_t error_size) {
    const struct sim_plant *plant = plant_named(what);
    if (plant == NULL) {
        (void)snprintf(error, error_size, "simulator: '%s' is none of motor, pump, room", what);
        return NULL;
    }
    struct sim_options options = {.severity = 1.0, .speed_rpm = plant->speed_rpm, .hour = 9.0};
    char name[16];
    char value[32];
    int found;
    while ((found = source_option(&query, name, sizeof name, value, sizeof value)) > 0) {
        if (!parse_option(plant, name, value, &options)) {
            (void)snprintf(error, error_size, "simulator: %s cannot have %s=%s", what, name, value);
            return NULL;
        }
    }
    struct simulation *sim = found < 0 ? NULL : malloc(sizeof *sim);
    if (sim == NULL) {
        (void)snprintf(error, error_size, "simulator: expected name=value&... behind the question mark");
        return NULL;
    }
    const struct source base = {plant->rate_millihz, plant->channels, read_window, close_simulation};
    const struct simulation made = {base, plant, options, make_individual(seed), seed};
    *sim = made;
    return &sim->base;
}
