/* The host's flash slots: a file that is written as flash is, and erased to 0xFF. */
#ifndef STETHOS_STORE_FILE_H
#define STETHOS_STORE_FILE_H

#include <stdbool.h>

#include "store.h"

enum { STORE_FILE_PAGE = 2048 };

/* Opens the file, and makes it, erased, if it is not there. The descriptor, or -1 and errno. */
int store_file_open(const char *path);

bool store_file_read(int fd, enum store store, uint8_t slot, uint32_t at, uint8_t *out, uint32_t n);
bool store_file_erase(int fd, enum store store, uint8_t slot);
bool store_file_write(int fd, enum store store, uint8_t slot, uint32_t at, const uint8_t *data, uint32_t n);

extern const uint32_t STORE_FILE_SIZES[STORES]; /* of one slot */

#endif
