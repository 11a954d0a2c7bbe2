/* SPDX-License-Identifier: BSD-3-Clause */
#include "apps/iopages.h"
#include "core/file.h"

#include <stdio.h>

uint64_t iopage_bytes(enum iopage p)
{
	static const uint64_t bytes[IOPAGE_SIZES] = {
		[IOPAGE_4K] = 4096,
		[IOPAGE_2M] = 2ull << 20,
		[IOPAGE_1G] = 1ull << 30,
	};

	return bytes[p];
}

/*
 * A line of domain_translation_struct: "0x<page frame> |" and the entries of the levels 5, 4, 3 and,
 * unless the last was a leaf, 2 and 1. Return: the leaf's size, or IOPAGE_SIZES for another line.
 */
static enum iopage parse(const char *line, uint64_t *iova)
{
	static const enum iopage leaf[] = { [3] = IOPAGE_1G, [4] = IOPAGE_2M, [5] = IOPAGE_4K };
	const char *s = strchr(line, '|');
	unsigned long long pfn;
	unsigned levels = 0;

	if (!s || sscanf(line, "0x%llx |", &pfn) != 1)
		return IOPAGE_SIZES;
	*iova = (uint64_t)pfn << 12;
	for (s = strstr(s, "0x"); s; s = strstr(s + 2, "0x"))
		levels++;
	return levels >= 3 && levels <= 5 ? leaf[levels] : IOPAGE_SIZES;
}

int iopages_read(struct weir *w, const char *dev, uint32_t pasid, uint64_t iova, uint64_t len,
		 struct iopages *out)
{
	char path[PATH_MAX], line[256], sub[16] = "";
	uint64_t at = 0;
	FILE *f;

	memset(out, 0, sizeof(*out));
	if (pasid)
		snprintf(sub, sizeof(sub), "/%x", pasid);
	weir_path(path, "%s/kernel/debug/iommu/intel/%s%s/domain_translation_struct", weir_sysfs(w),
		  dev, sub);
	f = fopen(path, "re");
	if (!f)
		return -errno;
	while (fgets(line, sizeof(line), f)) {
		enum iopage p = parse(line, &at);

		if (p < IOPAGE_SIZES && at < iova + len && at + iopage_bytes(p) > iova)
			out->n[p]++;
	}
	fclose(f);
	return 0;
}

char *iopages_size(uint64_t bytes, char *out, size_t size)
{
	static const char *const unit[] = { "B", "KiB", "MiB", "GiB", "TiB" };
	unsigned u = 0;

	while (bytes && !(bytes & 1023) && u < WEIR_ARRAY_SIZE(unit) - 1) {
		bytes >>= 10;
		u++;
	}
	snprintf(out, size, "%llu %s", (unsigned long long)bytes, unit[u]);
	return out;
}
