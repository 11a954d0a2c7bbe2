/* SPDX-License-Identifier: BSD-3-Clause */
/* The drivers, in one explicit table. A new driver is a folder and a line here. */
#include "nics/nics.h"

extern const struct weir_driver weir_igb_driver;
extern const struct weir_driver weir_ixgbe_driver;
extern const struct weir_driver weir_virtio_driver;
extern const struct weir_driver weir_vhost_user_driver;
extern const struct weir_driver weir_vhost_driver;
extern const struct weir_driver weir_vdpa_driver;
extern const struct weir_driver weir_tap_driver;
extern const struct weir_driver weir_null_driver;
extern const struct weir_driver weir_pcap_driver;

const struct weir_driver *const weir_drivers[] = {
	&weir_igb_driver,    &weir_ixgbe_driver,
	&weir_virtio_driver, &weir_vhost_user_driver,
	&weir_vhost_driver,  &weir_vdpa_driver,
	&weir_tap_driver,    &weir_null_driver,
	&weir_pcap_driver,   NULL,
};
