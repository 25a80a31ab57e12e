#include "flash_ecc.h"

void nmi(void);
void fault(void);

/* Reading a torn word of the flash is no fault: flash_read tells its caller. Anything else is. */
void nmi(void) {
    static const struct registers REGISTERS;
    if (!flash_ecc_error(&REGISTERS)) {
        fault();
    }
}
