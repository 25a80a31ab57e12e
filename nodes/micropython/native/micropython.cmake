# For a firmware of one's own, where the port uses CMake (ESP32, RP2): USER_C_MODULES=.../native/micropython.cmake
# The files are those of sources.mk.
set(STETHOS_C ${CMAKE_CURRENT_LIST_DIR}/../../c_tflm)
set(STETHOS_CORE aes128 ccm codec codec_table envelope fixed hkdf keys replay score sha256 slow)
set(STETHOS_BINDING arguments dot features learners models module operators readings sealing)
list(TRANSFORM STETHOS_CORE REPLACE ".+" "${STETHOS_C}/core/\\0.c")
list(TRANSFORM STETHOS_BINDING REPLACE ".+" "${CMAKE_CURRENT_LIST_DIR}/\\0.c")
file(GLOB STETHOS_MORE ${STETHOS_C}/core/feature*.c ${STETHOS_C}/core/fft*.c ${STETHOS_C}/core/learner*.c ${STETHOS_C}/infer/*.c
    ${STETHOS_C}/infer/ops/*.c)
list(FILTER STETHOS_MORE EXCLUDE REGEX "/infer/(binding|dot_dsp|dot_portable|network_text)\\.c$")
set(STETHOS_SOURCES ${STETHOS_CORE} ${STETHOS_MORE} ${STETHOS_BINDING})

# Only for these: a firmware has other files called message.h or keys.h.
set_source_files_properties(${STETHOS_SOURCES} PROPERTIES COMPILE_OPTIONS
    "-std=gnu11;-include;${CMAKE_CURRENT_LIST_DIR}/names.h;-DMODEL_KINDS=3;-I${STETHOS_C}/core;-I${STETHOS_C}/infer")

add_library(usermod_stethos_native INTERFACE)
target_sources(usermod_stethos_native INTERFACE ${STETHOS_SOURCES})
target_link_libraries(usermod INTERFACE usermod_stethos_native)
