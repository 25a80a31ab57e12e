/* A serial line: the node's end is a new pseudo-terminal, its other end appears under the path given. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "frame.h"
#include "link.h"
#include "wait.h"

struct link {
    int fd;
    int peer;  /* our own hold on the other end: without one, a line that nobody has opened is an error */
    bool torn; /* the last frame went out in part: the next begins with the zero that ends it */
    struct frame_decoder decoder;
    uint8_t input[256];
    size_t input_n;
    size_t input_at;
    char path[]; /* of the symbolic link */
};

static void make_raw(int fd) {
    struct termios settings;
    if (tcgetattr(fd, &settings) == 0) {
        cfmakeraw(&settings);
        tcsetattr(fd, TCSANOW, &settings);
    }
}

/* Takes away a symbolic link to `target`, or to something within it if it ends in a slash; nothing else. */
static void remove_symlink(const char *target, const char *path) {
    char found[256];
    const ssize_t n = readlink(path, found, sizeof found - 1);
    found[n > 0 ? n : 0] = '\0';
    const size_t same = strlen(target);
    if (strncmp(found, target, same) == 0 && (target[same - 1] == '/' || found[same] == '\0')) {
        unlink(path);
    }
}

static bool place_symlink(const char *target, const char *path) {
    remove_symlink("/dev/pts/", path); /* left behind by a node that was killed */
    return symlink(target, path) == 0;
}

static bool open_terminal(struct link *link) {
    link->fd = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (link->fd < 0 || grantpt(link->fd) != 0 || unlockpt(link->fd) != 0) {
        return false;
    }
    const char *name = ptsname(link->fd);
    link->peer = name == NULL ? -1 : open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (link->peer < 0) {
        return false;
    }
    make_raw(link->peer);
    fcntl(link->fd, F_SETFL, O_NONBLOCK);
    return place_symlink(name, link->path);
}

static struct link *serial_open(const char *address, const char *kid_hex, char error[LINK_ERROR_SIZE]) {
    const size_t size = strlen(address) + 1;
    struct link *link = calloc(1, sizeof *link + size);
    (void)kid_hex;
    if (link == NULL) {
        snprintf(error, LINK_ERROR_SIZE, "out of memory");
        return NULL;
    }
    memcpy(link->path, address, size);
    link->fd = link->peer = -1;
    frame_decoder_init(&link->decoder);
    if (!open_terminal(link)) {
        snprintf(error, LINK_ERROR_SIZE, "%.100s: %s", address, strerror(errno));
        close(link->fd);
        close(link->peer);
        free(link);
        return NULL;
    }
    return link;
}

static bool serial_send(struct link *link, const uint8_t *envelope, size_t n) {
    uint8_t frame[1 + FRAME_ENCODED_MAX] = {0};
    const size_t size = 1 + frame_encode(envelope, n, frame + 1);
    const size_t from = link->torn ? 0 : 1;
    const ssize_t written = write(link->fd, frame + from, size - from); /* a line that nobody reads fills up */
    if (written > 0) {
        link->torn = (size_t)written < size - from;
    }
    return written == (ssize_t)(size - from);
}

static bool refill(struct link *link) {
    const ssize_t n = read(link->fd, link->input, sizeof link->input);
    link->input_at = 0;
    link->input_n = n > 0 ? (size_t)n : 0;
    return n > 0;
}

static size_t serial_receive(struct link *link, uint8_t *out, size_t size) {
    while (link->input_at < link->input_n || refill(link)) {
        if (frame_push(&link->decoder, link->input[link->input_at++]) == FRAME_READY && link->decoder.n <= size) {
            memcpy(out, link->decoder.data, link->decoder.n);
            return link->decoder.n;
        }
    }
    return 0;
}

static void serial_wait(struct link *link, uint32_t ms) {
    wait_readable(link->fd, (uint64_t)ms * 1000);
}

static void serial_close(struct link *link) {
    const char *name = ptsname(link->fd);
    if (name != NULL) {
        remove_symlink(name, link->path); /* unless another node has taken the place */
    }
    close(link->fd);
    close(link->peer);
    free(link);
}

const struct link_operations link_serial = {serial_open, serial_send, serial_receive, serial_wait, serial_close};
