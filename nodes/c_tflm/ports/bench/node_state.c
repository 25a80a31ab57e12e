#include "node_state.h"

struct node state_node;
struct node_kept state_kept;
struct learner state_learner;
struct model state_model;
_Alignas(8) uint8_t state_model_memory[STATE_MODEL_MEMORY];
