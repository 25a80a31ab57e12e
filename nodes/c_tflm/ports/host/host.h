/* The port to this computer: a node with simulated time, a source of samples, a file as its flash, and a link. */
#ifndef STETHOS_HOST_H
#define STETHOS_HOST_H

#include <stdbool.h>
#include <stdint.h>

#include "link.h"
#include "node.h"
#include "persist_file.h"
#include "source.h"
#include "store_file.h"

/* A stretch of node time in which something is not as it should be; 0, 0: never. */
struct stretch {
    uint64_t from_s;
    uint64_t to_s;
};

/* What can be made to go wrong. */
struct mishaps {
    uint8_t sensor_fault; /* why code, from stuck to no answer */
    struct stretch faulty;
    uint16_t weak_mv; /* the battery under load, while it is weak */
    struct stretch weak;
};

struct host {
    const struct link_operations *operations;
    struct link *link;
    struct source *source;
    uint32_t rate_millihz;
    bool source_ended;
    struct persist_file file;
    double speed; /* node seconds per second, but for listening */
    uint64_t node_us;
    uint64_t due_us; /* the monotonic time that belongs to node_us */
    const struct energy *energy;
    struct mishaps mishaps;
    int flash;         /* store_file.h; -1: none */
    int16_t *parts;    /* of a long window: all of it, in memory from malloc */
    uint32_t parts_at; /* values handed out */
    enum sample_status parts_status;
    bool log;
    bool restart; /* asked for by the gateway */
    bool storage;
};

/* Node time starts at 0. */
void host_start(struct host *host);
struct port host_port(struct host *host);

/* Let node time pass; cut short by a signal. */
void host_sleep(struct host *host, uint64_t us);

#endif
