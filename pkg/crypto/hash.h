/* SPDX-License-Identifier: Apache-2.0 */
/* SHA-256 over OpenSSL's EVP, and base64. Thread: any. */
#ifndef CRYPTO_HASH_H
#define CRYPTO_HASH_H

#include "base/buf.h"

#define SHA256_BYTES 32
#define SHA256_HEX 65

void sha256(struct str data, unsigned char out[SHA256_BYTES]);
/* Lower-case hex, NUL-terminated; returns out. */
char *sha256_hex(struct str data, char out[SHA256_HEX]);
/*
 * RFC 4648: standard alphabet, padding required, stray bits in the last digit refused; white space is skipped. Appends
 * to out; bad text (ERR_INVALID) leaves it as it was.
 */
int base64_decode(struct str text, struct buf *out, struct error *err) must_check;
void base64_encode(struct str data, struct buf *out);

#endif
