#include "host_model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host.h"
#include "slots.h"

void host_model_close(struct host_model *model) {
    free(model->memory);
    free(model->image);
    memset(model, 0, sizeof *model);
}

static enum model_status open_image(struct host_model *out, size_t size) {
    const enum model_status status = model_open(&out->model, out->image, size, NULL, 0);
    if (status != MODEL_NO_MEMORY) {
        return status;
    }
    out->memory = calloc(1, out->model.memory_size);
    return model_open(&out->model, out->image, size, out->memory, out->memory != NULL ? out->model.memory_size : 0);
}

void host_model_open(struct host_model *out, uint8_t *image, size_t size, const char *name) {
    memset(out, 0, sizeof *out);
    out->image = image;
    const enum model_status status = open_image(out, size);
    out->broken = status != MODEL_OK;
    if (out->broken) {
        fprintf(stderr, "stethos-node: %s: %s\n", name, model_status_text(status));
    }
}

static struct slots slots_of(const struct port *port) {
    return (struct slots){port->store, port->context, STORE_MODEL};
}

static uint8_t *payload(const struct slots *slots, uint8_t slot, size_t *size) {
    struct slot_state state;
    slots_read(slots, slot, &state);
    *size = image_size(&state.manifest);
    uint8_t *image = malloc(*size);
    const uint32_t from = slots->port->page;
    if (image != NULL && !slots->port->read(slots->context, slots->store, slot, from, image, (uint32_t)*size)) {
        free(image);
        image = NULL;
    }
    return image;
}

/* In slots_choose and update_finish: the whole image has been found to be what its manifest says. */
static bool accepts(void *context, enum store store, uint8_t slot) {
    const struct port port = host_port(context);
    const struct slots slots = slots_of(&port);
    struct host_model trial;
    size_t size;
    if (store != STORE_MODEL) {
        return true;
    }
    uint8_t *image = payload(&slots, slot, &size);
    if (image == NULL) {
        return false;
    }
    host_model_open(&trial, image, size, "over the air");
    const bool good = !trial.broken;
    host_model_close(&trial);
    return good;
}

const struct image_rules HOST_RULES = {
    .board = "host",
    .unsigned_stores = 1 << STORE_MODEL | 1 << STORE_CONFIG,
    .running = -1,
    .accept = accepts,
};

uint8_t *host_model_in_flash(const struct port *port, size_t *size) {
    const struct slots slots = slots_of(port);
    enum image_reply why[STORE_SLOTS];
    const int slot = port->store != NULL ? slots_choose(&slots, &HOST_RULES, why) : -1;
    return slot >= 0 ? payload(&slots, (uint8_t)slot, size) : NULL;
}

void host_model_confirm(const struct port *port) {
    const struct slots slots = slots_of(port);
    struct slot_state state;
    const int slot = port->store != NULL ? slots_active(&slots, &state) : -1;
    if (slot >= 0 && !state.marked[SLOT_CONFIRMED]) {
        (void)slots_confirm(&slots, (uint8_t)slot);
    }
}
