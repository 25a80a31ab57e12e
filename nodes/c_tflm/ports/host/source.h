/* Where the host port's samples come from: a recording, or the simulator.
 *
 *   file:PATH[?contiguous=1]
 *   sim:motor|pump|room[?fault=NAME&at=SECONDS&ramp=SECONDS&severity=FACTOR&speed=RPM&hour=HOUR]
 *
 * A recording is one line of ASCII, `stethos-samples 1 channels=3 rate_millihz=100000 unit=16384/g`, a newline, then
 * little-endian int16 samples, interleaved. It starts at time 0, and a window is read where time stands; with
 * contiguous=1 one window follows the other whatever the time. sim.h says what is simulated. */
#ifndef STETHOS_SOURCE_H
#define STETHOS_SOURCE_H

#include <stddef.h>
#include <stdint.h>

struct source;

enum source_result {
    SOURCE_OK = 0,
    SOURCE_END = -1,      /* the recording does not hold a whole window from there on */
    SOURCE_CHANNELS = -2, /* it has fewer channels than asked for */
};

/* NULL, and a sentence in `error`, if the specification or what it names cannot be used. The same specification and
 * seed give the same samples; another seed is another machine of the same kind, mounted a little differently. */
struct source *source_open(const char *spec, uint64_t seed, char *error, size_t error_size);

/* One window from `time_us` on: out[n][channels], the first `channels` of the source. An enum source_result. */
int source_read(struct source *s, uint64_t time_us, int16_t *out, uint16_t n, uint8_t channels);

void source_rate(const struct source *s, uint32_t *rate_millihz, uint8_t *channels);
void source_close(struct source *s);

#endif
