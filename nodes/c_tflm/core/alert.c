#include "alert.h"

static uint8_t more(uint8_t count) {
    return count < UINT8_MAX ? (uint8_t)(count + 1) : count;
}

void alert_judge(struct alert *alert, const struct alert_policy *policy, enum alert_look look) {
    if (look == ALERT_NORMAL) {
        alert->normal = more(alert->normal);
        alert->anomalous = 0;
        alert->acknowledged = false;
        if (policy->clear_after > 0 && alert->normal >= policy->clear_after) {
            alert->on = false;
        }
    } else if (look == ALERT_ANOMALOUS || policy->on_fault) {
        alert->anomalous = more(alert->anomalous);
        alert->normal = 0;
        if (policy->raise_after > 0 && alert->anomalous >= policy->raise_after && !alert->acknowledged) {
            alert->on = true;
        }
    }
}

void alert_acknowledge(struct alert *alert) {
    alert->acknowledged = alert->anomalous > 0;
    alert->on = false;
}
