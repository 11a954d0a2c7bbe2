/* SPDX-License-Identifier: BSD-3-Clause */
#include "pci/pci.h"

#include <stdio.h>

/* One hexadecimal field of @min to @max digits, ended by @end. Return: false if it is not that. */
static bool field(const char **s, unsigned min, unsigned max, char end, uint32_t *v)
{
	unsigned n = 0;

	*v = 0;
	for (; n <= max; n++, (*s)++) {
		char c = **s;

		if (c >= '0' && c <= '9')
			*v = *v << 4 | (uint32_t)(c - '0');
		else if ((c | 32) >= 'a' && (c | 32) <= 'f')
			*v = *v << 4 | (uint32_t)((c | 32) - 'a' + 10);
		else
			break;
	}
	if (n < min || n > max || **s != end)
		return false;
	if (end)
		(*s)++;
	return true;
}

int weir_bdf_parse(const char *s, struct weir_bdf *bdf)
{
	uint32_t domain = 0, bus, dev, fn;
	const char *first = strchr(s, ':');

	if (!first)
		return -EINVAL;
	if (strchr(first + 1, ':') && !field(&s, 4, 8, ':', &domain))
		return -EINVAL;
	if (!field(&s, 2, 2, ':', &bus) || !field(&s, 2, 2, '.', &dev) ||
	    !field(&s, 1, 1, '\0', &fn))
		return -EINVAL;
	if (dev > 31 || fn > 7)
		return -EINVAL;
	*bdf = (struct weir_bdf){ domain, (uint8_t)bus, (uint8_t)dev, (uint8_t)fn };
	return 0;
}

void weir_bdf_format(struct weir_bdf b, char out[WEIR_BDF_LEN])
{
	snprintf(out, WEIR_BDF_LEN, "%04x:%02x:%02x.%x", b.domain, b.bus, b.dev & 31u, b.fn & 7u);
}
