#include "source_kind.h"

#include <stdio.h>
#include <string.h>

struct source *source_open(const char *spec, uint64_t seed, char *error, size_t error_size) {
    char what[1024];
    const char *colon = strchr(spec, ':');
    if (colon == NULL) {
        (void)snprintf(error, error_size, "source '%s': expected file:... or sim:...", spec);
        return NULL;
    }
    const char *mark = strrchr(colon, '?');
    const size_t length = mark == NULL ? strlen(colon + 1) : (size_t)(mark - colon - 1);
    if (length >= sizeof what) {
        (void)snprintf(error, error_size, "source: name too long");
        return NULL;
    }
    memcpy(what, colon + 1, length);
    what[length] = '\0';
    const char *query = mark == NULL ? "" : mark + 1;
    if (strncmp(spec, "file:", 5) == 0) {
        return source_file_open(what, query, error, error_size);
    }
    if (strncmp(spec, "sim:", 4) == 0) {
        return source_sim_open(what, query, seed, error, error_size);
    }
    (void)snprintf(error, error_size, "source '%s': expected file:... or sim:...", spec);
    return NULL;
}

int source_option(const char **query, char *name, size_t name_size, char *value, size_t value_size) {
    if (**query == '\0') {
        return 0;
    }
    const size_t length = strcspn(*query, "&");
    const size_t name_length = strcspn(*query, "=&");
    if (name_length == length || name_length >= name_size || length - name_length - 1 >= value_size) {
        return -1;
    }
    memcpy(name, *query, name_length);
    name[name_length] = '\0';
    memcpy(value, *query + name_length + 1, length - name_length - 1);
    value[length - name_length - 1] = '\0';
    *query += length + ((*query)[length] == '&');
    return 1;
}

int source_read(struct source *s, uint64_t time_us, int16_t *out, uint16_t n, uint8_t channels) {
    return channels > s->channels ? SOURCE_CHANNELS : s->read(s, time_us, out, n, channels);
}

void source_rate(const struct source *s, uint32_t *rate_millihz, uint8_t *channels) {
    *rate_millihz = s->rate_millihz;
    *channels = s->channels;
}

void source_close(struct source *s) {
    if (s != NULL) {
        s->close(s);
    }
}
