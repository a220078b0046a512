/* SPDX-License-Identifier: Apache-2.0 */
/* Output files that appear whole or not at all. */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "sim/outfile.h"

#define BUFFER ((size_t)64 * 1024) /* a write for each, not for each 4 KiB */

int outfile_open(struct outfile *o, const char *path, struct error *err)
{
	struct stat there, link;
	/* A pipe or a device is written to as it is; renaming over it would replace it. */
	bool direct = stat(path, &there) == 0 && !S_ISREG(there.st_mode);
	bool through_link = !direct && lstat(path, &link) == 0 && S_ISLNK(link.st_mode);
	char *temporary = direct ? NULL : xasprintf("%s.%ld.tmp", path, (long)getpid());
	int fd;
	FILE *file;

	/* Renaming would replace the link itself: /dev/stdout, redirected to a file, is one. */
	if (through_link) {
		free(temporary);
		return error_set(err, ERR_INVALID, "%s is a symbolic link; name the file itself", path);
	}
	/* O_EXCL: a link that somebody planted under that name is not followed. */
	fd = open(direct ? path : temporary, O_WRONLY | O_CLOEXEC | (direct ? 0 : O_CREAT | O_EXCL), 0666);
	file = fd < 0 ? NULL : fdopen(fd, "w");
	if (!file) {
		int errnum = errno;

		if (fd >= 0)
			(void)close(fd);
		free(temporary);
		return error_errno(err, ERR_INTERNAL, errnum, "cannot write %s", path);
	}
	(void)setvbuf(file, NULL, _IOFBF, BUFFER);
	*o = (struct outfile){ .file = file, .path = xstrdup(path), .temporary = temporary };
	return 0;
}

/* True, with errno, when anything failed since the opening. A full disk may be noticed by the close only. */
static bool finish(struct outfile *o)
{
	bool bad = ferror(o->file) || fflush(o->file) || (o->temporary && fsync(fileno(o->file)));
	int errnum = errno;

	if (fclose(o->file) && !bad)
		bad = true;
	else
		errno = errnum;
	o->file = NULL;
	return bad || (o->temporary && rename(o->temporary, o->path));
}

int outfile_commit(struct outfile *o, struct error *err)
{
	int failed = finish(o) ? error_errno(err, ERR_INTERNAL, errno, "cannot write %s", o->path) : 0;

	if (!failed && o->temporary)
		o->temporary[0] = 0;
	outfile_discard(o);
	return failed;
}

void outfile_discard(struct outfile *o)
{
	if (o->file)
		(void)fclose(o->file);
	if (o->temporary && o->temporary[0])
		(void)unlink(o->temporary);
	free(o->temporary);
	free(o->path);
	*o = (struct outfile)OUTFILE_INIT;
}
