// The other engine behind network.h: TensorFlow Lite Micro's interpreter, for boards whose vendor has made its kernels
// fast. It is built where TFLM_DIR names its headers and library. It knows the operators that `direct` knows, so that a
// model runs on both or is refused by both, and registers only those that the file needs.
//
// The interpreter does not check files. So the schema's own verifier does before it sees one, and what the verifier
// does not see (numbers of tensors, sizes of constants) is checked here; whether shapes fit each other is the kernels'
// affair, and not all of them look.
#include <cstring>
#include <new>

#include "network.h"
#include "tensorflow/lite/micro/micro_interpreter.h"
#include "tflm_arena.hpp"
#include "tflm_ops.hpp"

// Bytes that a vendor's kernels take beyond the reference ones, in all: what more they keep, and scratch. Only whoever
// chooses the kernels can know it, and has to: not all of them look whether there was memory.
#ifndef TFLM_KERNELS_TAKE
#define TFLM_KERNELS_TAKE 0
#endif

using namespace tflm_engine;

namespace {

constexpr char kPlan[] = "OfflineMemoryAllocation";

struct Engine {
    alignas(tflite::MicroInterpreter) unsigned char interpreter[sizeof(tflite::MicroInterpreter)];
    alignas(Resolver) unsigned char resolver[sizeof(Resolver)];
};

size_t before_arena(uint32_t needed) {
    size_t bytes = sizeof(Engine);
    for (; needed != 0; needed &= needed - 1) {
        bytes += sizeof(TFLMRegistration);
    }
    return rounded(bytes);
}

network_status check_tensor(const tflite::Model &model, const tflite::Tensor &tensor) {
    if (tensor.buffer() >= model.buffers()->size()) {
        return NETWORK_TRUNCATED;
    }
    if (values_of(tensor) < 0) {
        return NETWORK_SHAPE;
    }
    if (width_of(tensor) == 0) {
        return NETWORK_TYPE;
    }
    const size_t constant = constant_bytes(model, tensor);
    if (constant != 0 && constant < bytes_of(tensor)) {
        return NETWORK_TRUNCATED;
    }
    return tensor.is_variable() || tensor.sparsity() != nullptr ? NETWORK_OPTIONS : NETWORK_OK;
}

// Floats are for what turns them into int8, and back.
network_status check_op(const tflite::SubGraph &graph, const tflite::Operator &op, tflite::BuiltinOperator builtin) {
    const bool converts = builtin == tflite::BuiltinOperator_QUANTIZE || builtin == tflite::BuiltinOperator_DEQUANTIZE;
    if (op.inputs() == nullptr || op.outputs() == nullptr || op.inputs()->size() == 0 || op.outputs()->size() != 1 ||
        op.outputs()->Get(0) < 0 || (op.intermediates() != nullptr && op.intermediates()->size() != 0)) {
        return NETWORK_GRAPH;
    }
    for (const auto *ends : {op.inputs(), op.outputs()}) {
        for (const int32_t tensor : *ends) {
            if (tensor < -1 || tensor >= static_cast<int32_t>(graph.tensors()->size())) {
                return NETWORK_GRAPH;
            }
            if (tensor >= 0 && !converts &&
                graph.tensors()->Get(static_cast<uint32_t>(tensor))->type() == tflite::TensorType_FLOAT32) {
                return NETWORK_TYPE;
            }
        }
    }
    return NETWORK_OK;
}

// A plan made elsewhere may place values anywhere; the interpreter would believe it.
bool has_plan(const tflite::Model &model) {
    if (model.metadata() != nullptr) {
        for (const auto *entry : *model.metadata()) {
            const auto *name = entry->name();
            if (name != nullptr && name->size() == sizeof kPlan - 1 &&
                std::memcmp(name->c_str(), kPlan, sizeof kPlan - 1) == 0) {
                return true;
            }
        }
    }
    return false;
}

network_status check_graph(network *n, const tflite::Model &model, const tflite::SubGraph &graph) {
    for (const auto *tensor : *graph.tensors()) {
        const network_status status = check_tensor(model, *tensor);
        if (status != NETWORK_OK) {
            return status;
        }
    }
    for (const auto *op : *graph.operators()) {
        if (op->opcode_index() >= model.operator_codes()->size()) {
            return NETWORK_TRUNCATED;
        }
        int32_t builtin;
        const int place = place_of(*model.operator_codes()->Get(op->opcode_index()), builtin);
        const network_status status = place < 0 ? NETWORK_OPERATOR : check_op(graph, *op, kOps[place].builtin);
        if (status != NETWORK_OK) {
            n->refused_op = static_cast<int16_t>(builtin > INT16_MAX ? INT16_MAX : builtin);
            return status;
        }
        n->units |= 1u << place;
        n->refused_at++;
    }
    n->refused_at = 0;
    return NETWORK_OK;
}

network_status read_end(network_end &end, const tflite::Tensor &tensor) {
    end.size = static_cast<uint32_t>(values_of(tensor));
    end.type = static_cast<uint8_t>(tensor.type());
    if (end.size == 0) {
        return NETWORK_SHAPE;
    }
    if (tensor.type() == tflite::TensorType_FLOAT32) {
        return NETWORK_OK;
    }
    if (tensor.type() != tflite::TensorType_INT8) {
        return NETWORK_TYPE;
    }
    const auto *q = tensor.quantization();
    if (scales_of(tensor) != 1 || q->zero_point()->size() != 1) {
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

tflite::MicroInterpreter &interpreter_of(const network *n) {
    return *reinterpret_cast<tflite::MicroInterpreter *>(static_cast<Engine *>(n->state)->interpreter);
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
    if (has_plan(model)) {
        return NETWORK_OPTIONS;
    }
    const auto in = static_cast<uint32_t>(graph.inputs()->Get(0));
    const auto out = static_cast<uint32_t>(graph.outputs()->Get(0));
    if (in >= graph.tensors()->size() || out >= graph.tensors()->size()) {
        return NETWORK_GRAPH;
    }
    network_status status = check_graph(n, model, graph);
    if (status == NETWORK_OK) {
        status = read_end(n->input, *graph.tensors()->Get(in));
    }
    if (status == NETWORK_OK) {
        status = read_end(n->output, *graph.tensors()->Get(out));
    }
    if (status != NETWORK_OK) {
        return status;
    }
    const size_t arena = arena_for(model, graph);
    n->memory_size = kAlignment + before_arena(n->units) + arena + rounded(TFLM_KERNELS_TAKE);
    return arena < kTooMuch ? NETWORK_OK : NETWORK_TOO_LARGE;
}

network_status network_attach(network *n, void *memory, size_t size) {
    if (size < n->memory_size) {
        return NETWORK_NO_MEMORY;
    }
    const auto start = reinterpret_cast<uintptr_t>(memory);
    auto *first = static_cast<uint8_t *>(memory) + (rounded(start) - start);
    auto *engine = new (first) Engine;
    n->state = engine;
    auto *known = reinterpret_cast<TFLMRegistration *>(first + sizeof(Engine));
    auto *resolver = new (engine->resolver) Resolver(known, n->units);
    uint8_t *arena = first + before_arena(n->units);
    // Its end is where the reckoning begins, so it has to be aligned as well.
    const size_t arena_size = (size - static_cast<size_t>(arena - static_cast<uint8_t *>(memory))) & ~(kAlignment - 1);
    auto *interpreter =
        new (engine->interpreter) tflite::MicroInterpreter(tflite::GetModel(n->tflite), *resolver, arena, arena_size);
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
