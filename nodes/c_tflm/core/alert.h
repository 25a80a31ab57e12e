/* The alert output: a lamp or a relay at the machine, with a policy of its own, whether or not there is a radio. */
#ifndef STETHOS_ALERT_H
#define STETHOS_ALERT_H

#include <stdbool.h>
#include <stdint.h>

struct alert_policy {
    uint8_t raise_after; /* looks in a row that were anomalous; 0: never */
    uint8_t clear_after; /* looks in a row that were not; 0: only when somebody has acknowledged it */
    bool on_fault;       /* a sensor fault counts as anomalous; else it leaves things as they are */
};

/* All 0 to begin with. */
struct alert {
    uint8_t anomalous; /* looks in a row */
    uint8_t normal;
    bool on;
    bool acknowledged; /* off although it is still anomalous */
};

enum alert_look { ALERT_NORMAL, ALERT_ANOMALOUS, ALERT_FAULT };

/* One look at the machine; then `on` says whether the output is to be. */
void alert_judge(struct alert *alert, const struct alert_policy *policy, enum alert_look look);

/* Off, until it has been normal in between. */
void alert_acknowledge(struct alert *alert);

#endif
