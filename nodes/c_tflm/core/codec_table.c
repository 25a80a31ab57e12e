#include "message.h"

/* Where a member lies in its struct, in words. */
#define AT(message, member) (uint8_t)(offsetof(struct message, member) / sizeof(uint32_t))

static const struct codec_field BIRTH[] = {
    {CODEC_U16, AT(birth, seq)},
    {CODEC_U8, AT(birth, age)},
    {CODEC_VERSION, AT(birth, wire_version)},
    {CODEC_U32, AT(birth, full_seq)},
    {CODEC_U32, AT(birth, skipped)},
    {CODEC_SMALL, AT(birth, reset_cause)},
    {CODEC_TEXT, AT(birth, hardware)},
    {CODEC_TEXT, AT(birth, firmware)},
    {CODEC_U8, AT(birth, feature_set)},
    {CODEC_CHANNELS, AT(birth, channels)},
    {CODEC_SMALL, AT(birth, generation)},
    {CODEC_ID_8_NIL, AT(birth, model)},
    {CODEC_U32, AT(birth, wake_ms)},
    {CODEC_U32, AT(birth, heartbeat_ms)},
    {CODEC_U16, AT(birth, listen_ms)},
    {CODEC_U16, AT(birth, epoch)},
    {CODEC_U32, AT(birth, last_command)},
    {CODEC_TAIL, AT(birth, has_more)},
    {CODEC_ARRAY, 5},
    {CODEC_SAMPLES, AT(birth, samples)},
    {CODEC_U32, AT(birth, rate_millihz)},
    {CODEC_U32, AT(birth, firmware_counter)},
    {CODEC_BIT, AT(birth, slot)},
    {CODEC_ID_8_NIL, AT(birth, learner)},
    {CODEC_END, 0},
};

static const struct codec_field FLAG[] = {
    {CODEC_U16, AT(flag, seq)},        {CODEC_U8, AT(flag, age)},           {CODEC_U8, AT(flag, score)},
    {CODEC_U8, AT(flag, why)},         {CODEC_SMALL, AT(flag, generation)}, {CODEC_TAIL, AT(flag, has_features)},
    {CODEC_U8, AT(flag, feature_set)}, {CODEC_VALUES, AT(flag, values)},    {CODEC_END, 0},
};

static const struct codec_field WINDOW[] = {
    {CODEC_U16, AT(window, seq)},
    {CODEC_U8, AT(window, age)},
    {CODEC_U8, AT(window, score)},
    {CODEC_SMALL, AT(window, generation)},
    {CODEC_U8, AT(window, feature_set)},
    {CODEC_VALUES, AT(window, values)},
    {CODEC_END, 0},
};

static const struct codec_field HEALTH[] = {
    {CODEC_U16, AT(health, seq)},
    {CODEC_U8, AT(health, age)},
    {CODEC_U8, AT(health, score)},
    {CODEC_U8, AT(health, why)},
    {CODEC_U16, AT(health, battery_mv)},
    {CODEC_S16_NIL, AT(health, temperature_cdeg)},
    {CODEC_DBM_NIL, AT(health, link_dbm)},
    {CODEC_U32, AT(health, uptime_s)},
    {CODEC_U32, AT(health, wakes)},
    {CODEC_U32, AT(health, flags)},
    {CODEC_U32, AT(health, resends)},
    {CODEC_U32, AT(health, ring_drops)},
    {CODEC_U32, AT(health, refused)},
    {CODEC_ARRAY, 4},
    {CODEC_U32, AT(health, energy_uc[0])},
    {CODEC_U32, AT(health, energy_uc[1])},
    {CODEC_U32, AT(health, energy_uc[2])},
    {CODEC_U32, AT(health, energy_uc[3])},
    {CODEC_TAIL, AT(health, has_more)},
    {CODEC_ARRAY, 4},
    {CODEC_U16_NIL, AT(health, battery_load_mv)},
    {CODEC_U32, AT(health, deferred)},
    {CODEC_U32, AT(health, stop_refused)},
    {CODEC_U32, AT(health, restarts)},
    {CODEC_TAIL, AT(health, has_learner)},
    {CODEC_ARRAY, 5},
    {CODEC_STATE, AT(health, state)},
    {CODEC_U16, AT(health, learned)},
    {CODEC_PERCENT, AT(health, similarity)},
    {CODEC_U8, AT(health, drift)},
    {CODEC_U32, AT(health, events_ppb)},
    {CODEC_END, 0},
};

static const struct codec_field RESULT[] = {
    {CODEC_U16, AT(result, seq)},
    {CODEC_U8, AT(result, age)},
    {CODEC_U32, AT(result, id)},
    {CODEC_SMALL, AT(result, code)},
    {CODEC_TAIL, AT(result, has_detail)},
    {CODEC_U32, AT(result, detail)},
    {CODEC_END, 0},
};

static const struct codec_field SAMPLED[] = {
    {CODEC_U16, AT(sampled, seq)},
    {CODEC_U8, AT(sampled, age)},
    {CODEC_U32, AT(sampled, window_number)},
    {CODEC_U8, AT(sampled, part)},
    {CODEC_COUNT_8, AT(sampled, parts)},
    {CODEC_CHANNELS, AT(sampled, channels)},
    {CODEC_U32, AT(sampled, rate_millihz)},
    {CODEC_DATA, AT(sampled, data)},
    {CODEC_END, 0},
};

static const struct codec_field LEARNER_STATE[] = {
    {CODEC_U16, AT(learner_part, seq)},       {CODEC_U8, AT(learner_part, age)},    {CODEC_U8, AT(learner_part, part)},
    {CODEC_COUNT_8, AT(learner_part, parts)}, {CODEC_DATA, AT(learner_part, data)}, {CODEC_END, 0},
};

static const struct codec_field ACK[] = {
    {CODEC_U16_NIL, AT(ack, base)},
    {CODEC_U32, AT(ack, bitmap)},
    {CODEC_U64, AT(ack, time_ms)},
    {CODEC_U32, AT(ack, next_s)},
    {CODEC_SMALL, AT(ack, mail)},
    {CODEC_BOOL, AT(ack, birth_wanted)},
    {CODEC_END, 0},
};

static const struct codec_field COMMAND[] = {
    {CODEC_ID, AT(command, id)},
    {CODEC_U8, AT(command, kind)},
    {CODEC_TAIL, AT(command, has_argument)},
    {CODEC_U32, AT(command, argument)},
    {CODEC_END, 0},
};

static const struct codec_field OFFER[] = {
    {CODEC_ID, AT(offer, id)},
    {CODEC_STORE, AT(offer, store)},
    {CODEC_U32, AT(offer, size)},
    {CODEC_BYTES_32, AT(offer, sha256)},
    {CODEC_U32, AT(offer, counter)},
    {CODEC_TAIL, AT(offer, has_signature)},
    {CODEC_BYTES_64, AT(offer, signature)},
    {CODEC_END, 0},
};

static const struct codec_field CHUNK[] = {
    {CODEC_U32, AT(chunk, transfer)},
    {CODEC_U32, AT(chunk, offset)},
    {CODEC_DATA, AT(chunk, data)},
    {CODEC_END, 0},
};

const struct codec_field *codec_up(uint8_t type) {
    switch (type) {
    case MESSAGE_BIRTH:
        return BIRTH;
    case MESSAGE_FLAG:
        return FLAG;
    case MESSAGE_WINDOW:
        return WINDOW;
    case MESSAGE_HEALTH:
        return HEALTH;
    case MESSAGE_RESULT:
        return RESULT;
    case MESSAGE_SAMPLED:
        return SAMPLED;
    case MESSAGE_LEARNER_STATE:
        return LEARNER_STATE;
    default:
        return NULL;
    }
}

const struct codec_field *codec_down(uint8_t type) {
    switch (type) {
    case MESSAGE_ACK:
        return ACK;
    case MESSAGE_COMMAND:
        return COMMAND;
    case MESSAGE_CHUNK:
        return CHUNK;
    case MESSAGE_OFFER:
        return OFFER;
    default:
        return NULL;
    }
}
