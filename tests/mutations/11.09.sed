# SPDX-License-Identifier: Apache-2.0
# pkg/grid/answer.c: no bounds of what is possible
s/if (value < metrics\[metric\].min || value > metrics\[metric\].max) {/if (0) {/
