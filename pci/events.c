/* SPDX-License-Identifier: BSD-3-Clause */
/* What is wanted of an open device, and what befell it: the request and the error interrupt. */
#include "pci/dev.h"

#include <sys/eventfd.h>
#include <unistd.h>

/* Index in weir_pci.events, event, interrupt. */
static const struct {
	enum weir_pci_event event;
	enum weir_irq_index irq;
} kinds[WEIR_PCI_EVENTS] = {
	{ WEIR_PCI_EVENT_REQUEST, WEIR_IRQ_REQ },
	{ WEIR_PCI_EVENT_ERROR, WEIR_IRQ_ERR },
};

/* Return: 1 if it is watched, 0 if the device has no such interrupt, negative errno. */
static int watch(struct weir_pci *d, unsigned i)
{
	int fd, err;

	if (d->events[i] >= 0)
		return 1;
	/* A conventional PCI device has no error interrupt, and the kernel says so with EINVAL. */
	if (weir_iodev_irq_count(d->io, kinds[i].irq) < 1)
		return 0;
	fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (fd < 0)
		return weir_fail(d->w, errno, "eventfd", "%s: no eventfd for its requests: %s",
				 d->name, weir_strerror(errno));
	err = weir_iodev_irq_set(d->io, kinds[i].irq, 1, &fd);
	if (err) {
		close(fd);
		weir_info(d->w, "%s: %s are not told: %s", d->name,
			  i ? "bus errors" : "requests to give it back", weir_strerror(err));
		return 0;
	}
	d->events[i] = fd;
	return 1;
}

int weir_pci_watch(struct weir_pci *d)
{
	int got = 0;

	for (unsigned i = 0; i < WEIR_PCI_EVENTS; i++) {
		int r = watch(d, i);

		if (r < 0)
			return r;
		if (r)
			got |= (int)kinds[i].event;
	}
	return got;
}

int weir_pci_event_fd(struct weir_pci *d, enum weir_pci_event event)
{
	for (unsigned i = 0; i < WEIR_PCI_EVENTS; i++)
		if (kinds[i].event == event && d->events[i] >= 0)
			return d->events[i];
	return -EINVAL;
}

unsigned weir_pci_events(struct weir_pci *d)
{
	unsigned got = 0;

	for (unsigned i = 0; i < WEIR_PCI_EVENTS; i++)
		if (d->events[i] >= 0 && weir_eventfd_drain(d->events[i]))
			got |= kinds[i].event;
	if (weir_pci_bar_faulted(d))
		got |= WEIR_PCI_EVENT_FAULT;
	return got;
}

void weir_pci_unwatch(struct weir_pci *d)
{
	for (unsigned i = 0; i < WEIR_PCI_EVENTS; i++) {
		if (d->events[i] < 0)
			continue;
		weir_iodev_irq_set(d->io, kinds[i].irq, 0, NULL);
		close(d->events[i]);
		d->events[i] = -1;
	}
}
