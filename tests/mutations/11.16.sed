# SPDX-License-Identifier: Apache-2.0
# pkg/controller/collector_fetch.c: Retry-After is not obeyed
/^\tp->silent_until_ms = MAX/ d; s/err->retry_after_ms \* p->c->clock.factor/0/
