# SPDX-License-Identifier: Apache-2.0
# Loadshift: one non-recursive Makefile. `make help` lists the targets.

B       ?= build
CC      ?= gcc
VERSION := 0.1.0
PREFIX  ?= /usr/local

MODULES ?= $(notdir $(wildcard pkg/*))
DEPS    := libcurl libcjson yaml-0.1 libwebsockets openssl
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

CFLAGS  += -std=gnu11 $(OPT) $(WARN) $(HARDEN) $(SANFLAGS) -pthread
CPPFLAGS = -Ipkg -D_GNU_SOURCE -DLOADSHIFT_VERSION='"$(VERSION)"' -include pkg/base/banned.h $(shell pkg-config --cflags $(DEPS))
LDFLAGS += -pie -Wl,-z,relro,-z,now $(SANFLAGS) -pthread
LDLIBS  := $(shell pkg-config --libs $(DEPS)) -lm

LIB_SRC  := $(foreach m,$(MODULES),$(wildcard pkg/$(m)/*.c pkg/$(m)/*/*.c))
LIB_OBJ  := $(LIB_SRC:%.c=$(B)/obj/%.o)
LIB      := $(B)/libloadshift.a
PROGRAMS := $(notdir $(patsubst %/,%,$(dir $(wildcard cmd/*/main.c))))
UNIT     ?= $(basename $(notdir $(wildcard tests/unit/*_test.c)))

.PHONY: all
all: $(PROGRAMS:%=$(B)/%) ## build every program into $(B)/

$(B)/obj/%.o: %.c Makefile
	@mkdir -p $(@D)
	@echo "  CC    $<"
	@$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

$(LIB): $(LIB_OBJ)
	@rm -f $@
	@ar rcs $@ $^

define program_rule
$(B)/$(1): $(patsubst %.c,$(B)/obj/%.o,$(wildcard cmd/$(1)/*.c)) $(LIB)
	@echo "  LINK  $$@"
	@$(CC) $(LDFLAGS) -o $$@ $$^ $(LDLIBS)
endef
$(foreach p,$(PROGRAMS),$(eval $(call program_rule,$(p))))

$(B)/unit/%_test: $(B)/obj/tests/unit/%_test.o $(LIB)
	@mkdir -p $(@D)
	@$(CC) $(LDFLAGS) -o $@ $^ -lcmocka $(LDLIBS)

.PHONY: unit
unit: $(UNIT:%=$(B)/unit/%) ## build and run the unit tests (UNIT=name_test picks some)
	@hack/run-units $(B)/unit $(UNIT)

.PHONY: clean
clean: ## remove build/
	rm -rf build

-include $(shell find $(B)/obj -name '*.d' 2>/dev/null)
