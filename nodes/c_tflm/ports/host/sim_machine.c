/* Motor and pump: a rotor, what it does to its housing, and what the fluid adds. */
#include "sim.h"

#include <math.h>
#include <string.h>

#define TWO_PI 6.283185307179586

enum { VANES = 5, HARMONICS = 8 };

/* Amplitudes in g, of a healthy machine at its rated speed. */
static const double residual_1x = 0.012;
static const double residual_2x = 0.004;
static const double residual_3x = 0.002;
static const double bearing_floor = 0.010; /* standard deviation of a noise up to half the internal rate */
static const double vane_pass = 0.015;
static const double rocking = 12.0; /* degree/s of the housing's turning for each g of its shaking */

struct rotor {
    double turns; /* since time 0 */
    double hz;    /* present speed */
    double force; /* (speed / rated speed)^2 */
    double load;  /* about 1 */
};

/* The speed wanders slowly with the load: slip is proportional to torque. Its integral is exact, so that the phase is
 * right wherever a window starts. */
static struct rotor rotor_at(const struct sim_individual *who, const struct sim_options *options, double rated_rpm,
                             double t) {
    static const double period_s[2] = {97.0, 41.0};
    static const double depth[2] = {0.002, 0.001};
    struct rotor r = {0};
    const double nominal = options->speed_rpm / 60.0;
    double faster = 0.0;
    if (options->fault == SIM_BLOCKAGE) {
        faster = 0.01;
    } else if (options->fault == SIM_LEAK) {
        faster = -0.005;
    }
    double since = t > options->at_s ? t - options->at_s : 0.0;
    r.turns = nominal * (t + faster * options->severity * since);
    r.hz = nominal * (1.0 + (since > 0.0 ? faster * options->severity : 0.0));
    r.load = 1.0;
    for (int i = 0; i < 2; i++) {
        const double w = TWO_PI / period_s[i];
        r.turns += nominal * depth[i] / w * sin(w * t + who->wander[i]);
        r.hz += nominal * depth[i] * cos(w * t + who->wander[i]);
        r.load -= 20.0 * depth[i] * cos(w * t + who->wander[i]);
    }
    r.force = pow(r.hz * 60.0 / rated_rpm, 2.0);
    return r;
}

static double tone(const struct rotor *r, double order, double phase) {
    return sin(TWO_PI * order * (r->turns - floor(r->turns / 2.0) * 2.0) + phase);
}

/* One impact a turn, each of its own strength, ringing at a resonance of the loose part. */
static double impacts(const struct sim_individual *who, const struct rotor *r) {
    static const double resonance_hz = 170.0;
    static const double decay_s = 0.008;
    double sum = 0.0;
    for (int back = 0; back < 3; back++) {
        const double turn = floor(r->turns) - back;
        const double since = (r->turns - turn) / r->hz;
        const double strength = 0.5 + sim_hash(who->seed, (int64_t)turn);
        sum += strength * exp(-since / decay_s) * sin(TWO_PI * resonance_hz * since);
    }
    return sum;
}

/* Shaking of the housing in machine axes, in g. */
static void rotor_signal(const struct sim_individual *who, const struct sim_options *options, const struct rotor *r,
                         double severity, struct sim_random *noise, double *a) {
    const double once = residual_1x * who->imbalance + (options->fault == SIM_IMBALANCE ? 0.08 * severity : 0.0);
    const double phase = who->phase;
    const double bent = options->fault == SIM_MISALIGNMENT ? severity : 0.0;
    const double two = residual_2x + 0.05 * bent;
    a[0] += r->force * (once * tone(r, 1, phase) + two * tone(r, 2, 2 * phase));
    a[1] += r->force * (once * tone(r, 1, phase - TWO_PI / 4) + 0.8 * two * tone(r, 2, 2 * phase - 1.0));
    a[2] += r->force * ((0.3 * residual_1x + 0.05 * bent) * tone(r, 1, phase + 0.7) +
                        (0.5 * residual_2x + 0.04 * bent) * tone(r, 2, phase + 0.3));
    for (int i = 0; i < 3; i++) {
        a[i] += r->load * residual_3x * tone(r, 3, phase * (i + 1)) + bearing_floor * sim_random_normal(noise);
    }
    if (options->fault == SIM_LOOSENESS && severity > 0.0) {
        double rattle = 0.0;
        for (int k = 1; k <= HARMONICS; k++) {
            rattle += tone(r, 0.5 * k, phase * k) / k;
        }
        const double hit = impacts(who, r);
        a[0] += severity * (0.03 * rattle + 0.15 * hit);
        a[1] += severity * (0.05 * rattle + 0.25 * hit);
        a[2] += severity * (0.01 * rattle + 0.05 * hit);
    }
}

/* What the pumped fluid adds, in machine axes, in g. */
static void fluid_signal(const struct sim_individual *who, const struct sim_options *options, const struct rotor *r,
                         double severity, double t, struct sim_random *noise, double *a) {
    double vanes = vane_pass * r->load;
    double turbulence = 0.0;
    double slow = 0.0;
    switch (options->fault) {
    case SIM_CAVITATION: {
        /* Bubbles collapse in crowds: a third of the slots of 10 ms hold a burst. */
        const double crowd = sim_hash(who->seed, (int64_t)floor(t / 0.01));
        turbulence = severity * (0.05 + (crowd < 1.0 / 3.0 ? 1.2 * (0.5 + crowd) : 0.0));
        vanes /= 1.0 + severity;
        break;
    }
    case SIM_BLOCKAGE:
        vanes *= 1.0 + 2.5 * severity;
        slow = 0.05 * severity;
        break;
    case SIM_LEAK:
        turbulence = 0.06 * severity;
        vanes /= 1.0 + 1.5 * severity;
        break;
    default:
        break;
    }
    const double recirculation = slow * (sin(TWO_PI * 3.1 * t + who->wander[0]) * sin(TWO_PI * 0.37 * t) +
                                         sin(TWO_PI * 7.3 * t + who->wander[1]));
    for (int i = 0; i < 3; i++) {
        a[i] += vanes * tone(r, VANES, who->phase + i) * (i == 2 ? 0.5 : 1.0) + recirculation / (i + 1) +
                turbulence * sim_random_normal(noise);
    }
}

static void turn(const double by[3][3], const double *in, double *out) {
    for (int i = 0; i < 3; i++) {
        out[i] = by[i][0] * in[0] + by[i][1] * in[1] + by[i][2] * in[2];
    }
}

/* From machine axes to the sensor's, as the node is mounted; a node that was moved is turned about its z axis. */
static void mount(const struct sim_individual *who, const struct sim_options *options, double severity,
                  const double *in, double *out) {
    turn(who->mounting, in, out);
    if (options->fault == SIM_MOVED && severity > 0.0) {
        const double angle = 0.6 * severity;
        const double x = out[0];
        out[0] = x * cos(angle) - out[1] * sin(angle);
        out[1] = x * sin(angle) + out[1] * cos(angle);
    }
}

static void accelerometer(const struct sim_individual *who, const struct sim_options *options, double severity,
                          const double *shaking, double *out) {
    const double vibration = who->gain * (options->fault == SIM_SATURATED ? 1.0 + 400.0 * severity : 1.0);
    const double felt[3] = {vibration * shaking[0], 1.0 + vibration * shaking[1], vibration * shaking[2]};
    mount(who, options, severity, felt, out);
}

static void motor_signal(const struct sim_individual *who, const struct sim_options *options, double t,
                         struct sim_random *noise, double *out) {
    const struct rotor r = rotor_at(who, options, sim_motor.speed_rpm, t);
    const double severity = sim_severity(options, t);
    double a[3] = {0};
    rotor_signal(who, options, &r, severity, noise, a);
    accelerometer(who, options, severity, a, out);
    /* The housing rocks about the axis across its shaking, and twists about the shaft with the torque's ripple. */
    const double rock[3] = {-rocking * a[1], rocking * a[0], 0.15 * r.load * tone(&r, 2, 0.4) + 0.5 * rocking * a[2]};
    mount(who, options, severity, rock, out + 3);
}

static void pump_signal(const struct sim_individual *who, const struct sim_options *options, double t,
                        struct sim_random *noise, double *out) {
    const struct rotor r = rotor_at(who, options, sim_pump.speed_rpm, t);
    const double severity = sim_severity(options, t);
    double a[3] = {0};
    rotor_signal(who, options, &r, severity, noise, a);
    fluid_signal(who, options, &r, severity, t, noise, a);
    accelerometer(who, options, severity, a, out);
}

#define OF(fault) (UINT32_C(1) << (fault))
#define ROTOR_FAULTS                                                                                                   \
    (OF(SIM_HEALTHY) | OF(SIM_IMBALANCE) | OF(SIM_MISALIGNMENT) | OF(SIM_LOOSENESS) | OF(SIM_MOVED) | OF(SIM_STUCK) |  \
     OF(SIM_SATURATED))

/* 2 g and 250 degree/s full scale; noise densities of the order of common MEMS sensors. */
#define ACCELEROMETER(bandwidth)                                                                                       \
    { bandwidth, 3e-4, 16384.0, INT16_MIN, INT16_MAX }
#define GYROSCOPE(bandwidth)                                                                                           \
    { bandwidth, 5e-3, 131.072, INT16_MIN, INT16_MAX }

const struct sim_plant sim_motor = {
    .name = "motor",
    .rate_millihz = 200000,
    .oversampling = 16,
    .channels = 6,
    .faults = ROTOR_FAULTS,
    .speed_rpm = 1480.0,
    .sensors = {ACCELEROMETER(94.0), ACCELEROMETER(94.0), ACCELEROMETER(94.0), GYROSCOPE(98.0), GYROSCOPE(98.0),
                GYROSCOPE(98.0)},
    .signal = motor_signal,
};

const struct sim_plant sim_pump = {
    .name = "pump",
    .rate_millihz = 400000,
    .oversampling = 16,
    .channels = 3,
    .faults = ROTOR_FAULTS | OF(SIM_CAVITATION) | OF(SIM_BLOCKAGE) | OF(SIM_LEAK),
    .speed_rpm = 1480.0,
    .sensors = {ACCELEROMETER(200.0), ACCELEROMETER(200.0), ACCELEROMETER(200.0)},
    .signal = pump_signal,
};
