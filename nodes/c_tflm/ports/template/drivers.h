/* What a board has to bring: fourteen functions of its hardware, and nothing of nodes. port.c makes a port of them, and
 * knows no hardware. Begin here (docs/porting.md). */
#ifndef TEMPLATE_DRIVERS_H
#define TEMPLATE_DRIVERS_H

#include "port.h"

/* --- Time. Milliseconds; goes on through sleep; may wrap round, and is asked more often than it does. --- */
uint32_t clock_ms(void);
/* The deepest sleep that keeps memory, at most this long; shorter is harmless. */
void clock_sleep(uint32_t ms);

/* --- Sensor. Frames of `channels` values, taken by the sensor itself into its FIFO. --- */
enum { SENSOR_OVERRUN = -1, SENSOR_NO_ANSWER = -2 };
bool sensor_start(uint8_t channels); /* powered up, settled, FIFO empty and filling; false: no answer */
/* Whole frames that are in the FIFO, at most `most`; how many, or one of the two above. */
int sensor_drain(int16_t *out, uint16_t most, uint8_t channels);
void sensor_stop(void); /* powered down */

/* --- Link: a serial line, or a radio module at the end of one. --- */
bool line_write(const uint8_t *bytes, size_t n); /* all of them, before it returns; false: not all */
size_t line_read(uint8_t *out, size_t size);     /* what has come by now, at once */
void line_wait(uint32_t ms);                     /* asleep until a byte comes, at most this long */

/* --- Flash. Pages that can be erased each by itself, of at least 64 bytes. --- */
enum { PAGE_IDENTITY, PAGE_MARK, PAGE_RECORDS, FLASH_PAGES = PAGE_RECORDS + PORT_SLOTS };
bool flash_read(uint8_t page, uint32_t at, uint8_t *out,
                size_t n);      /* false: unreadable, as a torn write may leave it */
bool flash_erase(uint8_t page); /* to 0xFF; durable when it returns */
bool flash_write(uint8_t page, uint32_t at, const uint8_t *data, size_t n); /* multiples of 8 bytes; durable */

/* --- What is measured. --- */
uint16_t battery_mv(void);
int16_t temperature_cdeg(void); /* or PORT_TEMPERATURE_NONE */
uint8_t reset_cause(void);      /* nodes/wire/SPEC.md, "Reset cause" */

#endif
