/* Registers of the STM32L475 (RM0351): addresses and the bits that this port uses, under the manual's names. */
#ifndef STETHOS_L4_H
#define STETHOS_L4_H

#include <stdint.h>

#define BIT(n) (UINT32_C(1) << (n))

#include "rtc_registers.h"

/* Reset and clock control ("RCC registers") */
#define RCC UINT32_C(0x40021000)
#define RCC_CR (RCC + 0x00)
#define RCC_CR_MSION BIT(0)
#define RCC_CR_MSIRDY BIT(1)
#define RCC_CR_MSIPLLEN BIT(2)
#define RCC_CR_MSIRGSEL BIT(3)
#define RCC_CR_MSIRANGE UINT32_C(0xF0)
#define RCC_CR_MSIRANGE_2M UINT32_C(0x50)
#define RCC_CR_MSIRANGE_4M UINT32_C(0x60)
#define RCC_CR_HSION BIT(8)
#define RCC_CR_HSIKERON BIT(9)
#define RCC_CR_HSIRDY BIT(10)
#define RCC_CR_PLLON BIT(24)
#define RCC_CR_PLLRDY BIT(25)
#define RCC_CFGR (RCC + 0x08)
#define RCC_CFGR_SW UINT32_C(0x3)
#define RCC_CFGR_SWS UINT32_C(0xC)
#define RCC_CFGR_MSI UINT32_C(0)
#define RCC_CFGR_HSI16 UINT32_C(1)
#define RCC_CFGR_PLL UINT32_C(3)
#define RCC_CFGR_STOPWUCK BIT(15)
#define RCC_PLLCFGR (RCC + 0x0C)
#define RCC_PLLCFGR_HSI16_80M (UINT32_C(2) | 10 << 8 | BIT(24)) /* source HSI16, M 1, N 10, R 2 */
#define RCC_AHB1ENR (RCC + 0x48)
#define RCC_AHB1ENR_DMA1EN BIT(0)
#define RCC_AHB2ENR (RCC + 0x4C)
#define RCC_AHB2ENR_ADCEN BIT(13)
#define RCC_APB1ENR1 (RCC + 0x58)
#define RCC_APB1ENR1_USART2EN BIT(17)
#define RCC_APB1ENR1_I2C2EN BIT(22)
#define RCC_APB1ENR1_PWREN BIT(28)
#define RCC_APB1ENR2 (RCC + 0x5C)
#define RCC_APB1ENR2_LPUART1EN BIT(0)
#define RCC_APB2ENR (RCC + 0x60)
#define RCC_APB2ENR_SYSCFGEN BIT(0)
#define RCC_APB2ENR_USART1EN BIT(14)
#define RCC_CCIPR (RCC + 0x88)
#define RCC_CCIPR_USART1_HSI16 (UINT32_C(2) << 0)
#define RCC_CCIPR_USART2_HSI16 (UINT32_C(2) << 2)
#define RCC_CCIPR_LPUART1_HSI16 (UINT32_C(2) << 10)
#define RCC_CCIPR_I2C2_HSI16 (UINT32_C(2) << 14)
#define RCC_BDCR (RCC + 0x90)
#define RCC_BDCR_LSEON BIT(0)
#define RCC_BDCR_LSERDY BIT(1)
#define RCC_BDCR_RTCSEL UINT32_C(0x300)
#define RCC_BDCR_RTCSEL_LSE UINT32_C(0x100)
#define RCC_BDCR_RTCSEL_LSI UINT32_C(0x200)
#define RCC_BDCR_RTCEN BIT(15)
#define RCC_BDCR_BDRST BIT(16)
#define RCC_CSR (RCC + 0x94)
#define RCC_CSR_LSION BIT(0)
#define RCC_CSR_LSIRDY BIT(1)
#define RCC_CSR_RMVF BIT(23)
#define RCC_CSR_OBLRSTF BIT(25)
#define RCC_CSR_PINRSTF BIT(26)
#define RCC_CSR_BORRSTF BIT(27)
#define RCC_CSR_SFTRSTF BIT(28)
#define RCC_CSR_IWDGRSTF BIT(29)
#define RCC_CSR_WWDGRSTF BIT(30)
#define RCC_CSR_LPWRRSTF BIT(31)

/* Power control ("PWR registers") */
#define PWR UINT32_C(0x40007000)
#define PWR_CR1 (PWR + 0x00)
#define PWR_CR1_LPMS UINT32_C(0x7)
#define PWR_CR1_LPMS_STOP2 UINT32_C(0x2)
#define PWR_CR1_LPMS_SHUTDOWN UINT32_C(0x4)
#define PWR_CR1_DBP BIT(8)
#define PWR_CR1_LPR BIT(14)
#define PWR_CR2 (PWR + 0x04)
#define PWR_CR2_PVDE BIT(0)
#define PWR_CR2_PLS_2V2 (UINT32_C(1) << 1)
#define PWR_CR3 (PWR + 0x08)
#define PWR_CR3_EWUP UINT32_C(0x1F)
#define PWR_CR3_EIWF BIT(15)
#define PWR_CR4 (PWR + 0x0C)
#define PWR_CR4_WP2 BIT(1)
#define PWR_SR1 (PWR + 0x10)
#define PWR_SR1_WUF UINT32_C(0x1F)
#define PWR_SR1_SBF BIT(8)
#define PWR_SR2 (PWR + 0x14)
#define PWR_SR2_REGLPF BIT(9)
#define PWR_SR2_PVDO BIT(11)
#define PWR_SCR (PWR + 0x18)
#define PWR_SCR_CWUF UINT32_C(0x1F)
#define PWR_SCR_CSBF BIT(8)

/* Independent watchdog ("IWDG registers") */
#define IWDG UINT32_C(0x40003000)
#define IWDG_KR (IWDG + 0x00)
#define IWDG_PR (IWDG + 0x04)
#define IWDG_RLR (IWDG + 0x08)
#define IWDG_SR (IWDG + 0x0C)

/* Extended interrupts ("EXTI registers") */
#define EXTI UINT32_C(0x40010400)
#define EXTI_IMR1 (EXTI + 0x00)
#define EXTI_RTSR1 (EXTI + 0x08)
#define EXTI_PR1 (EXTI + 0x14)
#define EXTI_IMR2 (EXTI + 0x20)
#define EXTI_PR2 (EXTI + 0x34)
#define EXTI_WUT BIT(20) /* "EXTI lines connections": RTC wake-up timer */

/* Direct memory access ("DMA registers"); channels count from 1 */
#define DMA1 UINT32_C(0x40020000)
#define DMA_ISR (DMA1 + 0x00)
#define DMA_IFCR (DMA1 + 0x04)
#define DMA_CCR(c) (DMA1 + 0x08 + 20 * ((c)-1))
#define DMA_CNDTR(c) (DMA1 + 0x0C + 20 * ((c)-1))
#define DMA_CPAR(c) (DMA1 + 0x10 + 20 * ((c)-1))
#define DMA_CMAR(c) (DMA1 + 0x14 + 20 * ((c)-1))
#define DMA_CSELR (DMA1 + 0xA8)
#define DMA_CCR_EN BIT(0)
#define DMA_CCR_TCIE BIT(1)
#define DMA_CCR_TEIE BIT(3)
#define DMA_CCR_MINC BIT(7)
#define DMA_TCIF(c) BIT(4 * ((c)-1) + 1)
#define DMA_TEIF(c) BIT(4 * ((c)-1) + 3)

/* Inter-integrated circuit ("I2C registers") */
#define I2C2 UINT32_C(0x40005800)
#define I2C_CR1 0x00
#define I2C_CR1_PE BIT(0)
#define I2C_CR1_ERRIE BIT(7)
#define I2C_CR1_NACKIE BIT(4)
#define I2C_CR1_RXDMAEN BIT(15)
#define I2C_CR2 0x04
#define I2C_CR2_READ BIT(10)
#define I2C_CR2_START BIT(13)
#define I2C_CR2_STOP BIT(14)
#define I2C_CR2_NBYTES(n) ((uint32_t)(n) << 16)
#define I2C_CR2_AUTOEND BIT(25)
#define I2C_TIMINGR 0x10
#define I2C_ISR 0x18
#define I2C_ISR_TXE BIT(0)
#define I2C_ISR_TXIS BIT(1)
#define I2C_ISR_RXNE BIT(2)
#define I2C_ISR_NACKF BIT(4)
#define I2C_ISR_STOPF BIT(5)
#define I2C_ISR_TC BIT(6)
#define I2C_ISR_BERR BIT(8)
#define I2C_ISR_ARLO BIT(9)
#define I2C_ISR_BUSY BIT(15)
#define I2C_ICR 0x1C
#define I2C_ICR_ALL (BIT(4) | BIT(5) | BIT(8) | BIT(9) | BIT(10))
#define I2C_RXDR 0x24
#define I2C_TXDR 0x28

/* Flash memory ("FLASH registers") */
#define FLASH UINT32_C(0x40022000)
#define FLASH_ACR (FLASH + 0x00)
#define FLASH_ACR_LATENCY UINT32_C(0x7)
#define FLASH_ACR_DCEN BIT(10)
#define FLASH_ACR_DCRST BIT(12)
#define FLASH_KEYR (FLASH + 0x08)
#define FLASH_KEY1 UINT32_C(0x45670123)
#define FLASH_KEY2 UINT32_C(0xCDEF89AB)
#define FLASH_OPTKEYR (FLASH + 0x0C)
#define FLASH_OPTKEY1 UINT32_C(0x08192A3B)
#define FLASH_OPTKEY2 UINT32_C(0x4C5D6E7F)
#define FLASH_SR (FLASH + 0x10)
#define FLASH_SR_ERRORS UINT32_C(0xC3FA) /* OPERR … FASTERR, RDERR, OPTVERR */
#define FLASH_SR_PROGERR BIT(3)
#define FLASH_SR_WRPERR BIT(4)
#define FLASH_SR_PGAERR BIT(5)
#define FLASH_SR_SIZERR BIT(6)
#define FLASH_SR_PGSERR BIT(7)
#define FLASH_SR_BSY BIT(16)
#define FLASH_CR (FLASH + 0x14)
#define FLASH_CR_PG BIT(0)
#define FLASH_CR_PER BIT(1)
#define FLASH_CR_PNB(page) ((uint32_t)(page) << 3)
#define FLASH_CR_BKER BIT(11)
#define FLASH_CR_STRT BIT(16)
#define FLASH_CR_OPTSTRT BIT(17)
#define FLASH_CR_OBL_LAUNCH BIT(27)
#define FLASH_CR_OPTLOCK BIT(30)
#define FLASH_CR_LOCK BIT(31)
#define FLASH_ECCR (FLASH + 0x18)
#define FLASH_ECCR_ECCD BIT(31)
#define FLASH_OPTR (FLASH + 0x20)
#define FLASH_OPTR_BOR UINT32_C(0x700)
#define FLASH_OPTR_BOR_2V0 UINT32_C(0x100) /* BOR level 1, "around 2.0 V" */
#define FLASH_OPTR_NRST_STOP BIT(12)       /* 0: going into Stop is a reset */
#define FLASH_OPTR_NRST_SHDW BIT(14)       /* 0: so is Shutdown */
#define FLASH_OPTR_IWDG_STOP BIT(17)       /* 1: the watchdog goes on in Stop */

/* Serial ports ("USART registers", "LPUART registers") */
#define USART1 UINT32_C(0x40013800)
#define USART2 UINT32_C(0x40004400)
#define LPUART1 UINT32_C(0x40008000)
#define USART_CR1 0x00
#define USART_CR1_UE BIT(0)
#define USART_CR1_RE BIT(2)
#define USART_CR1_TE BIT(3)
#define USART_CR1_RXNEIE BIT(5)
#define USART_BRR 0x0C
#define USART_ISR 0x1C
#define USART_ISR_FE BIT(1)
#define USART_ISR_NF BIT(2)
#define USART_ISR_ORE BIT(3)
#define USART_ISR_RXNE BIT(5)
#define USART_ISR_TC BIT(6)
#define USART_ISR_TXE BIT(7)
#define USART_ICR 0x20
#define USART_RDR 0x24
#define USART_TDR 0x28

/* General-purpose ports ("GPIO registers") */
#define GPIO(port) (UINT32_C(0x48000000) + 0x400 * (uint32_t)(port))
enum { PORT_A, PORT_B, PORT_C, PORT_D };

/* Debug ("DBGMCU registers") */
#define DBGMCU_CR UINT32_C(0xE0042004)
#define DBGMCU_CR_STOP BIT(1)

/* "Vector table for STM32L4x5/L4x6" */
enum {
    IRQ_RTC_WKUP = 3,
    IRQ_DMA1_CH5 = 15,
    IRQ_I2C2_EV = 33,
    IRQ_I2C2_ER = 34,
    IRQ_USART1 = 37,
    IRQ_USART2 = 38,
    IRQ_LPUART1 = 70
};

#endif
