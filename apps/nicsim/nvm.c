/* SPDX-License-Identifier: BSD-3-Clause */
/* The EEPROM: what drivers read from it, and a checksum that is right. 82599 datasheet 6. */
#include "apps/nicsim/nic.h"

#define NVM_SUM	      0xBABAu
#define NVM_CHECKSUM  0x3F
#define NVM_PTR_FIRST 0x03
#define NVM_PTR_LAST  0x0E
#define NVM_FW_PTR    0x0F
#define NVM_FW	      0x100 /* where the firmware module is */
#define NVM_FW_PATCH  0x120
#define NVM_SFP	      0x2B
#define NVM_SFP_LIST  0x140

/* Words 0 to 0x3E and the modules that the pointers name add up to 0xBABA with the checksum. */
static uint16_t nvm_sum(const uint16_t *w)
{
	uint16_t sum = 0;

	for (unsigned i = 0; i < NVM_CHECKSUM; i++)
		sum = (uint16_t)(sum + w[i]);
	for (unsigned i = NVM_PTR_FIRST; i <= NVM_PTR_LAST; i++) {
		unsigned at = w[i];

		if (at == 0 || at >= NIC_EEPROM)
			continue;
		for (unsigned k = 1; k <= w[at] && at + k < NIC_EEPROM; k++)
			sum = (uint16_t)(sum + w[at + k]);
	}
	return (uint16_t)(NVM_SUM - sum);
}

void nvm_fill(struct nic *n)
{
	uint16_t *w = n->eeprom;

	memset(w, 0xFF, sizeof(n->eeprom));
	w[0] = 0x0008; /* 6.3.1.2: valid, protected */
	for (unsigned i = 0; i < 3; i++)
		w[0x40 + i] = (uint16_t)(n->mac[2 * i] | n->mac[2 * i + 1] << 8);
	w[0x15] = 0x4E49; /* part number, old style: two words */
	w[0x16] = 0x4353;
	w[0x18] = 0x0001;
	w[0x2C] = 0; /* device capabilities */
	w[0x2D] = 0;
	w[0x2E] = 1;
	w[0x29] = 0x0001;
	/* Drivers of fibre ports refuse firmware before version 6. */
	w[NVM_FW_PTR] = NVM_FW;
	w[NVM_FW + 4] = NVM_FW_PATCH;
	w[NVM_FW_PATCH + 7] = 6;
	/* How to initialise each sort of SFP: list of sort and data; empty data. */
	w[NVM_SFP] = NVM_SFP_LIST;
	for (unsigned i = 0; i < 16; i++) {
		w[NVM_SFP_LIST + 1 + 2 * i] = (uint16_t)i;
		w[NVM_SFP_LIST + 2 + 2 * i] = NVM_SFP_LIST + 64;
	}
	w[NVM_CHECKSUM] = nvm_sum(w);
	if (n->fault == FAULT_EEPROM_SUM)
		w[NVM_CHECKSUM] ^= 1;
}

/* 8.2.3.2.2: address in bits 15:2, the word comes back in the upper half. */
uint32_t nvm_eerd(struct nic *n, uint32_t v)
{
	unsigned at = v >> 2 & 0x3FFF;

	if (!(v & EERD_START))
		return v & ~EERD_DONE;
	return (uint32_t)(at < NIC_EEPROM ? n->eeprom[at] : 0xFFFF) << 16 | (v & 0xFFFC) |
	       EERD_DONE;
}
