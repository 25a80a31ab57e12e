#include "source_kind.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct recording {
    struct source base;
    int16_t *samples; /* [frames][base.channels] */
    uint64_t frames;
    bool contiguous;
    uint64_t next; /* frame, if contiguous */
};

static int read_window(struct source *s, uint64_t time_us, int16_t *out, uint16_t n, uint8_t channels) {
    struct recording *r = (struct recording *)s;
    /* A frame every 1e9 / rate_millihz microseconds; whole seconds apart, so that nothing overflows. */
    const uint64_t seconds = time_us / 1000000;
    const uint64_t at = seconds * s->rate_millihz / 1000 + time_us % 1000000 * s->rate_millihz / 1000000000;
    const uint64_t first = r->contiguous ? r->next : at;
    if (first > r->frames || r->frames - first < n) {
        return SOURCE_END;
    }
    for (uint16_t i = 0; i < n; i++) {
        memcpy(out + (size_t)i * channels, r->samples + (first + i) * s->channels, channels * sizeof *out);
    }
    r->next = first + n;
    return SOURCE_OK;
}

static void close_recording(struct source *s) {
    struct recording *r = (struct recording *)s;
    free(r->samples);
    free(r);
}

static bool read_header(struct recording *r, FILE *file) {
    char line[256];
    unsigned channels;
    unsigned rate;
    if (fgets(line, sizeof line, file) == NULL || strchr(line, '\n') == NULL ||
        sscanf(line, "stethos-samples 1 channels=%u rate_millihz=%u unit=", &channels, &rate) != 2) {
        return false;
    }
    r->base.channels = (uint8_t)channels;
    r->base.rate_millihz = rate;
    return channels >= 1 && channels <= 9 && rate >= 1 && rate <= 100000000;
}

/* All that follows the header; a last incomplete frame is left out. */
static bool read_samples(struct recording *r, FILE *file) {
    const long start = ftell(file);
    if (start < 0 || fseek(file, 0, SEEK_END) != 0) {
        return false;
    }
    const long end = ftell(file);
    if (end < start || fseek(file, start, SEEK_SET) != 0) {
        return false;
    }
    r->frames = (uint64_t)(end - start) / (2u * r->base.channels);
    const size_t values = (size_t)r->frames * r->base.channels;
    r->samples = malloc(values * sizeof *r->samples + 1);
    if (r->samples == NULL || fread(r->samples, sizeof *r->samples, values, file) != values) {
        return false;
    }
    for (size_t i = 0; i < values; i++) {
        const uint8_t *bytes = (const uint8_t *)(r->samples + i);
        r->samples[i] = (int16_t)(bytes[0] | bytes[1] << 8);
    }
    return true;
}

static bool read_options(struct recording *r, const char *query) {
    char name[16];
    char value[4];
    int found;
    while ((found = source_option(&query, name, sizeof name, value, sizeof value)) > 0) {
        if (strcmp(name, "contiguous") != 0 || (strcmp(value, "0") != 0 && strcmp(value, "1") != 0)) {
            return false;
        }
        r->contiguous = value[0] == '1';
    }
    return found == 0;
}

struct source *source_file_open(const char *what, const char *query, char *error, size_t error_size) {
    struct recording *r = calloc(1, sizeof *r);
    FILE *file = fopen(what, "rb");
    const char *fault = NULL;
    if (r == NULL || file == NULL) {
        fault = "cannot be opened";
    } else if (!read_options(r, query)) {
        fault = "takes no option but contiguous=0 or contiguous=1";
    } else if (!read_header(r, file)) {
        fault = "does not begin with 'stethos-samples 1 channels=1..9 rate_millihz=... unit=...'";
    } else if (!read_samples(r, file)) {
        fault = "cannot be read";
    }
    if (file != NULL) {
        (void)fclose(file);
    }
    if (fault != NULL) {
        (void)snprintf(error, error_size, "recording '%s' %s", what, fault);
        if (r != NULL) {
            free(r->samples);
        }
        free(r);
        return NULL;
    }
    r->base.read = read_window;
    r->base.close = close_recording;
    return &r->base;
}
