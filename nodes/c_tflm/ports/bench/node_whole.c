#include "bench.h"
#include "ed25519_verify.h"
#include "node_parts.h"
#include "node_state.h"
#include "semihost.h"

static BENCH_BUFFER uint8_t image[8 << 10];

/* None if `model.image` has no byte. */
static struct model *open_model(void) {
    const size_t size = bench_load("model.image", image, sizeof image);
    if (size == 0) {
        return NULL;
    }
    if (model_open(&state_model, image, size, state_model_memory, sizeof state_model_memory) != MODEL_OK) {
        semihost_exit(BENCH_REFUSED);
    }
    return &state_model;
}

/* Nothing is offered here; but what takes an image and checks its signature belongs to a firmware. */
static const uint8_t public_key[ED25519_KEY];
static const struct image_rules rules = {
    .board = "bench", .public_key = public_key, .verify = ed25519_verify, .running = -1};

const struct bench_parts bench_parts = {.open_model = open_model, .rules = &rules, .updates = &NODE_UPDATES};
