/* The host's model: the file that it is started with, or what the gateway has put into its flash since. */
#ifndef STETHOS_HOST_MODEL_H
#define STETHOS_HOST_MODEL_H

#include "image.h"
#include "model.h"
#include "port.h"

struct host_model {
    struct model model;
    uint8_t *image; /* NULL: there is none */
    void *memory;
    bool broken; /* there is an image, and it was refused */
};

/* Whoever can reach this program's files needs no signature to change them; firmware it takes from nobody. */
extern const struct image_rules HOST_RULES;

/* Takes the image over, in memory from malloc; `name` is for whoever reads why it is refused. */
void host_model_open(struct host_model *out, uint8_t *image, size_t size, const char *name);
void host_model_close(struct host_model *model);

/* The image in use of those that came over the air, in memory from malloc; NULL: none. A start that is not confirmed
 * uses up one of its tries (core/slots.h). */
uint8_t *host_model_in_flash(const struct port *port, size_t *size);

/* What is in use has proved itself: the gateway has acknowledged something. */
void host_model_confirm(const struct port *port);

#endif
