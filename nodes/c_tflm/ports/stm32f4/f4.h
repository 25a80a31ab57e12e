/* Registers of the STM32F405 and F407 (RM0090): addresses and the bits that this port uses, under the manual's names.
 */
#ifndef STETHOS_F4_H
#define STETHOS_F4_H

#include <stdint.h>

#define BIT(n) (UINT32_C(1) << (n))

#include "rtc_registers.h"

/* "RCC registers" */
#define RCC UINT32_C(0x40023800)
#define RCC_CR (RCC + 0x00)
#define RCC_CR_HSION BIT(0)
#define RCC_CR_HSIRDY BIT(1)
#define RCC_CR_PLLON BIT(24)
#define RCC_CR_PLLRDY BIT(25)
#define RCC_PLLCFGR (RCC + 0x04)
#define RCC_PLLCFGR_HSI_168M (UINT32_C(8) | 168 << 6 | 7 << 24) /* HSI, M 8, N 168, P 2, Q 7 */
#define RCC_CFGR (RCC + 0x08)
#define RCC_CFGR_SW UINT32_C(0x3)
#define RCC_CFGR_SWS UINT32_C(0xC)
#define RCC_CFGR_HSI UINT32_C(0)
#define RCC_CFGR_PLL UINT32_C(2)
#define RCC_CFGR_PPRE UINT32_C(0xFC00)
#define RCC_CFGR_PPRE_4_2 (UINT32_C(5) << 10 | UINT32_C(4) << 13)
#define RCC_AHB1ENR (RCC + 0x30)
#define RCC_AHB1ENR_DMA1EN BIT(21)
#define RCC_APB1ENR (RCC + 0x40)
#define RCC_APB1ENR_USART2EN BIT(17)
#define RCC_APB1ENR_I2C1EN BIT(21)
#define RCC_APB1ENR_PWREN BIT(28)
#define RCC_APB2ENR (RCC + 0x44)
#define RCC_APB2ENR_USART1EN BIT(4)
#define RCC_APB2ENR_ADC1EN BIT(8)
#define RCC_BDCR (RCC + 0x70)
#define RCC_BDCR_LSEON BIT(0)
#define RCC_BDCR_LSERDY BIT(1)
#define RCC_BDCR_RTCSEL UINT32_C(0x300)
#define RCC_BDCR_RTCSEL_LSE UINT32_C(0x100)
#define RCC_BDCR_RTCSEL_LSI UINT32_C(0x200)
#define RCC_BDCR_RTCEN BIT(15)
#define RCC_BDCR_BDRST BIT(16)
#define RCC_CSR (RCC + 0x74)
#define RCC_CSR_LSION BIT(0)
#define RCC_CSR_LSIRDY BIT(1)
#define RCC_CSR_RMVF BIT(24)
#define RCC_CSR_BORRSTF BIT(25)
#define RCC_CSR_PINRSTF BIT(26)
#define RCC_CSR_PORRSTF BIT(27)
#define RCC_CSR_SFTRSTF BIT(28)
#define RCC_CSR_IWDGRSTF BIT(29)
#define RCC_CSR_WWDGRSTF BIT(30)

/* "PWR registers" */
#define PWR UINT32_C(0x40007000)
#define PWR_CR (PWR + 0x00)
#define PWR_CR_LPDS BIT(0)
#define PWR_CR_PDDS BIT(1)
#define PWR_CR_CWUF BIT(2)
#define PWR_CR_CSBF BIT(3)
#define PWR_CR_DBP BIT(8)

/* "EXTI registers", under the names that a chip with more than 32 lines gives them */
#define EXTI UINT32_C(0x40013C00)
#define EXTI_IMR1 (EXTI + 0x00)
#define EXTI_RTSR1 (EXTI + 0x08)
#define EXTI_PR1 (EXTI + 0x14)
#define EXTI_WUT BIT(22)

/* "IWDG registers" */
#define IWDG UINT32_C(0x40003000)
#define IWDG_KR (IWDG + 0x00)
#define IWDG_PR (IWDG + 0x04)
#define IWDG_RLR (IWDG + 0x08)
#define IWDG_SR (IWDG + 0x0C)

/* "Flash interface registers" */
#define FLASH UINT32_C(0x40023C00)
#define FLASH_ACR (FLASH + 0x00)
#define FLASH_ACR_LATENCY UINT32_C(0x7)
#define FLASH_ACR_DCEN BIT(10)
#define FLASH_ACR_DCRST BIT(12)
#define FLASH_KEYR (FLASH + 0x04)
#define FLASH_KEY1 UINT32_C(0x45670123)
#define FLASH_KEY2 UINT32_C(0xCDEF89AB)
#define FLASH_SR (FLASH + 0x0C)
#define FLASH_SR_ERRORS UINT32_C(0xF2)
#define FLASH_SR_BSY BIT(16)
#define FLASH_CR (FLASH + 0x10)
#define FLASH_CR_PG BIT(0)
#define FLASH_CR_SER BIT(1)
#define FLASH_CR_SNB(sector) ((uint32_t)(sector) << 3)
#define FLASH_CR_PSIZE_32 (UINT32_C(2) << 8)
#define FLASH_CR_STRT BIT(16)
#define FLASH_CR_LOCK BIT(31)

/* "USART registers" */
#define USART1 UINT32_C(0x40011000)
#define USART2 UINT32_C(0x40004400)
#define USART_SR 0x00
#define USART_SR_FE BIT(1)
#define USART_SR_NF BIT(2)
#define USART_SR_ORE BIT(3)
#define USART_SR_RXNE BIT(5)
#define USART_SR_TC BIT(6)
#define USART_SR_TXE BIT(7)
#define USART_DR 0x04
#define USART_BRR 0x08
#define USART_CR1 0x0C
#define USART_CR1_RE BIT(2)
#define USART_CR1_TE BIT(3)
#define USART_CR1_RXNEIE BIT(5)
#define USART_CR1_UE BIT(13)

/* "I2C registers" */
#define I2C1 UINT32_C(0x40005400)
#define I2C_CR1 0x00
#define I2C_CR1_PE BIT(0)
#define I2C_CR1_START BIT(8)
#define I2C_CR1_STOP BIT(9)
#define I2C_CR1_ACK BIT(10)
#define I2C_CR1_SWRST BIT(15)
#define I2C_CR2 0x04
#define I2C_CR2_ITERREN BIT(8)
#define I2C_CR2_DMAEN BIT(11)
#define I2C_CR2_LAST BIT(12)
#define I2C_DR 0x10
#define I2C_SR1 0x14
#define I2C_SR1_SB BIT(0)
#define I2C_SR1_ADDR BIT(1)
#define I2C_SR1_BTF BIT(2)
#define I2C_SR1_RXNE BIT(6)
#define I2C_SR1_ERRORS UINT32_C(0xF00) /* BERR, ARLO, AF, OVR */
#define I2C_SR2 0x18
#define I2C_SR2_BUSY BIT(1)
#define I2C_CCR 0x1C
#define I2C_TRISE 0x20

/* "DMA registers": stream 0 of DMA1, whose channel 1 is I2C1_RX */
#define DMA1 UINT32_C(0x40026000)
#define DMA_LISR (DMA1 + 0x00)
#define DMA_LIFCR (DMA1 + 0x08)
#define DMA_STREAM0 UINT32_C(0x3D)
#define DMA_STREAM0_TE BIT(3)
#define DMA_STREAM0_TC BIT(5)
#define DMA_S0CR (DMA1 + 0x10)
#define DMA_S0NDTR (DMA1 + 0x14)
#define DMA_S0PAR (DMA1 + 0x18)
#define DMA_S0M0AR (DMA1 + 0x1C)
#define DMA_SCR_EN BIT(0)
#define DMA_SCR_TEIE BIT(2)
#define DMA_SCR_TCIE BIT(4)
#define DMA_SCR_MINC BIT(10)

/* "GPIO registers" */
#define GPIO(port) (UINT32_C(0x40020000) + 0x400 * (uint32_t)(port))
enum { PORT_A, PORT_B, PORT_C };

/* "Vector table for STM32F405xx/07xx and STM32F415xx/17xx" */
enum { IRQ_RTC_WKUP = 3, IRQ_DMA1_STREAM0 = 11, IRQ_I2C1_ER = 32, IRQ_USART1 = 37, IRQ_USART2 = 38 };

#endif
