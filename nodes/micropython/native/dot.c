/* The inner loop of the engine, as this processor can do it best; the sums are the same. */
#ifdef __ARM_FEATURE_DSP
#include "../../c_tflm/infer/dot_dsp.c"
#else
#include "../../c_tflm/infer/dot_portable.c"
#endif
