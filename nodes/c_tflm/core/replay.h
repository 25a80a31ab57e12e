/* Which numbers of one direction under one key have been seen: the newest and the 64 below it. */
#ifndef STETHOS_REPLAY_H
#define STETHOS_REPLAY_H

#include <stdbool.h>
#include <stdint.h>

struct replay {
    uint64_t below; /* bit i: newest - 1 - i was seen */
    uint32_t newest;
    bool any;
};

/* True, and marked as seen, if it never was; false if it was or is too old to tell. */
bool replay_accept(struct replay *replay, uint32_t number);

/* All numbers below `unused` count as seen. */
struct replay replay_from(uint32_t unused);

#endif
