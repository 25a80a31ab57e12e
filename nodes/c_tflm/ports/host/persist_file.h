/* The two slots of durable storage, in one file. */
#ifndef STETHOS_PERSIST_FILE_H
#define STETHOS_PERSIST_FILE_H

#include <stdbool.h>
#include <stdint.h>

struct persist_file {
    int fd;
};

enum persist_status { PERSIST_OPEN, PERSIST_NEW, PERSIST_FAILED };

/* PERSIST_NEW: there was no such file; it has been made, holds nothing yet, and the caller provisions it. One process
 * at a time: a second one fails. errno says why. */
enum persist_status persist_file_open(struct persist_file *file, const char *path);
bool persist_file_read(struct persist_file *file, uint8_t slot, uint8_t *out);
bool persist_file_write(struct persist_file *file, uint8_t slot, const uint8_t *record);
void persist_file_close(struct persist_file *file);

#endif
