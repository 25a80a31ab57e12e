/* The sets behind feature_set.h, one file each; the arguments are those of features_compute. */
#ifndef STETHOS_FEATURES_SETS_H
#define STETHOS_FEATURES_SETS_H

#include "feature_set.h"

enum { INVARIANT_AXES = 3, INVARIANT_SHAPE = 13 }; /* the axes of a group; its features beside one for each axis */

void features_invariant(const int16_t *samples, uint16_t n, uint8_t channels, struct feature_scratch *scratch,
                        int32_t *out);
void features_slow(const int16_t *samples, uint16_t n, uint8_t channels, int32_t *out);

#endif
