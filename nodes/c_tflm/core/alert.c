#include "alert.h"

static uint8_t more(uint8_t count) {
    return count < UINT8_MAX ? (uint8_t)(count + 1) : count;
}

bool alert_judge(struct alert *alert, const struct alert_policy *policy, enum alert_look look) {
    if (look == ALERT_FAULT && !policy->on_fault) {
        return alert->on;
    }
    if (look == ALERT_NORMAL) {
        alert->normal = more(alert->normal);
        alert->anomalous = 0;
        alert->acknowledged = false;
        alert->on &= policy->clear_after == 0 || alert->normal < policy->clear_after;
        return alert->on;
    }
    alert->anomalous = more(alert->anomalous);
    alert->normal = 0;
    alert->on |= policy->raise_after > 0 && alert->anomalous >= policy->raise_after && !alert->acknowledged;
    return alert->on;
}

void alert_acknowledge(struct alert *alert) {
    alert->acknowledged = alert->anomalous > 0;
    alert->on = false;
}
