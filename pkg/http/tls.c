/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The server's certificate: loaded into a context of its own, which replaces libwebsockets' context during each
 * handshake. So a new certificate is used by every later handshake, a bad one never replaces a good one, and an RSA
 * certificate can give way to an ECDSA one (changing a live context would leave both in it).
 * lws_tls_cert_updated() is not used: it drops the old pair first and returns 0 even when the new one is bad.
 */
#include <openssl/err.h>
#include <sys/stat.h>

#include "http/serving.h"
#include "log/log.h"

static const unsigned char session_context[] = "loadshift";

/* The innermost reason, and an empty queue: OpenSSL's is per thread and would mislead the next caller. */
static int tls_error(struct error *err, const char *what, const char *path)
{
	unsigned long e = ERR_get_error();
	const char *reason = e ? ERR_reason_error_string(e) : NULL;

	ERR_clear_error();
	return error_set(err, ERR_INVALID, "%s %s: %s", what, path, reason ? reason : "not usable");
}

static int load_into(SSL_CTX *ctx, const struct http_tls_files *t, struct error *err)
{
	ERR_clear_error();
	SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
	SSL_CTX_set_session_id_context(ctx, session_context, sizeof(session_context) - 1);
	if (SSL_CTX_use_certificate_chain_file(ctx, t->cert) != 1)
		return tls_error(err, "certificate", t->cert);
	if (SSL_CTX_use_PrivateKey_file(ctx, t->key, SSL_FILETYPE_PEM) != 1)
		return tls_error(err, "key", t->key);
	if (SSL_CTX_check_private_key(ctx) != 1)
		return tls_error(err, "key", t->key);
	if (t->client_ca) {
		STACK_OF(X509_NAME) *names = SSL_load_client_CA_file(t->client_ca);

		if (!names || SSL_CTX_load_verify_locations(ctx, t->client_ca, NULL) != 1) {
			sk_X509_NAME_pop_free(names, X509_NAME_free);
			return tls_error(err, "client CA", t->client_ca);
		}
		SSL_CTX_set_client_CA_list(ctx, names);
	}
	return 0;
}

static uint64_t stamp_file(uint64_t seed, const char *path)
{
	struct stat st = { 0 };
	uint64_t parts[4];

	if (!path)
		return seed;
	(void)stat(path, &st);
	parts[0] = seed;
	parts[1] = (uint64_t)st.st_ino;
	parts[2] = (uint64_t)st.st_size;
	parts[3] = (uint64_t)st.st_mtim.tv_sec * 1000000000u + (uint64_t)st.st_mtim.tv_nsec;
	return str_fnv1a(str_of((const char *)parts, sizeof(parts)));
}

static uint64_t stamp_files(const struct http_tls_files *t)
{
	return stamp_file(stamp_file(stamp_file(1, t->cert), t->key), t->client_ca);
}

int tls_files_load(struct http_tls_files *t, struct error *err)
{
	/* Before reading: a change during it is seen by the next check. */
	uint64_t stamp = stamp_files(t);
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());

	if (!ctx)
		return tls_error(err, "certificate", t->cert);
	if (load_into(ctx, t, err)) {
		SSL_CTX_free(ctx);
		return -1;
	}
	SSL_CTX_free(t->ctx);
	t->ctx = ctx;
	t->stamp = stamp;
	return 0;
}

void tls_files_refresh(struct http_tls_files *t)
{
	struct error err = ERROR_INIT;

	/* A pair that is bad now is tried again at every check: it may be half written. */
	if (stamp_files(t) != t->stamp && tls_files_load(t, &err))
		log_debug("certificate not reloaded, the old one stays", LOG_ERR(&err));
}

/* OpenSSL calls this in every handshake, also when the client named no server. */
static int use_current(SSL *ssl, int *alert, void *arg)
{
	struct http_tls_files *t = arg;

	(void)alert;
	return SSL_set_SSL_CTX(ssl, t->ctx) ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

void tls_files_install(struct http_tls_files *t, SSL_CTX *lws_ctx)
{
	/* These are copied to each connection before the context is exchanged, the rest comes from t->ctx. */
	SSL_CTX_set_min_proto_version(lws_ctx, TLS1_2_VERSION);
	SSL_CTX_set_session_id_context(lws_ctx, session_context, sizeof(session_context) - 1);
	SSL_CTX_set_options(lws_ctx, SSL_OP_NO_RENEGOTIATION);
	if (t->client_ca)
		SSL_CTX_set_verify(lws_ctx, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
	SSL_CTX_set_tlsext_servername_callback(lws_ctx, use_current);
	SSL_CTX_set_tlsext_servername_arg(lws_ctx, t);
}

void tls_files_release(struct http_tls_files *t)
{
	SSL_CTX_free(t->ctx);
	free(t->cert);
	free(t->key);
	free(t->client_ca);
	*t = (struct http_tls_files){ 0 };
}
