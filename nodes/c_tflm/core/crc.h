/* The two checksums: CRC-16/IBM-3740 of serial frames (nodes/wire/SPEC.md, "Links"), CRC-32/ISO-HDLC of records. */
#ifndef STETHOS_CRC_H
#define STETHOS_CRC_H

#include <stddef.h>
#include <stdint.h>

uint16_t crc16(const uint8_t *data, size_t n);
uint32_t crc32(const uint8_t *data, size_t n);

#endif
