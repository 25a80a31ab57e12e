#include "store_file.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

const uint32_t STORE_FILE_SIZES[STORES] = {
    [STORE_MODEL] = 65536, [STORE_CONFIG] = 4096, [STORE_LEARNER] = 4096, [STORE_FIRMWARE] = 262144};

static off_t place_of(enum store store, uint8_t slot) {
    off_t place = 0;
    for (unsigned before = 0; before < (unsigned)store; before++) {
        place += (off_t)STORE_SLOTS * STORE_FILE_SIZES[before];
    }
    return place + (off_t)slot * STORE_FILE_SIZES[store];
}

static bool inside(enum store store, uint32_t at, uint32_t n) {
    return (unsigned)store < STORES && at <= STORE_FILE_SIZES[store] && n <= STORE_FILE_SIZES[store] - at;
}

bool store_file_erase(int fd, enum store store, uint8_t slot) {
    uint8_t blank[STORE_FILE_PAGE];
    memset(blank, 0xFF, sizeof blank);
    for (uint32_t at = 0; at < STORE_FILE_SIZES[store]; at += STORE_FILE_PAGE) {
        if (pwrite(fd, blank, sizeof blank, place_of(store, slot) + at) != (ssize_t)sizeof blank) {
            return false;
        }
    }
    return fdatasync(fd) == 0;
}

int store_file_open(const char *path) {
    struct stat found;
    const int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || fstat(fd, &found) != 0 || found.st_size > 0) {
        return fd;
    }
    for (unsigned store = 0; store < STORES; store++) {
        for (uint8_t slot = 0; slot < STORE_SLOTS; slot++) {
            if (!store_file_erase(fd, (enum store)store, slot)) {
                return -1;
            }
        }
    }
    return fd;
}

bool store_file_read(int fd, enum store store, uint8_t slot, uint32_t at, uint8_t *out, uint32_t n) {
    return inside(store, at, n) && pread(fd, out, n, place_of(store, slot) + at) == (ssize_t)n;
}

bool store_file_write(int fd, enum store store, uint8_t slot, uint32_t at, const uint8_t *data, uint32_t n) {
    return inside(store, at, n) && pwrite(fd, data, n, place_of(store, slot) + at) == (ssize_t)n && fdatasync(fd) == 0;
}
