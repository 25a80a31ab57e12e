/* Instructions and memory of one network: `model.tflite`, on each input of `inputs.bin` in turn. */
#include "bench.h"
#include "network.h"
#include "semihost.h"

static BENCH_BUFFER uint8_t tflite[512 << 10];
static BENCH_BUFFER uint8_t inputs[64 << 10];
static BENCH_BUFFER uint8_t memory[1 << 20];
static BENCH_BUFFER uint8_t out[4 << 10];
static BENCH_BUFFER struct network network;

int main(void) {
    const size_t size = bench_load("model.tflite", tflite, sizeof tflite);
    const size_t inputs_n = bench_load("inputs.bin", inputs, sizeof inputs);
    counter_init();
    const uint32_t nothing = bench_nothing();
    uint32_t from = counter_now();
    enum network_status status = network_open(&network, tflite, size);
    bench_tell("open", counter_since(from) - nothing);
    if (status != NETWORK_OK || network.memory_size > sizeof memory || network.output.size > sizeof out) {
        return BENCH_REFUSED;
    }
    from = counter_now();
    status = network_attach(&network, memory, network.memory_size);
    bench_tell("attach", counter_since(from) - nothing);
    if (status != NETWORK_OK) {
        return BENCH_REFUSED;
    }
    bench_tell("state", sizeof network);
    bench_tell("memory", (uint32_t)network.memory_size);
    for (size_t i = 0; i + network.input.size <= inputs_n; i += network.input.size) {
        from = counter_now();
        network_run(&network, inputs + i, out);
        bench_tell("run", counter_since(from) - nothing);
    }
    return 0;
}
