#include "node_parts.h"

static struct model *no_model(void) {
    return NULL;
}

const struct bench_parts bench_parts = {.open_model = no_model};
