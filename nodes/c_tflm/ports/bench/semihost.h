/* Semihosting: files, an exit status and the time of whoever debugs or emulates this processor. The operations are the
 * same on Arm and RISC-V ("Semihosting for AArch32 and AArch64", Arm IHI 0100; "RISC-V Semihosting"); only the trap
 * that asks for one differs, and lies with each processor's start-up. */
#ifndef STETHOS_SEMIHOST_H
#define STETHOS_SEMIHOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The trap: asks for `operation`, whose block of parameters (or one word) is `parameter`. */
intptr_t semihost_call(uint32_t operation, const void *parameter);

/* A file of the folder in which the emulator runs; negative if it cannot be opened. */
int32_t semihost_open_read(const char *name);
int32_t semihost_open_write(const char *name);

/* Bytes in a file, negative if that is not known. */
int32_t semihost_length(int32_t file);

/* True if all `n` bytes were to be had, or taken. */
bool semihost_read(int32_t file, void *out, size_t n);
bool semihost_write(int32_t file, const void *data, size_t n);

size_t semihost_text_length(const char *text);

/* Ends the emulator: exit status 0, or `status`. */
_Noreturn void semihost_exit(uint32_t status);

#endif
