/* What source.c and the kinds of source agree on. */
#ifndef STETHOS_SOURCE_KIND_H
#define STETHOS_SOURCE_KIND_H

#include "source.h"

/* First member of every kind. */
struct source {
    uint32_t rate_millihz;
    uint8_t channels;
    int (*read)(struct source *s, uint64_t time_us, int16_t *out, uint16_t n, uint8_t channels);
    void (*close)(struct source *s);
};

/* Next `name=value` of a query string `name=value&...`; moves *query on. 1, 0 at the end, -1 if it is not of that form
 * or does not fit. */
int source_option(const char **query, char *name, size_t name_size, char *value, size_t value_size);

/* `what` is the specification behind "file:" or "sim:" up to the question mark, `query` what follows, "" if nothing. */
struct source *source_file_open(const char *what, const char *query, char *error, size_t error_size);
struct source *source_sim_open(const char *what, const char *query, uint64_t seed, char *error, size_t error_size);

#endif
