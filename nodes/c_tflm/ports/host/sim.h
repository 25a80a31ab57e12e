/* The simulator: three kinds of plant, their faults, and the sensors through which a node hears them.
 *
 *   motor  6 channels: acceleration x, y, z (16384 per g), turn rate about x, y, z (131.072 per degree/s); 200 Hz
 *   pump   3 channels: acceleration x, y, z (16384 per g); 400 Hz
 *   room   2 channels: temperature (0.01 degC), relative humidity (0.01 %); 1 Hz
 *
 * x and y are radial (gravity lies on y), z is axial. A window is a pure function of options, seed and time: whoever
 * sleeps in between misses nothing but what happened meanwhile. Amplitudes are plausible, not measured: nothing that
 * is learned here says anything about a real machine.
 *
 *   fault         of           what it does, and the relation behind it
 *   imbalance     motor, pump  radial force m e w^2, so 1x radial rises, and with the square of the speed
 *   misalignment  motor, pump  two bends of the coupling a turn: 2x radial, 1x and 2x axial
 *   looseness     motor, pump  one-sided stiffness: harmonics of 1x and of 1/2 x, an impact a turn that rings
 *   cavitation    pump         bubbles collapse: bursts of broadband noise; the tone of the vanes weakens
 *   blockage      pump         far left of the best efficiency point: vane-pass and slow recirculation rise, and the
 *                              unloaded motor turns a little faster (slip is proportional to torque)
 *   leak          pump         run-out: flow noise rises, vane-pass falls, slip rises
 *                 room         water on the floor evaporates: humidity rises towards saturation
 *   heating       room         Newton's law of cooling towards the outdoor temperature
 *   door          room         exchange of air with outdoors
 *   moved         motor, pump  the node is mounted anew, turned: gravity and all axes mix differently
 *   stuck         all          every channel repeats one value
 *   saturated     motor, pump  the signal leaves the sensor's range
 *
 * at: when it begins; ramp: how long it takes to its full severity (0: at once); severity: 1 unless given. */
#ifndef STETHOS_SIM_H
#define STETHOS_SIM_H

#include <stdint.h>

enum sim_fault {
    SIM_HEALTHY,
    SIM_IMBALANCE,
    SIM_MISALIGNMENT,
    SIM_LOOSENESS,
    SIM_CAVITATION,
    SIM_BLOCKAGE,
    SIM_LEAK,
    SIM_HEATING,
    SIM_DOOR,
    SIM_MOVED,
    SIM_STUCK,
    SIM_SATURATED,
};

enum { SIM_CHANNELS_MAX = 6 };

struct sim_options {
    enum sim_fault fault;
    double at_s;
    double ramp_s;
    double severity;
    double speed_rpm;
    double hour; /* of the day, at time 0 */
};

/* Random numbers: splitmix64 (Steele, Lea, Flood 2014). */
struct sim_random {
    uint64_t state;
};

uint64_t sim_random_next(struct sim_random *r);
double sim_random_uniform(struct sim_random *r, double low, double high);
double sim_random_normal(struct sim_random *r); /* mean 0, variance 1 */

/* A number in 0..1 that belongs to (seed, index): the same whenever it is asked for. */
double sim_hash(uint64_t seed, int64_t index);

/* How far the fault has come at time t: 0 before it, `severity` once it is fully there. */
double sim_severity(const struct sim_options *options, double t);

/* What one channel's sensor does to the quantity it measures. */
struct sim_sensor {
    double bandwidth_hz;  /* two-pole low-pass, as in the chip */
    double noise_density; /* unit / sqrt(Hz), white */
    double per_unit;      /* counts */
    int32_t low;          /* range, in counts */
    int32_t high;
};

/* One machine or room: what makes this one differ from others of its kind. */
struct sim_individual {
    uint64_t seed;
    double mounting[3][3]; /* rows: sensor axes in machine axes */
    double gain;           /* of vibration at the place of mounting */
    double phase;
    double imbalance; /* residual, relative */
    double wander[2]; /* phases of slow changes of load */
    double offset;    /* of a room: temperature */
};

/* A kind of plant: `signal` gives every channel's quantity at time t, in units. White processes take `noise`, at
 * `rate_hz` draws a second. */
struct sim_plant {
    const char *name;
    uint32_t rate_millihz;
    uint32_t oversampling; /* signals are made at this multiple of the rate; what lies above half the rate aliases */
    uint8_t channels;
    uint32_t faults; /* bit set of 1 << enum sim_fault */
    double speed_rpm;
    struct sim_sensor sensors[SIM_CHANNELS_MAX];
    void (*signal)(const struct sim_individual *who, const struct sim_options *options, double t,
                   struct sim_random *noise, double *out);
};

extern const struct sim_plant sim_motor, sim_pump, sim_room;

#endif
