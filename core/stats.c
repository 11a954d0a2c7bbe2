/* SPDX-License-Identifier: BSD-3-Clause */
#include "core/stats.h"

const char *weir_drop_name(enum weir_drop reason)
{
	static const char *const names[WEIR_DROP_MAX] = {
		[WEIR_DROP_NO_BUF] = "no_buf",	       [WEIR_DROP_DEV_ERR] = "dev_err",
		[WEIR_DROP_BAD_LEN] = "bad_len",       [WEIR_DROP_BAD_ID] = "bad_id",
		[WEIR_DROP_TOO_MANY] = "too_many",     [WEIR_DROP_TX_FULL] = "tx_full",
		[WEIR_DROP_TX_INVALID] = "tx_invalid",
	};

	return (unsigned)reason < WEIR_DROP_MAX ? names[reason] : "?";
}

void weir_qstats_read(const struct weir_qstats *s, struct weir_qstats *out)
{
	const uint64_t *from = &s->packets;
	uint64_t *to = &out->packets;
	const size_t n = (offsetof(struct weir_qstats, drops) + sizeof(s->drops)) / sizeof(*to);

	for (size_t i = 0; i < n; i++)
		to[i] = __atomic_load_n(&from[i], __ATOMIC_RELAXED);
}
