# SPDX-License-Identifier: Apache-2.0
# Loadshift: one non-recursive Makefile. `make help` lists the targets.

B       ?= build
CC      ?= gcc
CLANG   ?= clang
VERSION := 0.1.0
PREFIX  ?= /usr/local

# Prerequisites are installed by hack/setup, which is quick when nothing is missing.
SETUP_GOALS := all demo test unit integration asan tsan fuzz fuzz-replay bench lint soak
ifneq ($(filter $(SETUP_GOALS),$(or $(MAKECMDGOALS),all)),)
  SETUP := $(if $(filter-out all,$(or $(MAKECMDGOALS),all)),test,build)
  ifneq ($(shell hack/setup $(SETUP) >&2 && echo ok),ok)
    $(error hack/setup $(SETUP) failed)
  endif
endif

MODULES ?= $(notdir $(wildcard pkg/*))
DEPS    := libcurl libcjson yaml-0.1 libwebsockets openssl expat sqlite3 libpq
WARN    := -Wall -Wextra -Wshadow -Wconversion -Wno-sign-conversion -Wvla -Wmissing-prototypes -Wstrict-prototypes \
           -Wwrite-strings -Wpointer-arith -Wundef -Wformat=2 -Wno-format-truncation
HARDEN  := -fstack-protector-strong -fPIE
OPT     ?= -O2 -g
# SAN=address or SAN=thread build the same tree with a sanitizer; see the targets asan and tsan.
ifeq ($(SAN),address)
  SANFLAGS := -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
else ifeq ($(SAN),thread)
  SANFLAGS := -fsanitize=thread -fno-omit-frame-pointer
else
  HARDEN += -D_FORTIFY_SOURCE=2
endif
ifdef DEVELOPER
  WARN += -Werror
endif

# No multiplication is fused with an addition: figures are the same on every processor.
CFLAGS  += -std=gnu11 -ffp-contract=off $(OPT) $(WARN) $(HARDEN) $(SANFLAGS) -pthread
CPPFLAGS = -Ipkg -D_GNU_SOURCE -DLOADSHIFT_VERSION='"$(VERSION)"' -include pkg/base/banned.h $(DEP_CFLAGS)
LDFLAGS += -pie -Wl,-z,relro,-z,now,--as-needed $(SANFLAGS) -pthread
DEP_CFLAGS := $(shell pkg-config --cflags $(DEPS) 2>/dev/null)
LDLIBS     := $(shell pkg-config --libs $(DEPS) 2>/dev/null) -lm

LIB_SRC  := $(foreach m,$(MODULES),$(wildcard pkg/$(m)/*.c pkg/$(m)/*/*.c))
LIB_OBJ  := $(LIB_SRC:%.c=$(B)/obj/%.o) $(if $(filter db,$(MODULES)),$(B)/obj/db_migrations.o)
LIB      := $(B)/libloadshift.a
PROGRAMS := $(notdir $(patsubst %/,%,$(dir $(wildcard cmd/*/main.c))))
UNIT     ?= $(basename $(notdir $(wildcard tests/unit/*_test.c)))
FUZZ     ?= $(basename $(notdir $(wildcard tests/fuzz/fuzz_*.c)))
BENCHES  := $(basename $(notdir $(wildcard tests/bench/*_bench.c)))

.PHONY: all
all: $(PROGRAMS:%=$(B)/%) ## build every program into build/

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

$(B)/obj/%.o: %.c Makefile
	@mkdir -p $(@D)
	@echo "  CC    $<"
	@$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

# The database's migrations, as one table of texts.
MIGRATIONS := $(sort $(wildcard pkg/db/migrations/*.sql))
$(B)/obj/db_migrations.c: $(MIGRATIONS) hack/embed-sql
	@mkdir -p $(@D)
	@hack/embed-sql $(MIGRATIONS) >$@.tmp && mv $@.tmp $@

$(B)/obj/db_migrations.o: $(B)/obj/db_migrations.c
	@$(CC) $(CPPFLAGS) $(CFLAGS) -c -o $@ $<

$(LIB): $(LIB_OBJ)
	@rm -f $@
	@ar rcs $@ $^

define program_rule
$(B)/$(1): $(patsubst %.c,$(B)/obj/%.o,$(wildcard cmd/$(1)/*.c)) $(LIB)
	@echo "  LINK  $$@"
	@$(CC) $(LDFLAGS) -o $$@ $$^ $(LDLIBS)
endef
$(foreach p,$(PROGRAMS),$(eval $(call program_rule,$(p))))

# ---- demo -----------------------------------------------------------------------------------------------------------

.PHONY: demo
demo: all ## a real local Kubernetes, recorded GB grid data, jobs deferred, placed and released (KEEP=1 keeps it, GRID=live)
	@hack/kube-tools
	@hack/demo

# ---- tests ----------------------------------------------------------------------------------------------------------

PYTEST = "$$(hack/setup --print-venv)/bin/python" -m pytest

.PHONY: test
test: ## every test: units, sanitizers, fuzz seeds, integration on a real Kubernetes, the demo's choices
	@hack/run-tests

$(B)/unit/%_test: $(B)/obj/tests/unit/%_test.o $(LIB)
	@mkdir -p $(@D)
	@$(CC) $(LDFLAGS) -o $@ $^ -lcmocka $(LDLIBS)

.PHONY: unit
unit: $(UNIT:%=$(B)/unit/%) ## build and run the unit tests (UNIT=name_test picks some)
	@hack/run-units $(B)/unit $(UNIT)

.PHONY: asan
asan: ## unit tests under AddressSanitizer and UndefinedBehaviorSanitizer
	@$(MAKE) --no-print-directory B=$(B)/asan SAN=address OPT="-O1 -g" unit

# Whatever is shared by threads, or has some of its own.
TSAN_UNITS := $(filter store_% workqueue_% reflector_% lease_% rest_% http_% metrics_% log_% collector_% map_% \
              extender_snapshot_% plan_table_% due_% gone_pods_% db_thread_% readapi_% history_test records_% words_% \
              young_% forecaster_% learned_%,$(UNIT))
.PHONY: tsan
tsan: ## unit tests of everything threaded under ThreadSanitizer, which first has to notice a race made on purpose
	@mkdir -p $(B)/tsan
	@$(CC) -std=gnu11 -g -O0 -fsanitize=thread -pthread -o $(B)/tsan/race tests/tsan/race.c
	@! $(B)/tsan/race >/dev/null 2>&1 || { echo "ThreadSanitizer does not notice tests/tsan/race.c"; exit 1; }
	@TSAN_OPTIONS="second_deadlock_stack=1" \
		$(MAKE) --no-print-directory B=$(B)/tsan SAN=thread OPT="-O1 -g" UNIT="$(TSAN_UNITS)" unit

# Small programs that a test drives from outside.
$(B)/probe/%: $(B)/obj/tests/integration/%.o $(LIB)
	@mkdir -p $(@D)
	@$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)

.PHONY: programs
programs: all $(B)/probe/k8s_probe $(B)/probe/grid_probe

# What a mutant is compiled and linked with, line by line: see hack/run-mutations.
.PHONY: compile-flags
compile-flags:
	$(info $(CC) $(CPPFLAGS) $(CFLAGS))
	$(info $(CC) $(LDFLAGS))
	$(info $(LDLIBS))
	@:

.PHONY: mutations
mutations: programs ## every row of the provider faults must fail once its handling is taken away
	@hack/kube-tools
	@LOADSHIFT_BUILD=$(B) hack/run-mutations all

.PHONY: integration
integration: programs ## integration tests on a real control plane (ARGS="-k name" picks some)
	@hack/kube-tools
	@$(PYTEST) tests/integration $(ARGS)

FUZZ_SAN := address,undefined -fno-sanitize-recover=undefined
.PHONY: fuzzlib
fuzzlib:
	@$(MAKE) --no-print-directory B=$(B)/fuzzlib CC=$(CLANG) OPT="-O1 -g" WARN=-w HARDEN= \
		SANFLAGS="-fsanitize=fuzzer-no-link,$(FUZZ_SAN)" $(B)/fuzzlib/libloadshift.a

$(B)/fuzz/%: tests/fuzz/%.c fuzzlib
	@mkdir -p $(@D)
	@echo "  FUZZ  $@"
	@$(CLANG) $(CPPFLAGS) -std=gnu11 -O1 -g -w -pthread -fsanitize=fuzzer,$(FUZZ_SAN) -o $@ $< \
		$(B)/fuzzlib/libloadshift.a $(LDLIBS)

.PHONY: fuzz-replay
fuzz-replay: $(FUZZ:%=$(B)/fuzz/%) ## run every fuzz target over its seed corpus once
	@hack/run-fuzz replay $(B)/fuzz $(FUZZ)

.PHONY: fuzz
fuzz: $(FUZZ:%=$(B)/fuzz/%) ## fuzz every target for SECONDS each (default 60)
	@hack/run-fuzz $(or $(SECONDS),60) $(B)/fuzz $(FUZZ)

# ---- measuring ------------------------------------------------------------------------------------------------------

$(B)/bench/%: $(B)/obj/tests/bench/%.o $(LIB)
	@mkdir -p $(@D)
	@$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)

.PHONY: bench
bench: all $(BENCHES:%=$(B)/bench/%) ## print the figures of docs/benchmarks.md, as ratios to yardsticks of the same run
	@hack/kube-tools
	@hack/run-bench $(ARGS)

.PHONY: soak
soak: programs $(B)/unit/lifecycle_test ## long versions of the fault tests (SOAK_MINUTES=10 each)
	@hack/kube-tools
	@$(PYTEST) tests/soak $(ARGS)

# ---- upkeep ---------------------------------------------------------------------------------------------------------

.PHONY: lint
lint: ## style, layers, formatting, spelling, clang-tidy
	@hack/lint

.PHONY: install
install: all ## install the programs and CRDs below PREFIX (/usr/local)
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/share/loadshift/crds
	install $(PROGRAMS:%=$(B)/%) $(DESTDIR)$(PREFIX)/bin
	install -m 644 crds/*.yaml $(DESTDIR)$(PREFIX)/share/loadshift/crds

.PHONY: clean
clean: ## remove build/
	rm -rf build

-include $(shell find $(B)/obj -name '*.d' 2>/dev/null)
