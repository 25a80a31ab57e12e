#include "wait.h"

#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <time.h>

static volatile sig_atomic_t stopped;
static sigset_t unblocked;

static void stop(int number) {
    (void)number;
    stopped = 1;
}

void wait_init(void) {
    struct sigaction action = {.sa_handler = stop};
    sigset_t held;
    sigemptyset(&held);
    sigaddset(&held, SIGTERM);
    sigaddset(&held, SIGINT);
    sigprocmask(SIG_BLOCK, &held, &unblocked);
    sigdelset(&unblocked, SIGTERM);
    sigdelset(&unblocked, SIGINT);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    action.sa_handler = SIG_IGN;
    sigaction(SIGPIPE, &action, NULL);
}

bool wait_stopped(void) {
    return stopped != 0;
}

void wait_readable(int fd, uint64_t us) {
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
    const struct timespec time = {.tv_sec = (time_t)(us / 1000000), .tv_nsec = (long)(us % 1000000) * 1000};
    if (!wait_stopped()) {
        ppoll(&poll_fd, 1, &time, &unblocked);
    }
}

uint64_t wait_monotonic_us(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}
