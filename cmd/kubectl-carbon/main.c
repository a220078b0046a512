/* SPDX-License-Identifier: Apache-2.0 */
/* kubectl-carbon: the kubectl plug-in, `kubectl carbon ...`. See docs/kubectl-carbon.md. */
#include <signal.h>
#include <stddef.h>

#include "base/clock.h"
#include "carbon.h"
#include "config/config.h"

static const struct command commands[] = {
	{ "regions", "", "regions with their carbon, price and renewables now", show_regions },
	{ "forecast score", "[REGION]", "how well forecasts have done, by day of lead", show_scores },
	{ "forecast", "REGION", "what is known ahead of a region, as a table with a chart", show_forecast },
	{ "jobs", "", "CarbonAwareJobs: state, planned start, what they save", show_jobs },
	{ "workload", "", "power of CarbonAwareJobs ahead: as planned, and as expected from the past", show_workload },
	{ "statistics", "", "what was saved, by namespace and currency", show_statistics },
	{ "data freshness", "", "where carbon and prices of each region come from and how old they are",
	  show_freshness },
	{ "data providers", "", "providers: circuit, last requests, licence", show_providers },
	{ "data status", "", "the database: size and rows", show_status },
	{ "data import", "FILE...", "CSV history into a database; - is standard input", run_import },
	{ "data export", "", "history of a zone from a database as CSV", run_export },
};

static const char *const outputs[] = { "table", "json", NULL };

static const struct config_option options_table[] = {
	CONFIG_OPTION("kubeconfig", CONFIG_STRING, kubeconfig, NULL, 0, 0,
		      "kubeconfig file [$KUBECONFIG, ~/.kube/config]"),
	CONFIG_OPTION("context", CONFIG_STRING, context, NULL, 0, 0, "context in it [current-context]"),
	CONFIG_OPTION("namespace", CONFIG_STRING, namespace, NULL, 0, 0,
		      "short -n: jobs, workload and statistics of this namespace only [all]"),
	CONFIG_CHOICE("output", output, "table", outputs, "short -o: table or json"),
	CONFIG_OPTION("server", CONFIG_STRING, server, NULL, 0, 0,
		      "URL of the operator's read API [through the API server's service proxy]"),
	CONFIG_OPTION("certificateAuthority", CONFIG_STRING, ca_file, NULL, 0, 0,
		      "file of --server's CA [the system's]"),
	CONFIG_OPTION("tokenFile", CONFIG_STRING, token_file, NULL, 0, 0,
		      "file of the token for --server [the kubeconfig's]"),
	CONFIG_OPTION("operatorNamespace", CONFIG_STRING, operator_namespace, "loadshift-system", 0, 0,
		      "namespace of the operator's service"),
	CONFIG_OPTION("service", CONFIG_STRING, service, "https:loadshift-operator:8443", 0, 0,
		      "scheme:name:port of that service"),
	CONFIG_OPTION("hours", CONFIG_INT, hours, "24", 1, 336, "forecast, workload: so far ahead"),
	CONFIG_OPTION("db", CONFIG_STRING, db_url, NULL, 0, 0, "import, export: sqlite:///path or postgresql://..."),
	CONFIG_OPTION("shape", CONFIG_STRING, shape, NULL, 0, 0,
		      "import: what the file looks like; `--shape list` shows all"),
	CONFIG_OPTION("provider", CONFIG_STRING, provider, NULL, 0, 0,
		      "import: whose data these are; export: of this one only"),
	CONFIG_OPTION("zone", CONFIG_STRING, zone, NULL, 0, 0,
		      "import: of which place; export: zone by its name in the database"),
	CONFIG_OPTION("metric", CONFIG_STRING, metric, NULL, 0, 0,
		      "import with --shape custom, export: carbon, price, demand, ..."),
	CONFIG_OPTION("kind", CONFIG_STRING, kind, NULL, 0, 0, "custom: actual, estimated or forecast [actual]"),
	CONFIG_OPTION("time", CONFIG_STRING, time_column, NULL, 0, 0, "custom: column of the times"),
	CONFIG_OPTION("value", CONFIG_STRING, value_column, NULL, 0, 0, "custom: column of the values"),
	CONFIG_OPTION("scale", CONFIG_STRING, scale, NULL, 0, 0, "custom: value x this = the metric's unit [1]"),
	CONFIG_OPTION("step", CONFIG_DURATION, step_ms, "30m", MINUTE_MS, DAY_MS, "custom: length of one value"),
	CONFIG_OPTION("endLabelled", CONFIG_BOOL, end_labelled, "false", 0, 0, "custom: times mark the end of a value"),
	CONFIG_OPTION("from", CONFIG_TIME, from_ms, NULL, 0, 0, "export: from then on"),
	CONFIG_OPTION("to", CONFIG_TIME, to_ms, NULL, 0, 0, "export: until then"),
};
static const struct config_spec spec = { .program = "kubectl-carbon",
					 .summary = "kubectl carbon: what Loadshift knows of the grid, from the shell.",
					 .options = options_table,
					 .n_options = ARRAY_LEN(options_table) };

static void print_commands(FILE *out)
{
	(void)fprintf(out, "usage: kubectl carbon COMMAND [flags]\n\n");
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		(void)fprintf(out, "  %-14s %-9s %s\n", commands[i].words, commands[i].arguments, commands[i].summary);
	(void)fputc('\n', out);
}

/* Flags may stand anywhere, with the two short ones of kubectl; what is left are words. */
struct words {
	char *flags[MAX_ARGUMENTS + 1], *words[MAX_ARGUMENTS + 1];
	int n_flags, n_words;
};

static const struct config_option *option_of(const char *flag)
{
	size_t len = strcspn(flag, "=");

	for (size_t i = 0; i < ARRAY_LEN(options_table); i++) {
		_cleanup_(buf_release) struct buf name = BUF_INIT(64);

		(void)buf_adds(&name, "--");
		for (const char *c = options_table[i].key; *c; c++)
			(void)buf_addf(&name, *c >= 'A' && *c <= 'Z' ? "-%c" : "%c", *c | 0x20);
		if (str_eq(buf_str(&name), str_of(flag, len)))
			return &options_table[i];
	}
	return NULL;
}

static int split(int argc, char **argv, struct words *w, struct error *err)
{
	static char output[] = "--output", namespace[] = "--namespace";

	if (argc > MAX_ARGUMENTS)
		return error_set(err, ERR_INVALID, "more than %d arguments", MAX_ARGUMENTS);
	w->flags[w->n_flags++] = argv[0];
	for (int i = 1; i < argc; i++) {
		char *arg = argv[i];
		const struct config_option *option;

		if (arg[0] != '-' || !arg[1]) {
			w->words[w->n_words++] = arg;
			continue;
		}
		if (strcmp(arg, "-o") == 0)
			arg = output;
		else if (strcmp(arg, "-n") == 0)
			arg = namespace;
		w->flags[w->n_flags++] = arg;
		option = option_of(arg);
		if (option && option->type != CONFIG_BOOL && !strchr(arg, '=') && i + 1 < argc)
			w->flags[w->n_flags++] = argv[++i];
	}
	return 0;
}

/* How many words of the command are there; 0 = it is another. */
static int matches(const struct command *c, const struct words *w)
{
	struct str rest = str_from(c->words), word;
	int n = 0;

	while (str_split(&rest, ' ', &word))
		if (n >= w->n_words || !str_is(word, w->words[n++]))
			return 0;
	return n;
}

static int run(struct words *w, const struct options *o, struct error *err)
{
	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		int n = matches(&commands[i], w);

		if (n == 0)
			continue;
		if (!*commands[i].arguments && w->n_words > n)
			return error_set(err, ERR_INVALID, "%s takes no argument, there is \"%.60s\"",
					 commands[i].words, w->words[n]);
		return commands[i].run(o, w->words + n, w->n_words - n, err);
	}
	print_commands(stderr);
	if (w->n_words == 0)
		return error_set(err, ERR_INVALID, "name a command");
	for (size_t i = 0; i < ARRAY_LEN(commands) && w->n_words == 1; i++) {
		struct str rest = str_from(commands[i].words), first;

		if (str_split(&rest, ' ', &first) && !str_empty(rest) && str_is(first, w->words[0]))
			return error_set(err, ERR_INVALID, "\"%s\" wants another word, such as \"%s\"", w->words[0],
					 commands[i].words);
	}
	return error_set(err, ERR_INVALID, "there is no command \"%.60s%s%.60s\"", w->words[0],
			 w->n_words > 1 ? " " : "", w->n_words > 1 ? w->words[1] : "");
}

int main(int argc, char **argv)
{
	struct error err = ERROR_INIT;
	struct options options = { 0 };
	struct words words = { 0 };
	struct arena arena;
	bool done = false;
	int result;

	(void)signal(SIGPIPE, SIG_IGN);
	arena_init(&arena, 4096, 1024 * 1024);
	result = split(argc, argv, &words, &err);
	for (int i = 1; i < argc && result == 0; i++)
		if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
			print_commands(stdout);
	if (result == 0)
		result = config_load(&spec, words.n_flags, words.flags, &options, &arena, &done, &err);
	if (result == 0 && !done) {
		result = http_client_global_init(&err);
		if (result == 0) {
			result = run(&words, &options, &err);
			http_client_global_cleanup();
		}
	}
	arena_release(&arena);
	if (result == 0 && (fflush(stdout) || ferror(stdout)))
		result = error_set(&err, ERR_INTERNAL, "standard output could not be written");
	if (result) {
		(void)fprintf(stderr, "kubectl carbon: ");
		print_text(stderr, err.msg);
		(void)fputc('\n', stderr);
		return err.code == ERR_INVALID ? 2 : 1;
	}
	return 0;
}
