/* stethos_native.ccm and stethos_native.envelope: as lib/stethos/ccm.py and envelope.py, of which the second has the
 * classes that are handed in here: Keys, Downlink and Replay. */
#include "binding.h"

#include <string.h>

#include "../../c_tflm/core/ccm.h"
#include "../../c_tflm/core/envelope.h"

enum { AAD_MAX = 65279, NONCE_MIN = 7, NONCE_MAX = 13, TAG_MIN = 4, TAG_MAX = 16, TEXT_MAX = 65279 };

static const struct cipher SOFTWARE = {NULL, NULL};

/* --- AES-CCM: key, nonce, aad, text, tag_n */

static struct run prepare(const mp_obj_t *arguments, struct aes128 *aes, struct ccm *ccm) {
    const int32_t tag_n = whole(arguments[4], TAG_MIN, TAG_MAX);
    const struct run key = readable(arguments[0]);
    const struct run nonce = readable(arguments[1]);
    const struct run aad = readable(arguments[2]);
    const struct run text = readable(arguments[3]);
    if (key.n != AES128_KEY || nonce.n < NONCE_MIN || nonce.n > NONCE_MAX || aad.n > AAD_MAX || text.n > TEXT_MAX ||
        tag_n % 2 != 0) {
        refuse("wrong length");
    }
    *aes = (struct aes128){.key = key.data};
    *ccm = (struct ccm){aes, nonce.data, (uint8_t)nonce.n, (uint8_t)tag_n, aad.data, (uint16_t)aad.n};
    return text;
}

/* The first `n` of a buffer's bytes; it is given back. */
static mp_obj_t bytes_of(uint8_t *buffer, size_t size, size_t n) {
    const mp_obj_t bytes = mp_obj_new_bytes(buffer, n);
    m_del(uint8_t, buffer, size);
    return bytes;
}

static mp_obj_t seal(size_t arguments_n, const mp_obj_t *arguments) {
    (void)arguments_n;
    struct aes128 aes;
    struct ccm ccm;
    const struct run text = prepare(arguments, &aes, &ccm);
    const size_t n = text.n + ccm.tag_n;
    uint8_t *out = m_new(uint8_t, n);
    ccm_seal(&ccm, text.data, text.n, out);
    return bytes_of(out, n, n);
}
static MP_DEFINE_CONST_FUN_OBJ_VAR_BETWEEN(seal_object, 5, 5, seal);

static mp_obj_t open_(size_t arguments_n, const mp_obj_t *arguments) {
    (void)arguments_n;
    struct aes128 aes;
    struct ccm ccm;
    const struct run sealed = prepare(arguments, &aes, &ccm);
    if (sealed.n < ccm.tag_n) {
        return mp_const_none;
    }
    uint8_t *out = m_new(uint8_t, sealed.n);
    const bool right = ccm_open(&ccm, sealed.data, sealed.n, out);
    const mp_obj_t text = bytes_of(out, sealed.n, sealed.n - ccm.tag_n);
    return right ? text : mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_VAR_BETWEEN(open_object, 5, 5, open_);

#define CCM_MEMBERS(FUNCTION, NUMBER, CLASS)                                                                           \
    FUNCTION(MP_QSTR_seal, seal_object)                                                                                \
    FUNCTION(MP_QSTR_open_, open_object)

DEFINE_MODULE(ccm, CCM_MEMBERS)

/* --- Envelopes */

static void bytes_attribute(mp_obj_t object, qstr name, uint8_t *out, size_t n) {
    const struct run found = readable(mp_load_attr(object, name));
    if (found.n != n) {
        refuse("wrong length");
    }
    memcpy(out, found.data, n);
}

static void read_keys(mp_obj_t object, struct keys *keys) {
    bytes_attribute(object, MP_QSTR_kid, keys->kid, sizeof keys->kid);
    bytes_attribute(object, MP_QSTR__secret, keys->secret, sizeof keys->secret);
    bytes_attribute(object, MP_QSTR_up, keys->up, sizeof keys->up);
    bytes_attribute(object, MP_QSTR_iv_up, keys->iv_up, sizeof keys->iv_up);
    bytes_attribute(object, MP_QSTR_iv_down, keys->iv_down, sizeof keys->iv_down);
}

/* Its newest is -1 while nothing was seen. `below` has 64 bits, of which a register may hold half. */
static void read_replay(mp_obj_t object, struct replay *replay) {
    const mp_obj_t newest = mp_load_attr(object, MP_QSTR_newest);
    const mp_obj_t below = mp_load_attr(object, MP_QSTR_below);
    const mp_obj_t high = mp_binary_op(MP_BINARY_OP_RSHIFT, below, MP_OBJ_NEW_SMALL_INT(32));
    replay->any = newest != MP_OBJ_NEW_SMALL_INT(-1);
    replay->newest = replay->any ? unsigned_32(newest) : 0;
    replay->below = (uint64_t)unsigned_32(high) << 32 | (uint32_t)mp_obj_get_int_truncated(below);
}

static void write_replay(mp_obj_t object, const struct replay *replay) {
    mp_obj_t below = mp_obj_new_int_from_uint((uint32_t)(replay->below >> 32));
    below = mp_binary_op(MP_BINARY_OP_LSHIFT, below, MP_OBJ_NEW_SMALL_INT(32));
    below = mp_binary_op(MP_BINARY_OP_OR, below, mp_obj_new_int_from_uint((uint32_t)replay->below));
    mp_store_attr(object, MP_QSTR_newest, mp_obj_new_int_from_uint(replay->newest));
    mp_store_attr(object, MP_QSTR_below, below);
}

static mp_obj_t seal_up(mp_obj_t keys_object, mp_obj_t partial_iv, mp_obj_t plaintext) {
    struct keys keys;
    uint8_t out[ENVELOPE_MAX];
    const uint32_t number = unsigned_32(partial_iv);
    read_keys(keys_object, &keys);
    const struct run text = readable(plaintext);
    if (text.n > PLAINTEXT_MAX) {
        refuse("longer than an envelope");
    }
    return mp_obj_new_bytes(out, envelope_seal_up(&keys, &SOFTWARE, number, text.data, text.n, out));
}
static MP_DEFINE_CONST_FUN_OBJ_3(seal_up_object, seal_up);

static qstr verdict_name(enum verdict verdict) {
    switch (verdict) {
    case ACCEPTED:
        return MP_QSTR_accepted;
    case UNKNOWN_NODE:
        return MP_QSTR_unknown_node;
    case BAD_TAG:
        return MP_QSTR_bad_tag;
    case REPLAYED:
        return MP_QSTR_replayed;
    default:
        return MP_QSTR_malformed;
    }
}

static mp_obj_t open_down(mp_obj_t keys_object, mp_obj_t object, mp_obj_t frame_object) {
    struct keys keys;
    struct downlink downlink;
    uint8_t out[ENVELOPE_MAX];
    size_t n = 0;
    const mp_obj_t replay = mp_load_attr(object, MP_QSTR_replay);
    read_keys(keys_object, &keys);
    read_replay(replay, &downlink.replay);
    downlink.epoch = (uint16_t)whole(mp_load_attr(object, MP_QSTR_epoch), 0, UINT16_MAX);
    const struct run frame = readable(frame_object);
    const enum verdict verdict = envelope_open_down(&keys, &SOFTWARE, &downlink, frame.data, frame.n, out, &n);
    mp_obj_t answer[] = {MP_OBJ_NEW_QSTR(verdict_name(verdict)), mp_const_none};
    if (verdict == ACCEPTED) {
        mp_store_attr(object, MP_QSTR_epoch, MP_OBJ_NEW_SMALL_INT(downlink.epoch));
        write_replay(replay, &downlink.replay);
        answer[1] = mp_obj_new_bytes(out, n);
    }
    return mp_obj_new_tuple(COUNT_OF(answer), answer);
}
static MP_DEFINE_CONST_FUN_OBJ_3(open_down_object, open_down);

#define ENVELOPE_MEMBERS(FUNCTION, NUMBER, CLASS)                                                                      \
    FUNCTION(MP_QSTR_seal_up, seal_up_object)                                                                          \
    FUNCTION(MP_QSTR_open_down, open_down_object)                                                                      \
    NUMBER(MP_QSTR_MAX, ENVELOPE_MAX)

DEFINE_MODULE(envelope, ENVELOPE_MEMBERS)
