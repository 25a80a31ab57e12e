/* The module stethos_native: in a .mpy, what runs when it is imported; in a firmware, a table. What is not named here
 * is not linked. */
#include "binding.h"

#ifdef STETHOS_WITHOUT_MODEL
#define MODEL(PART, CLASS)
#else
#define MODEL(PART, CLASS) PART(MP_QSTR_model, model) CLASS(model_model) CLASS(model_network)
#endif

#ifdef STETHOS_WITHOUT_LEARNER
#define LEARNER(PART, CLASS)
#else
#define LEARNER(PART, CLASS)                                                                                           \
    PART(MP_QSTR_learner, learner) CLASS(learner_learner) PART(MP_QSTR_slow, slow) CLASS(readings)
#endif

#define PARTS(PART, CLASS)                                                                                             \
    PART(MP_QSTR_feature_set, feature_set)                                                                             \
    PART(MP_QSTR_ccm, ccm)                                                                                             \
    PART(MP_QSTR_envelope, envelope)                                                                                   \
    MODEL(PART, CLASS)                                                                                                 \
    LEARNER(PART, CLASS)

#if MICROPY_ENABLE_DYNRUNTIME

#define ADD_PART(qst, part)                                                                                            \
    part##_fill(self->context->module.base.type);                                                                      \
    mp_store_global(qst, MP_OBJ_FROM_PTR(&part##_module));
#define ADD_CLASS(part) part##_fill(&mp_type_type);

/* The one name that the linker of .mpy files looks for. */
mp_obj_t mpy_init(mp_obj_fun_bc_t *self, size_t n_args, size_t n_kw, mp_obj_t *args);

mp_obj_t mpy_init(mp_obj_fun_bc_t *self, size_t n_args, size_t n_kw, mp_obj_t *args) {
    (void)n_args;
    (void)n_kw;
    (void)args;
    MP_DYNRUNTIME_INIT_ENTRY
    PARTS(ADD_PART, ADD_CLASS)
    MP_DYNRUNTIME_INIT_EXIT
}

#else

#define ROM_PART(qst, part) {MP_ROM_QSTR(qst), MP_ROM_PTR(&part##_module)},
#define NO_CLASS(part)

static const mp_rom_map_elem_t members[] = {{MP_ROM_QSTR(MP_QSTR___name__), MP_ROM_QSTR(MP_QSTR_stethos_native)},
                                            PARTS(ROM_PART, NO_CLASS)};
static MP_DEFINE_CONST_DICT(globals, members);

const mp_obj_module_t stethos_native_module = {
    .base = {&mp_type_module},
    .globals = (mp_obj_dict_t *)(uintptr_t)&globals,
};

MP_REGISTER_MODULE(MP_QSTR_stethos_native, stethos_native_module);

#endif
