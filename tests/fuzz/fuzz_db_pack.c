/* SPDX-License-Identifier: Apache-2.0 */
/* Fuzz target: packed series from a damaged database. What unpacks packs again to the same values. */
#include "base/alloc.h"
#include "db/pack.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int32_t values[DB_PACK_MAX_VALUES], again[DB_PACK_MAX_VALUES];
	_cleanup_(buf_release) struct buf packed = BUF_INIT(DB_PACK_MAX_BYTES);
	struct error err = ERROR_INIT;

	/* The first two bytes say how many values there should be. */
	if (size < 2)
		return 0;
	size_t n = ((size_t)data[0] << 8 | data[1]) % (DB_PACK_MAX_VALUES + 2);
	if (db_unpack(str_of((const char *)data + 2, size - 2), values, n, &err))
		return 0;
	(void)db_pack(values, n, &packed);
	if (packed.overflow || db_unpack(buf_str(&packed), again, n, &err) ||
	    memcmp(values, again, n * sizeof(values[0])) != 0)
		abort();
	return 0;
}
