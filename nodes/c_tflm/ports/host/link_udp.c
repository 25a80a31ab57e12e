/* UDP: one envelope a datagram (nodes/wire/SPEC.md, "Links"). */
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "link.h"
#include "wait.h"

struct link {
    int fd;
};

static int connect_first(const struct addrinfo *found) {
    for (const struct addrinfo *at = found; at != NULL; at = at->ai_next) {
        const int fd = socket(at->ai_family, at->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, at->ai_protocol);
        if (fd < 0) {
            continue;
        }
        if (connect(fd, at->ai_addr, at->ai_addrlen) == 0) {
            return fd;
        }
        close(fd);
    }
    return -1;
}

static struct link *udp_open(const char *address, const char *kid_hex, char error[LINK_ERROR_SIZE]) {
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_DGRAM};
    char host[256];
    struct addrinfo *found = NULL;
    const char *colon = strrchr(address, ':');
    (void)kid_hex;
    if (colon == NULL || colon == address || (size_t)(colon - address) >= sizeof host) {
        snprintf(error, LINK_ERROR_SIZE, "udp:HOST:PORT is what a UDP link looks like");
        return NULL;
    }
    snprintf(host, sizeof host, "%.*s", (int)(colon - address), address);
    const int status = getaddrinfo(host, colon + 1, &hints, &found);
    if (status != 0) {
        snprintf(error, LINK_ERROR_SIZE, "%.100s: %s", address, gai_strerror(status));
        return NULL;
    }
    const int fd = connect_first(found);
    freeaddrinfo(found);
    struct link *link = fd < 0 ? NULL : malloc(sizeof *link);
    if (link == NULL) {
        snprintf(error, LINK_ERROR_SIZE, "%.100s: %s", address, strerror(errno));
        return NULL;
    }
    link->fd = fd;
    return link;
}

static bool udp_send(struct link *link, const uint8_t *envelope, size_t n) {
    /* A refused datagram of before (ICMP) is reported once, here, and says nothing of this one. */
    return send(link->fd, envelope, n, 0) == (ssize_t)n ||
           (errno == ECONNREFUSED && send(link->fd, envelope, n, 0) == (ssize_t)n);
}

static size_t udp_receive(struct link *link, uint8_t *out, size_t size) {
    const ssize_t n = recv(link->fd, out, size, 0);
    return n > 0 ? (size_t)n : 0;
}

static void udp_wait(struct link *link, uint32_t ms) {
    wait_readable(link->fd, (uint64_t)ms * 1000);
}

static void udp_close(struct link *link) {
    close(link->fd);
    free(link);
}

const struct link_operations link_udp = {udp_open, udp_send, udp_receive, udp_wait, udp_close};
