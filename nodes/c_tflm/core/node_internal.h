/* What the node's files share: node.c (state and schedule), node_look.c (from samples to messages), node_report.c
 * (messages into the ring), node_exchange.c (ring to gateway and back), node_mail.c (what the gateway asks for),
 * node_update.c (what it offers), node_collect.c (samples and what was learned), node_memory.c (what outlives a reset).
 */
#ifndef STETHOS_NODE_INTERNAL_H
#define STETHOS_NODE_INTERNAL_H

#include "message.h"
#include "node.h"

enum { WHY_ANOMALOUS = 1, WHY_MODEL = 8, WHY_MOVED = 9, WHY_DRIFTED = 10, WHY_DEFERRED = 11, WHY_HINDERED = 15 };
enum { NOTICED_MOVED = 1 }; /* the bit of node_kept.noticed; the others follow in the order of their codes */
enum { LEARNER_STORE_EVERY_MS = 86400000 };

enum { DONE = 0, UNKNOWN_KIND = 1, REFUSED = 2, FAILED = 3, GO_ON = 4 }; /* wire.cddl, `result` */

/* What is left to do when the gateway has the answer. */
enum node_then { THEN_NOTHING, THEN_RESTART, THEN_STORAGE };

/* node.c */
uint64_t node_now(const struct node *node);
void node_tell(const struct node *node, enum node_event event, uint32_t value);
void node_enter(struct node *node, enum activity activity);
uint64_t node_after(const struct node *node, uint32_t ms); /* when `ms` from now have passed at the gateway */
bool node_keep(struct node *node, struct record *record);
void node_without_number(struct node *node); /* none could be had: for now, or for good */
uint8_t node_feature_set(const struct node *node);

/* node_look.c: one window. */
void node_look(struct node *node);
bool node_model_fits(const struct node *node); /* of a node with a model */
void node_alert(struct node *node, bool was);  /* switch the output, if it is to be other than it was */

/* node_report.c: build a message of what is so now and put it into the ring. */
bool node_has_birth(const struct node *node); /* in the ring */
bool node_has_room(const struct node *node);  /* for the longest message, and nothing is given up for it */
void node_report_birth(struct node *node);
void node_report_health(struct node *node);
void node_report_flag(struct node *node, uint8_t score, uint8_t why, const int32_t *features);
void node_report_window(struct node *node, uint8_t score, const int32_t *features);
void node_report_result(struct node *node, uint32_t id, uint8_t code, const uint32_t *detail);
void node_report_part(struct node *node, enum message_type type, uint8_t part, uint8_t parts, struct codec_span data);
void node_notice(struct node *node, uint8_t why, bool so); /* told once, when it has become so */

/* node_exchange.c: send, listen, and again while there is something new to say. */
void node_exchange(struct node *node);
void node_announce(struct node *node); /* what is new, once: the Birth of a node that has just started */

/* node_mail.c: Commands, Offers, Chunks. */
void node_take_mail(struct node *node, const struct down_message *message);

/* A command or an offer is kept before it is acted on. False: it is not, and the gateway will send it again. */
bool node_take_up(struct node *node, struct record *record, uint32_t id, uint8_t code, uint8_t kind);

/* node_update.c: Offers and Chunks. A firmware that does not name NODE_UPDATES does not contain it. */
struct node_updates {
    void (*offer)(struct node *node, const struct offer *offer);
    void (*chunk)(struct node *node, const struct chunk *chunk);
};

/* node_collect.c: both through the ring, acknowledged, within this wake. */
void node_collect(struct node *node); /* the window that lies in node->samples */
void node_send_learner(struct node *node);

/* node_memory.c */
void node_remember(struct node *node);                         /* after a reset */
void node_memorise(struct node *node);                         /* as often as flash can bear */
bool node_keep_learner(struct node *node);                     /* now */
size_t node_learner_image(struct node *node, uint8_t **image); /* in node->samples; 0: there is none, or no room */

#endif
