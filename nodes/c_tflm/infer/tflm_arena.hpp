// How much memory TensorFlow Lite Micro's interpreter takes for a file, worked out before it has any.
#ifndef STETHOS_TFLM_ARENA_HPP
#define STETHOS_TFLM_ARENA_HPP

#include "tensorflow/lite/micro/memory_planner/greedy_memory_planner.h"
#include "tensorflow/lite/micro/micro_allocation_info.h"
#include "tensorflow/lite/micro/micro_allocator.h"
#include "tflm_ops.hpp"

namespace tflm_engine {

inline constexpr size_t kAlignment = 16; // the interpreter's, of its arena and of most in it
inline constexpr uint64_t kValuesMax = 1u << 24;
inline constexpr size_t kScratchesMax = 12;         // that one kernel may ask for
inline constexpr size_t kTooMuch = size_t{1} << 28; // sums end here, lest a hostile file should make them overflow

constexpr size_t rounded(size_t bytes, size_t alignment = kAlignment) {
    return (bytes + alignment - 1) / alignment * alignment;
}

constexpr size_t sum(size_t a, size_t b) {
    return a < kTooMuch && b < kTooMuch && a + b < kTooMuch ? a + b : kTooMuch;
}

// Negative if there are too many; none is possible.
inline int32_t values_of(const tflite::Tensor &tensor) {
    uint64_t values = 1;
    if (tensor.shape() != nullptr) {
        for (const int32_t n : *tensor.shape()) {
            if (n < 0 || (values *= static_cast<uint64_t>(n)) > kValuesMax) {
                return -1;
            }
        }
    }
    return static_cast<int32_t>(values);
}

// 0: of a type that no operator here takes.
inline size_t width_of(const tflite::Tensor &tensor) {
    switch (tensor.type()) {
    case tflite::TensorType_INT8:
        return 1;
    case tflite::TensorType_INT32:
    case tflite::TensorType_FLOAT32:
        return 4;
    case tflite::TensorType_INT64:
        return 8;
    default:
        return 0;
    }
}

inline size_t bytes_of(const tflite::Tensor &tensor) {
    return static_cast<size_t>(values_of(tensor)) * width_of(tensor);
}

inline size_t constant_bytes(const tflite::Model &model, const tflite::Tensor &tensor) {
    const auto *data = model.buffers()->Get(tensor.buffer())->data();
    return data == nullptr ? 0 : data->size();
}

inline size_t scales_of(const tflite::Tensor &tensor) {
    const auto *q = tensor.quantization();
    return q == nullptr || q->scale() == nullptr || q->zero_point() == nullptr || q->zero_point()->size() == 0
               ? 0
               : q->scale()->size();
}

// Bytes of the plan for values and scratch, and of making it, as the interpreter's own planner finds them. It has no
// memory yet, so that it is lent some of the stack; values that do not go in there count as if all lived at once.
class Plan {
  public:
    Plan() {
        planner_.Init(room_, sizeof room_);
    }
    void add(size_t bytes, int first, int last) {
        if (bytes != 0) {
            bytes = rounded(bytes);
            all_ = sum(all_, bytes);
            fits_ = ++n_ <= kBuffersMax && all_ < kTooMuch && fits_ &&
                    planner_.AddBuffer(static_cast<int>(bytes), first, last) == kTfLiteOk;
        }
    }
    size_t bytes() {
        return fits_ ? planner_.GetMaximumMemorySize() : all_;
    }
    size_t bytes_to_make_it() const {
        return n_ * tflite::GreedyMemoryPlanner::per_buffer_size();
    }

  private:
    static constexpr size_t kBuffersMax = 48;
    tflite::GreedyMemoryPlanner planner_;
    alignas(kAlignment) unsigned char room_[kBuffersMax * 40];
    size_t n_ = 0, all_ = 0;
    bool fits_ = true;
};

// What the interpreter takes of an arena, in the order of its allocator: from one end what is kept; from the other what
// is wanted only for a while, at last the plan. What it tells itself after preparing is less than it took meanwhile.
class Arena {
  public:
    void keep(size_t bytes, size_t alignment = kAlignment) {
        kept_ = sum(rounded(sum(kept_, bytes), alignment), 0);
    }
    void also(size_t for_a_while) {
        const size_t now = sum(rounded(kept_), rounded(for_a_while));
        most_ = now > most_ ? now : most_;
    }
    size_t most() const {
        return most_;
    }

  private:
    size_t kept_ = 0, most_ = 0;
};

// A tensor as a kernel sees it while it prepares, and as the interpreter keeps it of both ends.
template <class Take> void record_of(const tflite::Tensor &tensor, Take take) {
    take(sizeof(TfLiteTensor), alignof(TfLiteTensor));
    if (const size_t scales = scales_of(tensor); scales != 0) {
        take(sizeof(TfLiteAffineQuantization), alignof(TfLiteAffineQuantization));
        take(sum(sizeof(TfLiteIntArray), scales * sizeof(int)), alignof(TfLiteIntArray));
    }
}

// Of all that an operator reads and writes; convolutions and MEAN look at most of it twice.
inline size_t records_of(const tflite::SubGraph &graph, const tflite::Operator &op, tflite::BuiltinOperator builtin) {
    size_t bytes = 0;
    const auto take = [&bytes](size_t size, size_t alignment) { bytes = sum(rounded(bytes, alignment), size); };
    for (const auto *ends : {op.inputs(), op.outputs()}) {
        for (const int32_t tensor : *ends) {
            if (tensor >= 0) {
                record_of(*graph.tensors()->Get(static_cast<uint32_t>(tensor)), take);
            }
        }
    }
    const bool twice = builtin == tflite::BuiltinOperator_CONV_2D ||
                       builtin == tflite::BuiltinOperator_DEPTHWISE_CONV_2D || builtin == tflite::BuiltinOperator_MEAN;
    return twice ? 2 * bytes : bytes;
}

inline const tflite::Tensor *input_of(const tflite::SubGraph &graph, const tflite::Operator &op, uint32_t place) {
    const int32_t tensor = place < op.inputs()->size() ? op.inputs()->Get(place) : -1;
    return tensor < 0 ? nullptr : graph.tensors()->Get(static_cast<uint32_t>(tensor));
}

// Multipliers that a kernel works out one by one.
inline size_t channels_of(const tflite::SubGraph &graph, const tflite::Operator &op, tflite::BuiltinOperator builtin) {
    const tflite::Tensor *weights = input_of(graph, op, 1);
    const size_t scales = weights == nullptr ? 0 : scales_of(*weights);
    switch (builtin) {
    case tflite::BuiltinOperator_FULLY_CONNECTED:
        return scales > 1 ? scales : 0;
    case tflite::BuiltinOperator_CONV_2D:
    case tflite::BuiltinOperator_DEPTHWISE_CONV_2D: {
        const uint32_t axis = builtin == tflite::BuiltinOperator_CONV_2D ? 0 : 3;
        const bool known = weights != nullptr && weights->shape() != nullptr && axis < weights->shape()->size();
        return known ? sum(static_cast<size_t>(weights->shape()->Get(axis)), 0) : 0;
    }
    default:
        return 0;
    }
}

// Scratch of MEAN, of the reference kernels the only one that has some: sums, a place in the input, axes.
inline constexpr size_t kMeanScratches = 3;
inline void mean_scratch(const tflite::SubGraph &graph, const tflite::Operator &op, int at, Plan &plan) {
    const tflite::Tensor *in = input_of(graph, op, 0), *axes = input_of(graph, op, 1);
    const auto *out = graph.tensors()->Get(static_cast<uint32_t>(op.outputs()->Get(0)));
    plan.add(sizeof(int32_t) * static_cast<size_t>(values_of(*out)), at, at);
    plan.add(in == nullptr || in->shape() == nullptr ? 0 : sizeof(int) * in->shape()->size(), at, at);
    plan.add(axes == nullptr ? 0 : sizeof(int) * static_cast<size_t>(values_of(*axes)), at, at);
}

// Operators are counted from 1; a tensor lives from the one that writes it to the last that reads it.
inline void plan_tensor(const tflite::SubGraph &graph, int32_t tensor, size_t bytes, Plan &plan) {
    int first = -1, last = -1, at = 0;
    if (graph.inputs()->Get(0) == tensor) {
        first = last = 0;
    }
    for (const auto *op : *graph.operators()) {
        at++;
        for (const int32_t out : *op->outputs()) {
            if (out == tensor) {
                first = first < 0 ? at : first;
                last = at;
            }
        }
        for (const int32_t in : *op->inputs()) {
            last = in == tensor ? at : last;
        }
    }
    if (graph.outputs()->Get(0) == tensor) {
        first = first < 0 ? at : first;
        last = at;
    }
    plan.add(bytes, first, last);
}

// Bytes, or kTooMuch. Sizes of records are those of the headers, so that processors of 32 and of 64 bits are right.
inline size_t arena_for(const tflite::Model &model, const tflite::SubGraph &graph) {
    Arena arena;
    const auto keep = [&arena](size_t size, size_t alignment) { arena.keep(size, alignment); };
    arena.keep(tflite::MicroAllocator::GetDefaultTailUsage(false));
    arena.keep(graph.tensors()->size() * sizeof(TfLiteEvalTensor), alignof(TfLiteEvalTensor));
    arena.keep(graph.operators()->size() * sizeof(tflite::NodeAndRegistration), alignof(tflite::NodeAndRegistration));
    for (const auto *op : *graph.operators()) {
        arena.keep(kind_of(model, *op).options, alignof(void *));
    }
    for (const auto *op : *graph.operators()) {
        arena.keep(kind_of(model, *op).data);
    }
    Plan plan;
    for (uint32_t i = 0; i < graph.tensors()->size(); i++) {
        const tflite::Tensor &tensor = *graph.tensors()->Get(i);
        plan_tensor(graph, static_cast<int32_t>(i), constant_bytes(model, tensor) != 0 ? 0 : bytes_of(tensor), plan);
    }
    size_t scratches = 0;
    int at = 0;
    for (const auto *op : *graph.operators()) {
        const tflite::BuiltinOperator builtin = kind_of(model, *op).builtin;
        const size_t channels = channels_of(graph, *op, builtin);
        at++;
        arena.keep(channels * sizeof(int32_t));
        arena.keep(channels * sizeof(int32_t));
        arena.also((scratches + kScratchesMax) * sizeof(tflite::internal::ScratchBufferRequest) +
                   records_of(graph, *op, builtin));
        if (builtin == tflite::BuiltinOperator_MEAN) {
            mean_scratch(graph, *op, at, plan);
            scratches += kMeanScratches;
        }
    }
    arena.keep(scratches * sizeof(tflite::ScratchBufferHandle), alignof(tflite::ScratchBufferHandle));
    arena.also(rounded((scratches + kScratchesMax) * sizeof(tflite::internal::ScratchBufferRequest) + sizeof(size_t) +
                       (graph.tensors()->size() + scratches) * sizeof(tflite::AllocationInfo)) +
               plan.bytes_to_make_it());
    for (const auto *end : {graph.inputs(), graph.outputs()}) {
        arena.keep(sizeof(TfLiteTensor *));
        record_of(*graph.tensors()->Get(static_cast<uint32_t>(end->Get(0))), keep);
    }
    arena.also(plan.bytes());
    return arena.most();
}

} // namespace tflm_engine

#endif
