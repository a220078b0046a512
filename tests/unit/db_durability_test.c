/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What was reported committed is there after anything: power lost with unsynced writes, kill -9 in the middle of 10,000
 * upserts, a full disk. Nothing of a transaction that was not committed is.
 */
#include "db_fixture.h"

#include <signal.h>
#include <sys/wait.h>

#include "db_crash_vfs.h"

enum { BATCH = 100, BATCHES = 100 };

/* Batch b writes ids b*BATCH ..; each row says its batch, so that half of one shows. */
static int write_batch(struct db *db, int batch, struct error *err)
{
	static char text[64] = "0123456789012345678901234567890123456789012345678901234567890";
	struct db_value rows[BATCH][3];

	for (int i = 0; i < BATCH; i++) {
		rows[i][0] = DB_I64(batch * BATCH + i);
		rows[i][1] = DB_I64(batch);
		rows[i][2] = DB_CSTR(text);
	}
	return db_exec_many(db,
			    "INSERT INTO t (id, batch, text) VALUES (?, ?, ?) ON CONFLICT (id) DO UPDATE SET batch = "
			    "excluded.batch, text = excluded.text",
			    rows[0], 3, BATCH, NULL, err);
}

static void make_table(struct db *db)
{
	OK(db_script(
		db,
		"CREATE TABLE t (id INTEGER NOT NULL, batch INTEGER NOT NULL, text TEXT NOT NULL, PRIMARY KEY (id)) "
		"STRICT, WITHOUT ROWID",
		err));
}

/*
 * Whole batches only, and at least those that were reported; returns how many. In one query: the server may still be
 * at the last commit of somebody who was killed.
 */
static int64_t check_whole(struct db *db, int64_t reported)
{
	_cleanup_(db_rows_end) struct db_rows rows = { 0 };
	struct error error = ERROR_INIT;
	int64_t batches;

	OK(db_query(db, "SELECT count(*), count(DISTINCT batch), count(CASE WHEN id / 100 <> batch THEN 1 END) FROM t",
		    DB_NO_VALUES, &rows, err));
	assert_int_equal(db_next(&rows, &error), 1);
	batches = db_i64(&rows, 1);
	assert_int_equal(db_i64(&rows, 0), batches * BATCH);
	assert_int_equal(db_i64(&rows, 2), 0);
	assert_true(batches >= reported);
	return batches;
}

/* ---- loss of power ---- */

struct power {
	struct fixture *f;
	uint64_t seed;
	int64_t reported; /* batches whose commit came back */
	int images, opened;
	bool in_run;
};

/* Now and then the power fails: what is then on the disk is opened like any database. */
static void maybe_fail(void *arg)
{
	struct power *p = arg;
	struct db *db;

	if (!p->in_run || rand_next(&p->seed) % 25)
		return;
	_cleanup_free_ char *dir = xasprintf("%s/crash%d", p->f->dir, p->images++);
	_cleanup_free_ char *url = xasprintf("sqlite://%s/test.db", dir);
	assert_int_equal(mkdir(dir, 0700), 0);
	crash_image(dir, &p->seed, p->images % 3 == 0 ? 0 : p->images % 3 == 1 ? 500 : 1000);
	sqlite3_vfs *ours = sqlite3_vfs_find(NULL);
	(void)sqlite3_vfs_register(crash.real, 1); /* the image itself is an ordinary file */
	OK(db_open(url, &db, err));
	assert_int_equal(fixture_i64(db, "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check <> 'ok'"),
			 0);
	(void)check_whole(db, p->reported);
	db_close(db);
	(void)sqlite3_vfs_register(ours, 1);
	p->opened++;
}

static void power_is_lost(void **state)
{
	struct fixture *f = *state;
	struct power p = { .f = f, .seed = 5 };
	struct db *db;

	crash_install();
	_cleanup_free_ char *url = xasprintf("sqlite://%s/test.db", f->dir);
	db_close(f->db);
	_cleanup_free_ char *remove = xasprintf("rm -f %s/test.db*", f->dir);
	assert_int_equal(system(remove), 0);
	OK(db_open(url, &db, err));
	make_table(db);
	OK(db_script(db, "PRAGMA wal_autocheckpoint = 40", err)); /* so that there are checkpoints to fail in */
	crash.written = maybe_fail;
	crash.arg = &p;
	p.in_run = true;
	for (int b = 0; b < BATCHES; b++) {
		OK(write_batch(db, b, err));
		p.reported++;
	}
	p.in_run = false;
	assert_true(p.opened > 20);
	db_close(db);
	crash_remove();
	OK(db_open(f->url, &f->db, err));
}

/* The test must be able to fail: without syncing at each commit, what was reported gets lost. */
static void unsynced_commits_would_be_noticed(void **state)
{
	struct fixture *f = *state;
	uint64_t seed = 5;
	struct db *db, *image;

	crash_install();
	_cleanup_free_ char *dir = xasprintf("%s/crash", f->dir);
	_cleanup_free_ char *url = xasprintf("sqlite://%s/other.db", f->dir);
	_cleanup_free_ char *image_url = xasprintf("sqlite://%s/other.db", dir);
	OK(db_open(url, &db, err));
	make_table(db);
	OK(db_script(db, "PRAGMA synchronous = NORMAL", err));
	OK(write_batch(db, 0, err));
	assert_int_equal(mkdir(dir, 0700), 0);
	crash_image(dir, &seed, 0);
	db_close(db);
	crash_remove();
	OK(db_open(image_url, &image, err));
	assert_int_equal(fixture_i64(image, "SELECT count(*) FROM t"), 0);
	db_close(image);
}

/* ---- a full disk ---- */

static void the_disk_is_full(void **state)
{
	struct fixture *f = *state;
	struct error error = ERROR_INIT;
	int64_t written = 0;
	struct db *db;

	crash_install();
	_cleanup_free_ char *url = xasprintf("sqlite://%s/full.db", f->dir);
	OK(db_open(url, &db, err));
	make_table(db);
	/* It fills up at different places, and each time there is room again afterwards. */
	for (int b = 0; b < 60; b++) {
		error = (struct error)ERROR_INIT;
		crash.room = b % 2 ? -1 : b * 517;
		if (write_batch(db, b, &error) == 0)
			written++;
		else
			assert_true(error.code == ERR_LIMIT && strstr(error.msg, "make room"));
		crash.room = -1;
		assert_int_equal(check_whole(db, written), written);
	}
	assert_in_range(written, 30, 59);
	db_close(db);
	crash_remove();
	OK(db_open(url, &db, err));
	assert_int_equal(check_whole(db, written), written);
	db_close(db);
}

/* A table on a file system of 4 MB, half of which something else has. */
static void the_servers_disk_is_full(void **state)
{
	struct fixture *f = *state;
	const char *small = getenv("LOADSHIFT_TEST_POSTGRES_SMALL");
	struct error error = ERROR_INIT;
	static char ballast[2 << 20];
	int64_t written = 0;

	if (!fixture_on_postgres)
		return; /* the files' half has its own */
	if (!small || !small[0]) {
		print_message("not shown here: the server has no small disk to fill, since mounts are refused\n");
		return;
	}
	_cleanup_free_ char *other = xasprintf("%s/ballast", small);
	_cleanup_free_ char *sql = xasprintf("CREATE TABLESPACE small LOCATION '%s'", small);
	OK(db_script(f->db, sql, err));
	OK(db_script(f->db, "SET default_tablespace = small", err));
	make_table(f->db);
	FILE *file = fopen(other, "w");
	assert_non_null(file);
	assert_int_equal(fwrite(ballast, sizeof(ballast), 1, file), 1);
	assert_int_equal(fclose(file), 0);
	while (written < 1000 && write_batch(f->db, (int)written, &error) == 0)
		written++;
	print_message("%" PRId64 " batches: %s\n", written, error.msg);
	assert_true(error.code == ERR_LIMIT && strstr(error.msg, "No space left"));
	assert_int_equal(check_whole(f->db, written), written);
	/* Still full; then somebody makes room, and the same connection goes on. */
	error = (struct error)ERROR_INIT;
	assert_int_equal(write_batch(f->db, (int)written, &error), -1);
	assert_int_equal(error.code, ERR_LIMIT);
	assert_int_equal(unlink(other), 0);
	OK(write_batch(f->db, (int)written, err));
	assert_int_equal(check_whole(f->db, written + 1), written + 1);
	OK(db_script(f->db, "DROP TABLE t", err));
	OK(db_script(f->db, "DROP TABLESPACE small", err));
}

/* ---- kill -9 ---- */

/* The child: all batches from `from` on, a byte into the pipe for each that was reported committed. */
static void write_and_report(const char *url, int from, int out)
{
	struct error err = ERROR_INIT;
	struct db *db;

	if (db_open(url, &db, &err))
		_exit(1);
	for (int b = from; b < BATCHES; b++)
		if (write_batch(db, b, &err) || write(out, "", 1) != 1)
			_exit(2);
	_exit(0); /* without closing */
}

static int64_t run_and_kill(struct fixture *f, int from, int64_t kill_after, int64_t delay_us)
{
	int64_t reported = 0;
	char byte;
	int fd[2], status = 0;

	assert_int_equal(pipe(fd), 0);
	pid_t child = fork();
	if (child == 0) {
		(void)close(fd[0]);
		write_and_report(f->url, from, fd[1]);
	}
	(void)close(fd[1]);
	while (reported < kill_after && read(fd[0], &byte, 1) == 1)
		reported++;
	(void)usleep((useconds_t)delay_us);
	(void)kill(child, SIGKILL);
	while (read(fd[0], &byte, 1) == 1)
		reported++;
	(void)close(fd[0]);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status) || WEXITSTATUS(status) == 0);
	return reported;
}

static void killed_in_the_middle(void **state)
{
	struct fixture *f = *state;
	uint64_t seed = 9;
	int64_t done = 0;

	make_table(f->db);
	for (int round = 0; round < 12 && done < BATCHES; round++) {
		int64_t reported = run_and_kill(f, (int)done, (int64_t)(rand_next(&seed) % 12),
						(int64_t)(rand_next(&seed) % 3000));
		int64_t now = check_whole(f->db, done + reported);

		assert_true(now <= done + reported + 1); /* at most the one that was not reported yet */
		done = now;
	}
	/* The last start has nobody to kill it; it repeats everything. */
	(void)run_and_kill(f, 0, INT64_MAX, 0);
	assert_int_equal(check_whole(f->db, BATCHES), BATCHES);
	assert_int_equal(fixture_i64(f->db, "SELECT count(*) FROM t"), BATCH * BATCHES);
}

int main(void)
{
	const struct CMUnitTest on_sqlite[] = {
		DB_TEST(power_is_lost),
		DB_TEST(unsynced_commits_would_be_noticed),
		DB_TEST(the_disk_is_full),
	};
	const struct CMUnitTest on_both[] = { DB_TEST(killed_in_the_middle), DB_TEST(the_servers_disk_is_full) };

	return cmocka_run_group_tests_name("db_durability, files", on_sqlite, NULL, NULL) +
	       fixture_run("db_durability", on_both, ARRAY_LEN(on_both));
}
