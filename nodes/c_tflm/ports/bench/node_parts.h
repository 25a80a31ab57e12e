/* What the node of bench_node.c contains beside its core: a program is linked with one of node_core.c (nothing) and
 * node_whole.c (models, and images that come over the air). */
#ifndef STETHOS_NODE_PARTS_H
#define STETHOS_NODE_PARTS_H

#include "node.h"

struct bench_parts {
    struct model *(*open_model)(void); /* NULL: the node goes by what it learns */
    const struct image_rules *rules;
    const struct node_updates *updates;
};

extern const struct bench_parts bench_parts;

#endif
