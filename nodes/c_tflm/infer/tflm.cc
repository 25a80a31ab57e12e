// The other engine behind network.h: TensorFlow Lite Micro's interpreter, for boards whose vendor has made its kernels
// fast. It is built where TFLM_DIR names its headers and library. It knows the operators that `direct` knows, so that a
// model runs on both or is refused by both, and registers only those that the file needs.
//
// The interpreter does not check files, so the schema's own verifier does before it sees one. How much memory it takes
// it cannot say, and what it says after recording is too little; `memory_size` is enough here, not the least.
#include <cstring>
#include <new>

#include "network.h"
#include "tensorflow/lite/micro/micro_interpreter.h"
#include "tensorflow/lite/micro/micro_mutable_op_resolver.h"
#include "tensorflow/lite/schema/schema_generated.h"

// A firmware for certain models defines the shorter list of what they need, and links no more.
#ifndef TFLM_OPS
#define TFLM_OPS(OP)                                                                                                   \
    OP(FULLY_CONNECTED, FullyConnected)                                                                                \
    OP(CONV_2D, Conv2D)                                                                                                \
    OP(DEPTHWISE_CONV_2D, DepthwiseConv2D)                                                                             \
    OP(AVERAGE_POOL_2D, AveragePool2D)                                                                                 \
    OP(MAX_POOL_2D, MaxPool2D)                                                                                         \
    OP(MEAN, Mean)                                                                                                     \
    OP(ADD, Add)                                                                                                       \
    OP(PAD, Pad)                                                                                                       \
    OP(PADV2, PadV2)                                                                                                   \
    OP(RESHAPE, Reshape)                                                                                               \
    OP(SOFTMAX, Softmax)                                                                                               \
    OP(LOGISTIC, Logistic)                                                                                             \
    OP(QUANTIZE, Quantize)                                                                                             \
    OP(DEQUANTIZE, Dequantize)
#endif

namespace {

constexpr unsigned kOpsMax = 16;
constexpr size_t kAlignment = 16;
using Resolver = tflite::MicroMutableOpResolver<kOpsMax>;

struct Engine {
    Resolver resolver;
    alignas(tflite::MicroInterpreter) unsigned char interpreter[sizeof(tflite::MicroInterpreter)];
};

// Bytes of the interpreter's own records, rounded up from what its release of 2026 takes on 64-bit processors.
constexpr size_t kWhole = 4096, kForTensor = 320, kForOperator = 512, kForScale = 16;

size_t rounded(size_t bytes) {
    return (bytes + kAlignment - 1) / kAlignment * kAlignment;
}

int32_t builtin_of(const tflite::OperatorCode &code) {
    const int32_t old = code.deprecated_builtin_code();
    const int32_t now = static_cast<int32_t>(code.builtin_code());
    return old > now ? old : now;
}

#define KNOWN(builtin, name) case tflite::BuiltinOperator_##builtin:
#define REGISTER(builtin, name)                                                                                        \
    case tflite::BuiltinOperator_##builtin:                                                                            \
        return resolver.FindOp(tflite::BuiltinOperator_##builtin) != nullptr || resolver.Add##name() == kTfLiteOk;

bool is_known(int32_t builtin) {
    switch (builtin) {
        TFLM_OPS(KNOWN)
        return true;
    default:
        return false;
    }
}

bool register_op(Resolver &resolver, int32_t builtin) {
    switch (builtin) {
        TFLM_OPS(REGISTER)
    default:
        return false;
    }
}

network_status read_end(network_end &end, const tflite::Tensor &tensor) {
    uint64_t size = 1;
    if (tensor.shape() != nullptr) {
        for (const int32_t n : *tensor.shape()) {
            if (n <= 0 || (size *= static_cast<uint64_t>(n)) > (1u << 24)) {
                return NETWORK_SHAPE;
            }
        }
    }
    end.size = static_cast<uint32_t>(size);
    end.type = static_cast<uint8_t>(tensor.type());
    if (tensor.type() == tflite::TensorType_FLOAT32) {
        return NETWORK_OK;
    }
    if (tensor.type() != tflite::TensorType_INT8) {
        return NETWORK_TYPE;
    }
    const auto *q = tensor.quantization();
    if (q == nullptr || q->scale() == nullptr || q->zero_point() == nullptr || q->scale()->size() != 1 ||
        q->zero_point()->size() != 1) {
        return NETWORK_QUANTIZATION;
    }
    const float scale = q->scale()->Get(0);
    std::memcpy(&end.scale, &scale, sizeof end.scale);
    end.zero_point = static_cast<int8_t>(q->zero_point()->Get(0));
    return NETWORK_OK;
}

size_t bytes_of(const network_end &end) {
    return end.type == NETWORK_INT8 ? end.size : 4 * static_cast<size_t>(end.size);
}

size_t memory_for(const tflite::Model &model, const tflite::SubGraph &graph) {
    size_t bytes = kAlignment + rounded(sizeof(Engine)) + kWhole + graph.operators()->size() * kForOperator;
    for (const auto *tensor : *graph.tensors()) {
        network_end end = {};
        bytes += kForTensor;
        if (tensor->quantization() != nullptr && tensor->quantization()->scale() != nullptr) {
            bytes += tensor->quantization()->scale()->size() * kForScale;
        }
        const auto *data =
            tensor->buffer() < model.buffers()->size() ? model.buffers()->Get(tensor->buffer())->data() : nullptr;
        const bool constant = data != nullptr && data->size() != 0;
        if (!constant && read_end(end, *tensor) != NETWORK_SHAPE) {
            bytes += rounded(bytes_of(end));
        }
    }
    return bytes;
}

Engine &engine_of(const network *n) {
    return *static_cast<Engine *>(n->state);
}

tflite::MicroInterpreter &interpreter_of(const network *n) {
    return *reinterpret_cast<tflite::MicroInterpreter *>(engine_of(n).interpreter);
}

} // namespace

network_status network_open(network *n, const uint8_t *tflite, size_t size) {
    *n = network{};
    n->refused_op = -1;
    n->tflite = tflite;
    n->tflite_size = static_cast<uint32_t>(size);
    if (size < 8 || size > INT32_MAX || !tflite::ModelBufferHasIdentifier(tflite)) {
        return NETWORK_NOT_TFLITE;
    }
    flatbuffers::Verifier verifier(tflite, size);
    if (!tflite::VerifyModelBuffer(verifier)) {
        return NETWORK_TRUNCATED;
    }
    const tflite::Model &model = *tflite::GetModel(tflite);
    if (model.version() != TFLITE_SCHEMA_VERSION) {
        return NETWORK_NOT_TFLITE;
    }
    if (model.operator_codes() == nullptr || model.buffers() == nullptr || model.subgraphs() == nullptr ||
        model.subgraphs()->size() != 1) {
        return NETWORK_GRAPH;
    }
    const tflite::SubGraph &graph = *model.subgraphs()->Get(0);
    if (graph.tensors() == nullptr || graph.operators() == nullptr || graph.inputs() == nullptr ||
        graph.outputs() == nullptr || graph.inputs()->size() != 1 || graph.outputs()->size() != 1) {
        return NETWORK_GRAPH;
    }
    uint16_t at = 0;
    for (const auto *op : *graph.operators()) {
        if (op->opcode_index() >= model.operator_codes()->size()) {
            return NETWORK_TRUNCATED;
        }
        const int32_t builtin = builtin_of(*model.operator_codes()->Get(op->opcode_index()));
        if (!is_known(builtin)) {
            n->refused_op = static_cast<int16_t>(builtin > INT16_MAX ? INT16_MAX : builtin);
            n->refused_at = at;
            return NETWORK_OPERATOR;
        }
        at++;
    }
    const auto in = static_cast<uint32_t>(graph.inputs()->Get(0));
    const auto out = static_cast<uint32_t>(graph.outputs()->Get(0));
    if (in >= graph.tensors()->size() || out >= graph.tensors()->size()) {
        return NETWORK_GRAPH;
    }
    n->memory_size = memory_for(model, graph);
    const network_status status = read_end(n->input, *graph.tensors()->Get(in));
    return status != NETWORK_OK ? status : read_end(n->output, *graph.tensors()->Get(out));
}

network_status network_attach(network *n, void *memory, size_t size) {
    if (size < n->memory_size) {
        return NETWORK_NO_MEMORY;
    }
    const auto start = reinterpret_cast<uintptr_t>(memory);
    auto *first = static_cast<uint8_t *>(memory) + (rounded(start) - start);
    Engine *engine = new (first) Engine;
    n->state = engine;
    const tflite::Model *model = tflite::GetModel(n->tflite);
    for (const auto *code : *model->operator_codes()) {
        if (is_known(builtin_of(*code)) && !register_op(engine->resolver, builtin_of(*code))) {
            return NETWORK_ENGINE;
        }
    }
    uint8_t *arena = first + rounded(sizeof(Engine));
    const size_t arena_size = size - static_cast<size_t>(arena - static_cast<uint8_t *>(memory));
    auto *interpreter = new (engine->interpreter) tflite::MicroInterpreter(model, engine->resolver, arena, arena_size);
    if (interpreter->AllocateTensors() != kTfLiteOk) {
        return NETWORK_ENGINE; // it says on its own console why
    }
    const bool fits =
        interpreter->input(0)->bytes == bytes_of(n->input) && interpreter->output(0)->bytes == bytes_of(n->output);
    return fits ? NETWORK_OK : NETWORK_SHAPE;
}

void network_run(const network *n, const void *in, void *out) {
    tflite::MicroInterpreter &interpreter = interpreter_of(n);
    std::memcpy(interpreter.input(0)->data.raw, in, bytes_of(n->input));
    // What fails here is found by the self-test that travels with each model: outputs of zeros are not what it says.
    if (interpreter.Invoke() == kTfLiteOk) {
        std::memcpy(out, interpreter.output(0)->data.raw, bytes_of(n->output));
    } else {
        std::memset(out, 0, bytes_of(n->output));
    }
}
