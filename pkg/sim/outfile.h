/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An output file that is there whole or not at all: written beside its place under another name, synced and renamed by
 * outfile_commit(). What is not committed is removed. A path that is a pipe or a device is written to as it is.
 * Buffered; one thread at a time.
 *
 *	_cleanup_(outfile_discard) struct outfile out = OUTFILE_INIT;
 *	if (outfile_open(&out, path, err))
 *		return -1;
 *	fprintf(out.file, ...);                        (errors are sticky, and found by the commit)
 *	return outfile_commit(&out, err);
 */
#ifndef SIM_OUTFILE_H
#define SIM_OUTFILE_H

#include "base/error.h"

struct outfile {
	FILE *file; /* NULL before opening and after commit or discard */
	char *path;
	char *temporary; /* NULL when written in place */
};

#define OUTFILE_INIT         \
	{                    \
		.file = NULL \
	}

int outfile_open(struct outfile *o, const char *path, struct error *err) must_check;
int outfile_commit(struct outfile *o, struct error *err) must_check;
/* Nothing happens after a commit. */
void outfile_discard(struct outfile *o);

#endif
