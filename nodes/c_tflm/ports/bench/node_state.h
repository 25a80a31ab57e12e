/* What a firmware keeps in RAM for the core: told as the core's own by tools/size.py, unlike all else of ports/. */
#ifndef STETHOS_NODE_STATE_H
#define STETHOS_NODE_STATE_H

#include "learner.h"
#include "model.h"
#include "node.h"

/* A board states how much memory its largest model may take; 18-12-8-12-18 takes less. */
enum { STATE_MODEL_MEMORY = 256 };

extern struct node state_node;
extern struct node_kept state_kept;
extern struct learner state_learner;
extern struct model state_model;
extern _Alignas(8) uint8_t state_model_memory[STATE_MODEL_MEMORY];

#endif
