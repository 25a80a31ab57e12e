/* Registers of the real-time clock, the same in L4 (RM0351) and F4 (RM0090): a part of l4.h and f4.h. */
#ifndef STETHOS_RTC_REGISTERS_H
#define STETHOS_RTC_REGISTERS_H

#define RTC UINT32_C(0x40002800)
#define RTC_TR (RTC + 0x00)
#define RTC_DR (RTC + 0x04)
#define RTC_CR (RTC + 0x08)
#define RTC_CR_WUCKSEL UINT32_C(0x7)
#define RTC_CR_WUCKSEL_16 UINT32_C(0)
#define RTC_CR_WUCKSEL_1HZ UINT32_C(4)
#define RTC_CR_BYPSHAD BIT(5)
#define RTC_CR_WUTE BIT(10)
#define RTC_CR_WUTIE BIT(14)
#define RTC_ISR (RTC + 0x0C)
#define RTC_ISR_WUTWF BIT(2)
#define RTC_ISR_SHPF BIT(3)
#define RTC_ISR_INITS BIT(4)
#define RTC_ISR_INITF BIT(6)
#define RTC_ISR_INIT BIT(7)
#define RTC_ISR_ALRAF BIT(8)
#define RTC_ISR_ALRBF BIT(9)
#define RTC_ISR_WUTF BIT(10)
#define RTC_ISR_TSF BIT(11)
#define RTC_ISR_TAMPF (BIT(13) | BIT(14) | BIT(15))
#define RTC_PRER (RTC + 0x10)
#define RTC_WUTR (RTC + 0x14)
#define RTC_WPR (RTC + 0x24)
#define RTC_SSR (RTC + 0x28)
#define RTC_BKPR (RTC + 0x50) /* 32 words */

#endif
