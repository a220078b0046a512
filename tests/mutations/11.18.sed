# SPDX-License-Identifier: Apache-2.0
# pkg/controller/collector_fetch.c: a token that is refused is kept
/^static bool is_note_refused/,/^}/ s/return err /return false \&\& err /
