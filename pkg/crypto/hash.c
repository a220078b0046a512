/* SPDX-License-Identifier: Apache-2.0 */
/* SHA-256 and base64. */
#include "crypto/hash.h"

#include <openssl/evp.h>
#include <pthread.h>

static const EVP_MD *sha256_md;

/* Fetched once: an implicit fetch at each call costs more than hashing a short text. */
static void sha256_fetch(void)
{
	sha256_md = EVP_MD_fetch(NULL, "SHA256", NULL);
}

void sha256(struct str data, unsigned char out[SHA256_BYTES])
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	(void)pthread_once(&once, sha256_fetch);
	/* No OpenSSL provider or no memory: there is no way to go on, as in xmalloc(). */
	if (!sha256_md || EVP_Digest(data.ptr ? data.ptr : "", data.len, out, NULL, sha256_md, NULL) != 1) {
		fprintf(stderr, "SHA-256 is not available\n");
		abort();
	}
}

char *sha256_hex(struct str data, char out[SHA256_HEX])
{
	unsigned char digest[SHA256_BYTES];

	sha256(data, digest);
	for (size_t i = 0; i < SHA256_BYTES; i++) {
		out[2 * i] = "0123456789abcdef"[digest[i] >> 4];
		out[2 * i + 1] = "0123456789abcdef"[digest[i] & 15];
	}
	out[SHA256_HEX - 1] = '\0';
	return out;
}

/* The six bits of a base64 digit, -1 for anything else. */
static int digit_value(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Returns NULL, or what is wrong at byte *at. */
static const char *decode(struct str text, struct buf *out, size_t *at)
{
	uint32_t bits = 0;
	int digits = 0, pads = 0;

	for (*at = 0; *at < text.len; (*at)++) {
		char c = text.ptr[*at];
		int value;

		if (c == ' ' || c == '\t' || c == '\r' || c == '\n')
			continue;
		if (c == '=' && digits + pads < 4 && digits >= 2) {
			pads++;
			continue;
		}
		value = digit_value(c);
		if (value < 0)
			return "not a base64 digit";
		if (pads)
			return "text behind the padding";
		bits = bits << 6 | (uint32_t)value;
		if (++digits == 4) {
			buf_add(out,
				(unsigned char[]){ (unsigned char)(bits >> 16), (unsigned char)(bits >> 8),
						   (unsigned char)bits },
				3);
			digits = 0;
			bits = 0;
		}
	}
	if (digits && digits + pads != 4)
		return "padding missing";
	/* Bits that belong to no byte must be zero: one value has one text. */
	if ((digits == 2 && bits & 15) || (digits == 3 && bits & 3))
		return "last digit holds stray bits";
	if (digits == 2)
		buf_addc(out, (char)(bits >> 4));
	else if (digits == 3)
		buf_add(out, (unsigned char[]){ (unsigned char)(bits >> 10), (unsigned char)(bits >> 2) }, 2);
	return NULL;
}

int base64_decode(struct str text, struct buf *out, struct error *err)
{
	size_t before = out->len, at;
	const char *wrong = decode(text, out, &at);

	if (!wrong)
		return buf_check(out, "decoded base64", err);
	if (out->ptr) {
		out->len = before;
		out->ptr[before] = '\0';
	}
	return error_set(err, ERR_INVALID, "not base64 at byte %zu: %s", at, wrong);
}

void base64_encode(struct str data, struct buf *out)
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	for (size_t i = 0; i < data.len; i += 3) {
		size_t n = MIN(data.len - i, 3);
		uint32_t bits = 0;
		char four[4];

		for (size_t k = 0; k < 3; k++)
			bits = bits << 8 | (k < n ? (unsigned char)data.ptr[i + k] : 0);
		for (size_t k = 0; k < 4; k++)
			four[k] = k <= n ? alphabet[bits >> (18 - 6 * k) & 63] : '=';
		buf_add(out, four, 4);
	}
}
