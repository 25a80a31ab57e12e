// The operators that `tflm.cc` knows, and those of them that one file needs.
#ifndef STETHOS_TFLM_OPS_HPP
#define STETHOS_TFLM_OPS_HPP

#include <type_traits>

#include "tensorflow/lite/micro/kernels/add.h"
#include "tensorflow/lite/micro/kernels/conv.h"
#include "tensorflow/lite/micro/kernels/depthwise_conv.h"
#include "tensorflow/lite/micro/kernels/dequantize.h"
#include "tensorflow/lite/micro/kernels/fully_connected.h"
#include "tensorflow/lite/micro/kernels/logistic.h"
#include "tensorflow/lite/micro/kernels/micro_ops.h"
#include "tensorflow/lite/micro/kernels/pooling.h"
#include "tensorflow/lite/micro/kernels/quantize.h"
#include "tensorflow/lite/micro/kernels/reduce.h"
#include "tensorflow/lite/micro/kernels/reshape.h"
#include "tensorflow/lite/micro/kernels/softmax.h"
#include "tensorflow/lite/micro/micro_op_resolver.h"
#include "tensorflow/lite/schema/schema_generated.h"

// Operator, its parser, and what the interpreter keeps of each: its options, and what its reference kernel works out. A
// firmware for certain models defines the shorter list of what they need, and links no more.
#ifndef TFLM_OPS
#define TFLM_OPS(OP)                                                                                                   \
    OP(FULLY_CONNECTED, FullyConnected, TfLiteFullyConnectedParams, tflite::OpDataFullyConnected)                      \
    OP(CONV_2D, Conv2D, TfLiteConvParams, tflite::OpDataConv)                                                          \
    OP(DEPTHWISE_CONV_2D, DepthwiseConv2D, TfLiteDepthwiseConvParams, tflite::OpDataConv)                              \
    OP(AVERAGE_POOL_2D, Pool, TfLitePoolParams, tflite::OpDataPooling)                                                 \
    OP(MAX_POOL_2D, Pool, TfLitePoolParams, tflite::OpDataPooling)                                                     \
    OP(MEAN, Reducer, TfLiteReducerParams, tflite::OpDataReduce)                                                       \
    OP(ADD, Add, TfLiteAddParams, tflite::OpDataAdd)                                                                   \
    OP(PAD, Pad, Nothing, PadData)                                                                                     \
    OP(PADV2, PadV2, Nothing, PadData)                                                                                 \
    OP(RESHAPE, Reshape, TfLiteReshapeParams, Nothing)                                                                 \
    OP(SOFTMAX, Softmax, TfLiteSoftmaxParams, tflite::SoftmaxParams)                                                   \
    OP(LOGISTIC, Logistic, Nothing, tflite::OpDataLogistic)                                                            \
    OP(QUANTIZE, Quantize, Nothing, tflite::OpDataQuantizeReference)                                                   \
    OP(DEQUANTIZE, Dequantize, Nothing, tflite::DequantizeOpData)
#endif

namespace tflm_engine {

struct Nothing {};
struct PadData {
    tflite::PadParams params;
    int32_t zero_point;
};

struct Op {
    tflite::BuiltinOperator builtin;
    uint16_t options, data; // bytes
    TFLMRegistration (*registration)();
    tflite::TfLiteBridgeBuiltinParseFunction parse;
};

template <class Record> constexpr uint16_t size_of() {
    return std::is_empty<Record>::value ? 0 : sizeof(Record);
}

#define ENTRY(builtin, name, options, data)                                                                            \
    {tflite::BuiltinOperator_##builtin, size_of<options>(), size_of<data>(), tflite::Register_##builtin,               \
     tflite::Parse##name},
inline constexpr Op kOps[] = {TFLM_OPS(ENTRY)};
inline constexpr unsigned kOpsN = sizeof kOps / sizeof kOps[0];
static_assert(kOpsN <= 32, "struct network has one bit for each");

inline int place_of(const tflite::OperatorCode &code, int32_t &builtin) {
    const int32_t old = code.deprecated_builtin_code();
    const int32_t now = static_cast<int32_t>(code.builtin_code());
    builtin = old > now ? old : now;
    for (unsigned i = 0; i < kOpsN; i++) {
        if (kOps[i].builtin == builtin) {
            return static_cast<int>(i);
        }
    }
    return -1;
}

inline const Op &kind_of(const tflite::Model &model, const tflite::Operator &op) {
    int32_t builtin;
    return kOps[place_of(*model.operator_codes()->Get(op.opcode_index()), builtin)];
}

// Those that one file needs, in memory of the caller's.
class Resolver final : public tflite::MicroOpResolver {
  public:
    Resolver(TFLMRegistration *known, uint32_t needed) : known_(known) {
        for (unsigned i = 0; i < kOpsN; i++) {
            if (needed >> i & 1) {
                known_[n_] = kOps[i].registration();
                known_[n_++].builtin_code = kOps[i].builtin;
            }
        }
    }
    const TFLMRegistration *FindOp(tflite::BuiltinOperator op) const override {
        for (unsigned i = 0; i < n_; i++) {
            if (known_[i].builtin_code == op) {
                return &known_[i];
            }
        }
        return nullptr;
    }
    const TFLMRegistration *FindOp(const char *) const override {
        return nullptr;
    }
    tflite::TfLiteBridgeBuiltinParseFunction GetOpDataParser(tflite::BuiltinOperator op) const override {
        for (const Op &known : kOps) {
            if (known.builtin == op) {
                return known.parse;
            }
        }
        return nullptr;
    }

  private:
    // Nothing here is deleted; without this the linker looks for a heap.
    void operator delete(void *) {
    }

    TFLMRegistration *known_;
    unsigned n_ = 0;
};

} // namespace tflm_engine

#endif
