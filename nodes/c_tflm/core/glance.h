/* The short look: is a short stretch of samples so plainly normal that the whole window need not be taken?
 *
 * It compares how much moves, slowly and fast, with what it was in windows that were found normal: the logarithms of
 * the energy about the mean, and of that from sample to sample. */
#ifndef STETHOS_GLANCE_H
#define STETHOS_GLANCE_H

#include <stdbool.h>
#include <stdint.h>

enum { GLANCE_ENERGIES = 2, GLANCE_LEARNED = 16 /* windows, before anything is plain */ };

/* All 0 to begin with. */
struct glance {
    int32_t usual[GLANCE_ENERGIES];  /* log2, Q12 */
    int32_t spread[GLANCE_ENERGIES]; /* how far from it they usually are */
    uint16_t seen;
};

/* samples: interleaved [n][channels], n at least 2. */
bool glance_is_plain(const struct glance *glance, const int16_t *samples, uint16_t n, uint8_t channels);

/* The same of a window that was found normal. */
void glance_learn(struct glance *glance, const int16_t *samples, uint16_t n, uint8_t channels);

#endif
