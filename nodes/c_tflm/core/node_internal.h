/* What the node's files share: node.c (state and schedule), node_look.c (from samples to messages), node_report.c
 * (messages into the ring), node_exchange.c (ring to gateway and back). */
#ifndef STETHOS_NODE_INTERNAL_H
#define STETHOS_NODE_INTERNAL_H

#include "message.h"
#include "node.h"

enum { WHY_ANOMALOUS = 1, WHY_MODEL = 8 };

/* node.c */
uint64_t node_now(const struct node *node);
void node_tell(const struct node *node, enum node_event event, uint32_t value);
void node_enter(struct node *node, enum activity activity);
uint64_t node_after(const struct node *node, uint32_t ms); /* when `ms` from now have passed at the gateway */
bool node_keep(struct node *node, struct record record);
void node_without_number(struct node *node); /* none could be had: for now, or for good */

/* node_look.c: one window. */
void node_look(struct node *node);

/* node_report.c: build a message of what is so now and put it into the ring. */
bool node_has_birth(const struct node *node); /* in the ring */
void node_report_birth(struct node *node);
void node_report_health(struct node *node);
void node_report_flag(struct node *node, uint8_t score, uint8_t why, const int32_t *features, uint8_t features_n);
void node_report_window(struct node *node, uint8_t score, const int32_t *features, uint8_t features_n);
void node_report_result(struct node *node, uint32_t id, uint8_t code);

/* node_exchange.c: send, listen, and again while there is something new to say. */
void node_exchange(struct node *node);
void node_announce(struct node *node); /* what is new, once: the Birth of a node that has just started */

#endif
