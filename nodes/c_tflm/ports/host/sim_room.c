/* A heated room: its day, its air, and what happens when the heating fails, a door stays open or water leaks. */
#include "sim.h"

#include <math.h>

#define TWO_PI 6.283185307179586

static const double day_s = 86400.0;
static const double cooling_s = 4.0 * 3600.0; /* time constant of the unheated room */
static const double exchange_s = 300.0;       /* time constant of the air behind an open door */
static const double evaporation_s = 1800.0;

/* Saturation pressure of water vapour, hPa, at T degC: Magnus' formula with the constants of Sonntag (1990). */
static double saturation_hpa(double celsius) {
    return 6.112 * exp(17.62 * celsius / (243.12 + celsius));
}

static double outdoor_celsius(double hour) {
    return 6.0 + 4.0 * cos(TWO_PI * (hour - 15.0) / 24.0);
}

/* Warm by day, set back by night, with two hours of transition; the thermostat swings by a few tenths. */
static double heated_celsius(const struct sim_individual *who, double hour, double t) {
    const double day = 0.5 * (tanh(hour - 7.0) - tanh(hour - 21.0));
    return 18.0 + 2.5 * day + who->offset + 0.2 * sin(TWO_PI * t / 1500.0 + who->phase);
}

static void room_signal(const struct sim_individual *who, const struct sim_options *options, double t,
                        struct sim_random *noise, double *out) {
    const double hour = fmod(options->hour + t * 24.0 / day_s, 24.0);
    const double outdoor = outdoor_celsius(hour);
    const double severity = sim_severity(options, t);
    const double since = t > options->at_s ? t - options->at_s : 0.0;
    double celsius = heated_celsius(who, hour, t);
    double vapour = 9.0 + 0.5 * cos(TWO_PI * (hour - 14.0) / 24.0) + 0.2 * sin(TWO_PI * t / 4100.0 + who->wander[0]);
    const double outdoor_vapour = 0.8 * saturation_hpa(outdoor);
    double outside = 0.0; /* share of the way to outdoors */
    if (options->fault == SIM_HEATING) {
        outside = fmin(1.0, severity) * (1.0 - exp(-since / cooling_s));
    } else if (options->fault == SIM_DOOR) {
        outside = fmin(1.0, 0.6 * severity) * (1.0 - exp(-since / exchange_s));
        vapour += outside * (outdoor_vapour - vapour);
    }
    celsius += outside * (outdoor - celsius);
    const double saturated = saturation_hpa(celsius);
    vapour = fmin(vapour, 0.85 * saturated); /* what is above condenses on the walls, which are colder */
    if (options->fault == SIM_LEAK) {
        vapour += fmin(1.0, 0.5 * severity) * (1.0 - exp(-since / evaporation_s)) * (saturated - vapour);
    }
    out[0] = celsius + 0.01 * sim_random_normal(noise); /* draughts */
    out[1] = fmin(100.0, 100.0 * vapour / saturated);
}

#define OF(fault) (UINT32_C(1) << (fault))

const struct sim_plant sim_room = {
    .name = "room",
    .rate_millihz = 1000,
    .oversampling = 4,
    .channels = 2,
    .faults = OF(SIM_HEALTHY) | OF(SIM_HEATING) | OF(SIM_DOOR) | OF(SIM_LEAK) | OF(SIM_STUCK),
    .sensors = {{0.05, 0.05, 100.0, -4000, 12500}, {0.05, 0.15, 100.0, 0, 10000}},
    .signal = room_signal,
};
