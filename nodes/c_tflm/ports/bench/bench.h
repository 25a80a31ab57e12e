/* What the programs that measure have in common: what the host gives them, and what they tell it. */
#ifndef STETHOS_BENCH_H
#define STETHOS_BENCH_H

#include <stddef.h>
#include <stdint.h>

#include "counter.h"

/* Where the host's files go; not among what a firmware needs. */
#define BENCH_BUFFER __attribute__((section(".buffers"), aligned(16)))

enum { BENCH_NO_FILE = 1, BENCH_REFUSED = 2 };

/* A whole file into `out`; ends the program with BENCH_NO_FILE if it cannot be read or is larger. Returns its size. */
size_t bench_load(const char *name, void *out, size_t size);

/* One figure more for `figures.out`, as a line: the name, a space, the number. */
void bench_tell(const char *name, uint32_t value);

/* Instructions that counting takes by itself. */
uint32_t bench_nothing(void);

/* Marks the stack below its caller; then, how many bytes of it have been used since. */
void bench_paint(void);
uint32_t bench_painted(void);

#endif
