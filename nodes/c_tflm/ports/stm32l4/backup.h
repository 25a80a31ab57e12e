/* Backup registers ("RTC backup registers"): 32 words that everything but a loss of the battery leaves as it is. */
#ifndef STETHOS_BACKUP_H
#define STETHOS_BACKUP_H

#include "registers.h"

enum backup {
    BACKUP_STORED,       /* BACKUP_IS_STORED: the node was put into storage, and is to be woken by hand */
    BACKUP_STOP_REFUSED, /* how often Stop 2 was refused, since the battery was put in */
    BACKUP_LAST_REFUSAL, /* enum stop_refused */
    BACKUP_BOOT = 31,    /* what the boot stub has to say (boot/vectors.h) */
    BACKUP_REGISTERS,
};

#define BACKUP_IS_STORED UINT32_C(0x53544F52)

/* Opens the backup domain for writing; it stays open. */
void backup_open(const struct registers *r);
uint32_t backup_read(const struct registers *r, enum backup which);
void backup_write(const struct registers *r, enum backup which, uint32_t value);

#endif
