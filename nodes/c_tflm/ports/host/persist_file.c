#include "persist_file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/types.h>
#include <unistd.h>

#include "port.h"

enum { SLOT_STRIDE = 512 }; /* a sector each, so that a torn write cannot touch the other */

/* A file whose name is lost in a power cut would be made and provisioned once more, under a key that was used. */
static bool keep_name(const char *path) {
    char *copy = strdup(path);
    const int folder = copy == NULL ? -1 : open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const bool kept = folder >= 0 && fsync(folder) == 0;
    free(copy);
    if (folder >= 0) {
        close(folder);
    }
    return kept;
}

enum persist_status persist_file_open(struct persist_file *file, const char *path) {
    enum persist_status status = PERSIST_OPEN;
    file->fd = open(path, O_RDWR | O_CLOEXEC);
    if (file->fd < 0 && errno == ENOENT) {
        file->fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        status = PERSIST_NEW;
    }
    if (status == PERSIST_NEW && file->fd >= 0 && !keep_name(path)) {
        return PERSIST_FAILED;
    }
    if (file->fd < 0 || flock(file->fd, LOCK_EX | LOCK_NB) != 0) {
        return PERSIST_FAILED;
    }
    return status;
}

bool persist_file_read(struct persist_file *file, uint8_t slot, uint8_t *out) {
    memset(out, 0, PORT_RECORD_SIZE);
    return pread(file->fd, out, PORT_RECORD_SIZE, (off_t)slot * SLOT_STRIDE) >= 0;
}

bool persist_file_write(struct persist_file *file, uint8_t slot, const uint8_t *record) {
    return pwrite(file->fd, record, PORT_RECORD_SIZE, (off_t)slot * SLOT_STRIDE) == PORT_RECORD_SIZE &&
           fdatasync(file->fd) == 0;
}

void persist_file_close(struct persist_file *file) {
    close(file->fd);
}
