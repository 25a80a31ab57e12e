#include "replay.h"

enum { WIDTH = 64 };

static void advance(struct replay *replay, uint32_t by) {
    uint64_t newest = 1; /* what was the newest is the first below */
    for (uint32_t i = 0; i < by && i <= WIDTH; i++) {
        replay->below = replay->below << 1 | newest;
        newest = 0;
    }
}

bool replay_accept(struct replay *replay, uint32_t number) {
    if (!replay->any || number > replay->newest) {
        advance(replay, replay->any ? number - replay->newest : 0);
        replay->newest = number;
        replay->any = true;
        return true;
    }
    const uint32_t behind = replay->newest - number;
    const uint64_t bit = behind - 1 < WIDTH ? UINT64_C(1) << (behind - 1) : 0;
    const bool is_new = (bit & ~replay->below) != 0;
    replay->below |= bit;
    return is_new;
}

struct replay replay_from(uint32_t unused) {
    return unused == 0 ? (struct replay){0} : (struct replay){UINT64_MAX, unused - 1, true};
}
