/* SPDX-License-Identifier: BSD-3-Clause */
/* Which functions move packets: rows, best first, each with what it needs of the processor. */
#include "nics/virtio/virtio.h"

static bool cpu_any(void)
{
	return true;
}

#ifdef __x86_64__
static bool cpu_avx2(void)
{
	return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") &&
	       __builtin_cpu_supports("bmi2");
}

static bool cpu_avx512(void)
{
	return cpu_avx2() && __builtin_cpu_supports("avx512f") &&
	       __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
	       __builtin_cpu_supports("avx512vl");
}
#endif

const struct virtio_path virtio_paths[] = {
#ifdef __x86_64__
	{
		.name = "avx512",
		.usable = cpu_avx512,
		.rx = { virtio_rx_split_avx512, virtio_rx_packed_avx512 },
		.tx = { virtio_tx_split_avx512, virtio_tx_packed_avx512 },
		.reap = { virtio_reap_split_avx512, virtio_reap_packed_avx512 },
		.rx_full = { virtio_rx_split_full, virtio_rx_packed_full },
	},
	{
		.name = "avx2",
		.usable = cpu_avx2,
		.rx = { virtio_rx_split_avx2, virtio_rx_packed_avx2 },
		.tx = { virtio_tx_split_avx2, virtio_tx_packed_avx2 },
		.reap = { virtio_reap_split_avx2, virtio_reap_packed_avx2 },
		.rx_full = { virtio_rx_split_full, virtio_rx_packed_full },
	},
#endif
	{
		.name = "scalar",
		.usable = cpu_any,
		.rx = { virtio_rx_split, virtio_rx_packed },
		.tx = { virtio_tx_split, virtio_tx_packed },
		.reap = { virtio_reap_split, virtio_reap_packed },
		.rx_full = { virtio_rx_split_full, virtio_rx_packed_full },
	},
	{ 0 },
};

static const struct virtio_path phys_path = {
	.name = "phys",
	.usable = cpu_any,
	.rx = { virtio_rx_split_phys, virtio_rx_packed_phys },
	.tx = { virtio_tx_split_phys, virtio_tx_packed_phys },
	.reap = { virtio_reap_split, virtio_reap_packed },
	.rx_full = { virtio_rx_split_full_phys, virtio_rx_packed_full_phys },
};

const struct virtio_path *virtio_best_path(const struct weir_dma *dma)
{
	const struct virtio_path *p = virtio_paths;

	if (dma->pages)
		return &phys_path;
	while (!p->usable())
		p++;
	return p;
}
