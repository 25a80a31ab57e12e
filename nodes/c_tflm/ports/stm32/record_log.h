/* A record that is written often: each write is appended to what lies in its own area of the flash, and only a full
 * area is erased. A write that is cut short spoils this area at most; core/port.h asks for no more. */
#ifndef STETHOS_RECORD_LOG_H
#define STETHOS_RECORD_LOG_H

#include "flash.h"

struct record_log {
    uint32_t address; /* of the area, which is one page or sector */
    uint32_t size;
    uint16_t record; /* bytes, whole words */
};

/* The newest. False: there is none, or it is unreadable. */
bool record_log_read(const struct registers *r, const struct record_log *log, uint8_t *out);

bool record_log_write(const struct registers *r, const struct record_log *log, const uint8_t *record);

#endif
