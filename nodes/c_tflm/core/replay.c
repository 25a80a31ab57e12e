#include "replay.h"

enum { WIDTH = 64 };

static void advance(struct replay *replay, uint32_t number) {
    const uint32_t by = number - replay->newest;
    const uint64_t newest = by <= WIDTH ? UINT64_C(1) << (by - 1) : 0;
    replay->below = (by < WIDTH ? replay->below << by : 0) | newest;
    replay->newest = number;
}

bool replay_accept(struct replay *replay, uint32_t number) {
    if (!replay->any) {
        *replay = (struct replay){.newest = number, .any = true};
        return true;
    }
    if (number > replay->newest) {
        advance(replay, number);
        return true;
    }
    const uint32_t behind = replay->newest - number;
    if (behind == 0 || behind > WIDTH || (replay->below >> (behind - 1) & 1) != 0) {
        return false;
    }
    replay->below |= UINT64_C(1) << (behind - 1);
    return true;
}

struct replay replay_from(uint32_t unused) {
    return unused == 0 ? (struct replay){0} : (struct replay){UINT64_MAX, unused - 1, true};
}
