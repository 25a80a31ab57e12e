/* The sets behind feature_set.h, one file each, and what two of them share; the arguments are those of
 * features_compute. */
#ifndef STETHOS_FEATURES_SETS_H
#define STETHOS_FEATURES_SETS_H

#include <stdbool.h>

#include "feature_set.h"

enum { GROUP_AXES = 3, INVARIANT_SHAPE = 13 }; /* set 2: the features of a group beside one for each axis */

/* Neighbouring channels, up to three, that are one sensor in space. */
struct feature_group {
    const int16_t *samples; /* the first axis of the first sample */
    const int16_t *end;
    uint32_t n;
    uint32_t channels; /* from one sample to the next */
    uint32_t axes;
    int32_t mean[GROUP_AXES]; /* in sixteenths of the sample unit */
};

/* The group that begins at channel `first`. */
void feature_group_at(struct feature_group *g, const int16_t *samples, uint16_t n, uint8_t channels, uint32_t first);

/* Of two axes: the sum of the products of samples less their mean or, of `change`, of the differences of neighbouring
 * samples, in sixteenths. */
int64_t feature_group_product(const struct feature_group *g, bool change, uint32_t a, uint32_t b);

/* Of the same: half the logarithms of the mean energies in the principal directions, the largest first, one for each
 * axis; `floor` is added to the sums. Returns the sum of the squares. */
uint64_t feature_group_directions(const struct feature_group *g, bool change, uint32_t floor, int32_t *out);

void features_invariant(const int16_t *samples, uint16_t n, uint8_t channels, struct feature_scratch *scratch,
                        int32_t *out);
void features_principal(const int16_t *samples, uint16_t n, uint8_t channels, int32_t *out);
void features_slow(const int16_t *samples, uint16_t n, uint8_t channels, int32_t *out);

#endif
