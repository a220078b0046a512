/* SPDX-License-Identifier: Apache-2.0 */
/* SHA-256 and base64 over OpenSSL's EVP (the only user of its headers). Thread: any. */
#ifndef CRYPTO_HASH_H
#define CRYPTO_HASH_H

#include "base/buf.h"

#define SHA256_BYTES 32
#define SHA256_HEX 65

void sha256(struct str data, unsigned char out[SHA256_BYTES]);
/* Lower-case hex, NUL-terminated; returns out. */
char *sha256_hex(struct str data, char out[SHA256_HEX]);
/* Standard alphabet with padding; white space is skipped. Appends to out. */
int base64_decode(struct str text, struct buf *out, struct error *err) must_check;
void base64_encode(struct str data, struct buf *out);

#endif
