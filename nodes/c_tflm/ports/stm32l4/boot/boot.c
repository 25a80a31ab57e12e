/* What starts first on an STM32L475: takes the firmware of slot A or B (core/slots.h), starts the watchdog, and jumps.
 *
 * An image that nobody has confirmed has three starts, each counted in flash before the jump; the watchdog runs from
 * before the jump on, so one that hangs has had its start. Then the stub goes back to the confirmed one. */
#include "backup.h"
#include "board.h"
#include "chip_layout.h"
#include "cortex.h"
#include "ed25519_verify.h"
#include "flash_ecc.h"
#include "linked_memory.h"
#include "services.h"
#include "vectors.h"

#define RCC_CR_MSIRANGE_48M UINT32_C(0xB0)
#define FLASH_ACR_2_WAIT_STATES UINT32_C(2)
#define IWDG_KR_RELOAD UINT32_C(0xAAAA)
#define IWDG_KR_UNLOCK UINT32_C(0x5555)
#define IWDG_KR_START UINT32_C(0xCCCC)
#define IWDG_PR_256 UINT32_C(6)
#define IWDG_RLR_MOST UINT32_C(0xFFF) /* 4096 * 256 periods of LSI: 33 s */
#define NOTE_REGISTER (RTC_BKPR + 4 * (uint32_t)BACKUP_BOOT)

enum { CLOCK_TRIES = 100000 };

/* Of the linker script. */
extern const uint8_t public_key[ED25519_KEY];

static const struct registers REGISTERS;
static const struct boot_memory RAM[] = {{0x20000000, 0x20018000}, {0x10000000, 0x10008000}, {0, 0}};

static const struct boot_services SERVICES __attribute__((section(".services"), used)) = {
    .magic = BOOT_SERVICES_MAGIC, .public_key = public_key, .verify = ed25519_verify};

static uint32_t payload_address(uint8_t slot) {
    return chip_store_address(STORE_FIRMWARE, slot) + CHIP_STORE_HEAD;
}

static bool starts_here(void *context, enum store store, uint8_t slot) {
    static const uint32_t SIZE[STORES] = CHIP_STORE_SIZES;
    uint8_t vectors[8];
    return BOARD_STORE.read(context, store, slot, CHIP_STORE_HEAD, vectors, sizeof vectors) &&
           boot_vectors_fit(vectors, payload_address(slot), SIZE[store] - CHIP_STORE_HEAD, RAM);
}

/* 48 MHz for the time of checking, which is then a fifth of a second; 4 MHz is what a firmware expects of a reset. */
static void clock_fast(bool fast) {
    const uint32_t range = fast ? RCC_CR_MSIRANGE_48M : RCC_CR_MSIRANGE_4M;
    if (fast) {
        register_field(&REGISTERS, FLASH_ACR, FLASH_ACR_LATENCY, FLASH_ACR_2_WAIT_STATES);
        register_until(&REGISTERS, FLASH_ACR, FLASH_ACR_LATENCY, FLASH_ACR_2_WAIT_STATES, CLOCK_TRIES);
    }
    register_until(&REGISTERS, RCC_CR, RCC_CR_MSIRDY, RCC_CR_MSIRDY, CLOCK_TRIES);
    register_field(&REGISTERS, RCC_CR, RCC_CR_MSIRANGE, range);
    register_set(&REGISTERS, RCC_CR, RCC_CR_MSIRGSEL);
    register_until(&REGISTERS, RCC_CR, RCC_CR_MSIRDY, RCC_CR_MSIRDY, CLOCK_TRIES);
    if (!fast) {
        register_field(&REGISTERS, FLASH_ACR, FLASH_ACR_LATENCY, 0);
    }
}

static void start_watchdog(void) {
    register_write(&REGISTERS, IWDG_KR, IWDG_KR_START);
    register_write(&REGISTERS, IWDG_KR, IWDG_KR_UNLOCK);
    register_write(&REGISTERS, IWDG_PR, IWDG_PR_256);
    register_write(&REGISTERS, IWDG_RLR, IWDG_RLR_MOST);
    register_until(&REGISTERS, IWDG_SR, UINT32_MAX, 0, CLOCK_TRIES);
    register_write(&REGISTERS, IWDG_KR, IWDG_KR_RELOAD);
}

static void leave_note(uint32_t note) {
    register_set(&REGISTERS, RCC_APB1ENR1, RCC_APB1ENR1_PWREN);
    register_set(&REGISTERS, PWR_CR1, PWR_CR1_DBP);
    register_write(&REGISTERS, NOTE_REGISTER, note);
    register_clear(&REGISTERS, PWR_CR1, PWR_CR1_DBP);
}

static _Noreturn void jump(uint32_t address) {
    const uint32_t stack = register_read(&REGISTERS, address);
    const uint32_t entry = register_read(&REGISTERS, address + 4);
    register_write(&REGISTERS, SCB_VTOR, address);
    __asm volatile("dsb\n isb\n msr msp, %0\n bx %1" ::"r"(stack), "r"(entry) : "memory");
    __builtin_unreachable();
}

/* Nothing to start: asleep as deeply as can be, for somebody to come with a programmer. */
static _Noreturn void give_up(void) {
    register_set(&REGISTERS, RCC_APB1ENR1, RCC_APB1ENR1_PWREN);
    register_field(&REGISTERS, PWR_CR1, PWR_CR1_LPMS, PWR_CR1_LPMS_SHUTDOWN);
    register_set(&REGISTERS, SCB_SCR, SCB_SCR_SLEEPDEEP);
    for (;;) {
        register_wait(&REGISTERS);
    }
}

static _Noreturn void boot(void) {
    static struct board board;
    const struct slots slots = {&BOARD_STORE, &board, STORE_FIRMWARE};
    const struct image_rules rules = {
        .board = CHIP_BOARD, .public_key = public_key, .verify = ed25519_verify, .running = -1, .accept = starts_here};
    enum image_reply why[STORE_SLOTS];
    board.registers = &REGISTERS;
    clock_fast(true);
    const int slot = slots_choose(&slots, &rules, why);
    clock_fast(false);
    if (slot < 0) {
        give_up();
    }
    leave_note(boot_note((uint8_t)slot, why));
    start_watchdog();
    jump(payload_address((uint8_t)slot));
}

_Noreturn void start(void);

_Noreturn void start(void) {
    memory_fill_in();
    boot();
}

static void fault(void) {
    register_write(&REGISTERS, SCB_AIRCR, SCB_AIRCR_RESET);
    for (;;) {
    }
}

static void nmi(void) {
    if (!flash_ecc_error(&REGISTERS)) {
        fault();
    }
}

typedef void (*vector)(void);

static const struct {
    // cppcheck-suppress unusedStructMember
    uint8_t *stack;
    // cppcheck-suppress unusedStructMember
    vector handlers[15];
} VECTORS __attribute__((section(".vectors"), used)) = {
    stack_top,
    {start, nmi, fault, fault, fault, fault, fault, fault, fault, fault, fault, fault, fault, fault, fault},
};
