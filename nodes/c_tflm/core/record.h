/* One slot of durable storage: contents, and behind them their checksum. What was torn or never written is none. */
#ifndef STETHOS_RECORD_H
#define STETHOS_RECORD_H

#include "port.h"

enum { RECORD_CONTENTS = PORT_RECORD_SIZE - 4 };

/* `contents` is a struct of RECORD_CONTENTS bytes; it lies in storage as it lies here, little-endian. False: there is
 * none, whatever `contents` holds then, or it could not be written. */
bool record_read(const struct port *port, uint8_t slot, void *contents);
bool record_write(const struct port *port, uint8_t slot, const void *contents);

#endif
