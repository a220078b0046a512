/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A SQLite VFS that knows what a loss of power would leave: beside every file it keeps what was synced, and the writes
 * since then. A crash image is what was synced plus any subset of the writes after it, in pieces of 512 bytes, as disks
 * do. The files themselves are the system's. It can also pretend that the disk is full. One thread, one database.
 */
#ifndef TESTS_UNIT_DB_CRASH_VFS_H
#define TESTS_UNIT_DB_CRASH_VFS_H

#include <fcntl.h>
#include <sqlite3.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/rand.h"
#include "base/vec.h"

#define CRASH_FILES 4
#define CRASH_SECTOR 512
#define CRASH_MAX_BYTES (64 << 20)

struct crash_write {
	int64_t offset; /* or, without data, the new length */
	size_t len;
	char *data;
};

/* One path; it lives on when the file is closed. */
struct crash_path {
	char name[200];
	char *synced;
	size_t synced_len;
	VEC(struct crash_write) pending;
};

static struct {
	sqlite3_vfs vfs;
	sqlite3_vfs *real;
	struct crash_path paths[CRASH_FILES];
	size_t n_paths;
	int64_t room;               /* bytes that may still be written; -1 = as many as wanted */
	void (*written)(void *arg); /* after each write and before each sync */
	void *arg;
} crash = { .room = -1 };

struct crash_file {
	sqlite3_file base;
	struct crash_path *path; /* NULL: not looked at */
	sqlite3_file *real;      /* behind this struct */
};

static inline struct crash_file *crash_file_of(sqlite3_file *f)
{
	return (struct crash_file *)(void *)f;
}

static inline void crash_apply(char **bytes, size_t *len, const struct crash_write *w, size_t from, size_t n)
{
	size_t end = w->data ? (size_t)w->offset + from + n : (size_t)w->offset;

	if (!w->data) {
		if (end < *len)
			*len = end;
		return;
	}
	if (end > *len) {
		*bytes = xrealloc(*bytes, end);
		memset(*bytes + *len, 0, end - *len);
		*len = end;
	}
	memcpy(*bytes + w->offset + from, w->data + from, n);
}

/* ---- files ---- */

static int crash_close(sqlite3_file *f)
{
	return crash_file_of(f)->real->pMethods->xClose(crash_file_of(f)->real);
}

static int crash_read(sqlite3_file *f, void *out, int n, sqlite3_int64 at)
{
	return crash_file_of(f)->real->pMethods->xRead(crash_file_of(f)->real, out, n, at);
}

static int crash_write(sqlite3_file *f, const void *data, int n, sqlite3_int64 at)
{
	struct crash_file *c = crash_file_of(f);

	if (crash.room >= 0 && crash.room < n)
		return SQLITE_FULL;
	if (crash.room >= 0)
		crash.room -= n;
	if (c->path) {
		struct crash_write *w = vec_push(&c->path->pending, 1 << 20);

		w->offset = at;
		w->len = (size_t)n;
		w->data = xmalloc((size_t)n);
		memcpy(w->data, data, (size_t)n);
	}
	int code = c->real->pMethods->xWrite(c->real, data, n, at);
	if (crash.written)
		crash.written(crash.arg);
	return code;
}

static int crash_truncate(sqlite3_file *f, sqlite3_int64 size)
{
	struct crash_file *c = crash_file_of(f);

	if (c->path) {
		struct crash_write *w = vec_push(&c->path->pending, 1 << 20);

		w->offset = size;
	}
	return c->real->pMethods->xTruncate(c->real, size);
}

static int crash_sync(sqlite3_file *f, int flags)
{
	struct crash_file *c = crash_file_of(f);

	if (crash.written)
		crash.written(crash.arg);
	if (c->path) {
		for (size_t i = 0; i < c->path->pending.len; i++) {
			struct crash_write *w = &c->path->pending.ptr[i];

			crash_apply(&c->path->synced, &c->path->synced_len, w, 0, w->len);
			free(w->data);
		}
		c->path->pending.len = 0;
	}
	return c->real->pMethods->xSync(c->real, flags);
}

static int crash_size(sqlite3_file *f, sqlite3_int64 *size)
{
	return crash_file_of(f)->real->pMethods->xFileSize(crash_file_of(f)->real, size);
}

static int crash_lock(sqlite3_file *f, int level)
{
	return crash_file_of(f)->real->pMethods->xLock(crash_file_of(f)->real, level);
}

static int crash_unlock(sqlite3_file *f, int level)
{
	return crash_file_of(f)->real->pMethods->xUnlock(crash_file_of(f)->real, level);
}

static int crash_reserved(sqlite3_file *f, int *out)
{
	return crash_file_of(f)->real->pMethods->xCheckReservedLock(crash_file_of(f)->real, out);
}

static int crash_control(sqlite3_file *f, int op, void *arg)
{
	return crash_file_of(f)->real->pMethods->xFileControl(crash_file_of(f)->real, op, arg);
}

static int crash_sector(sqlite3_file *f)
{
	(void)f;
	return CRASH_SECTOR;
}

/* Nothing is promised: no atomic writes, no safe append. */
static int crash_characteristics(sqlite3_file *f)
{
	(void)f;
	return 0;
}

static int crash_shm_map(sqlite3_file *f, int page, int size, int extend, void volatile **out)
{
	return crash_file_of(f)->real->pMethods->xShmMap(crash_file_of(f)->real, page, size, extend, out);
}

static int crash_shm_lock(sqlite3_file *f, int at, int n, int flags)
{
	return crash_file_of(f)->real->pMethods->xShmLock(crash_file_of(f)->real, at, n, flags);
}

static void crash_shm_barrier(sqlite3_file *f)
{
	crash_file_of(f)->real->pMethods->xShmBarrier(crash_file_of(f)->real);
}

static int crash_shm_unmap(sqlite3_file *f, int remove)
{
	return crash_file_of(f)->real->pMethods->xShmUnmap(crash_file_of(f)->real, remove);
}

static const sqlite3_io_methods crash_methods = {
	.iVersion = 2, /* no memory-mapped files: they would be written behind our back */
	.xClose = crash_close,
	.xRead = crash_read,
	.xWrite = crash_write,
	.xTruncate = crash_truncate,
	.xSync = crash_sync,
	.xFileSize = crash_size,
	.xLock = crash_lock,
	.xUnlock = crash_unlock,
	.xCheckReservedLock = crash_reserved,
	.xFileControl = crash_control,
	.xSectorSize = crash_sector,
	.xDeviceCharacteristics = crash_characteristics,
	.xShmMap = crash_shm_map,
	.xShmLock = crash_shm_lock,
	.xShmBarrier = crash_shm_barrier,
	.xShmUnmap = crash_shm_unmap,
};

static int crash_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *f, int flags, int *out)
{
	struct crash_file *c = crash_file_of(f);

	(void)vfs;
	memset(c, 0, sizeof(*c));
	c->real = (sqlite3_file *)(void *)(c + 1);
	int code = crash.real->xOpen(crash.real, name, c->real, flags, out);
	if (code != SQLITE_OK)
		return code;
	c->base.pMethods = &crash_methods;
	if (!name || !(flags & (SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_WAL)))
		return SQLITE_OK;
	for (size_t i = 0; i < crash.n_paths; i++)
		if (strcmp(crash.paths[i].name, name) == 0)
			c->path = &crash.paths[i];
	if (!c->path && crash.n_paths < CRASH_FILES) {
		c->path = &crash.paths[crash.n_paths++];
		(void)str_copy(c->path->name, sizeof(c->path->name), str_from(name));
	}
	return SQLITE_OK;
}

/* ---- for the tests ---- */

/* Databases that are opened from now on go through it. */
static inline void crash_install(void)
{
	crash.real = sqlite3_vfs_find(NULL);
	crash.vfs = *crash.real;
	crash.vfs.zName = "crash";
	crash.vfs.szOsFile = (int)sizeof(struct crash_file) + crash.real->szOsFile;
	crash.vfs.xOpen = crash_open;
	(void)sqlite3_vfs_register(&crash.vfs, 1);
}

static inline void crash_remove(void)
{
	(void)sqlite3_vfs_unregister(&crash.vfs);
	for (size_t i = 0; i < crash.n_paths; i++) {
		for (size_t k = 0; k < crash.paths[i].pending.len; k++)
			free(crash.paths[i].pending.ptr[k].data);
		vec_release(&crash.paths[i].pending);
		free(crash.paths[i].synced);
	}
	memset(crash.paths, 0, sizeof(crash.paths));
	crash.n_paths = 0;
	crash.room = -1;
	crash.written = NULL;
}

/* Writes what a crash now might leave into files of the same names in another folder; `keep` in 0 .. 1000: how probable
 * it is that a piece which was not synced is there all the same. */
static inline void crash_image(const char *dir, uint64_t *seed, unsigned keep)
{
	for (size_t i = 0; i < crash.n_paths; i++) {
		const struct crash_path *p = &crash.paths[i];
		_cleanup_free_ char *bytes = xmalloc(p->synced_len + 1);
		_cleanup_free_ char *path = xasprintf("%s/%s", dir, strrchr(p->name, '/') + 1);
		size_t len = p->synced_len;

		memcpy(bytes, p->synced ? p->synced : "", len);
		for (size_t k = 0; k < p->pending.len; k++) {
			const struct crash_write *w = &p->pending.ptr[k];

			for (size_t from = 0; from < MAX(w->len, 1); from += CRASH_SECTOR)
				if (rand_next(seed) % 1000 < keep)
					crash_apply(&bytes, &len, w, from, MIN(w->len - from, CRASH_SECTOR));
		}
		_cleanup_file_ FILE *out = fopen(path, "w");
		if (!out || fwrite(bytes, 1, len, out) != len)
			abort();
	}
}

#endif
