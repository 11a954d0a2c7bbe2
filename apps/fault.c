/* SPDX-License-Identifier: BSD-3-Clause */
#include "apps/fault.h"

#include <signal.h>

/* A signal handler has no argument of its own. */
static struct weir_iommu *guarded;

static void on_bus(int sig, siginfo_t *info, void *context)
{
	struct weir_iommu *iommu = __atomic_load_n(&guarded, __ATOMIC_ACQUIRE);
	int err = errno;

	(void)context;
	/* Sent by somebody, or not in a BAR: the access is done again, without a handler this time. */
	if (info->si_code <= 0 || !iommu || !weir_iommu_bus_fault(iommu, info->si_addr))
		signal(sig, SIG_DFL);
	if (info->si_code <= 0)
		raise(sig);
	errno = err;
}

void fault_catch(struct weir_iommu *iommu)
{
	struct sigaction sa = { .sa_sigaction = on_bus, .sa_flags = SA_SIGINFO };

	__atomic_store_n(&guarded, iommu, __ATOMIC_RELEASE);
	sigaction(SIGBUS, &sa, NULL);
}

void fault_release(void)
{
	signal(SIGBUS, SIG_DFL);
	__atomic_store_n(&guarded, NULL, __ATOMIC_RELEASE);
}
