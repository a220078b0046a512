/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP server: sockets, thread and life of it, see server.h and serving.h. */
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/socket.h>

#include "http/serving.h"

#define ACCEPT_BACKLOG 512
#define ACCEPT_AT_ONCE 64
#define TLS_CHECK_MS (2 * SECOND_MS)
static const char protocol_name[] = "http";

static void server_free(struct http_server *s)
{
	tls_files_release(&s->tls);
	pthread_mutex_destroy(&s->mutex);
	free(s);
}

void server_unref(struct http_server *s)
{
	bool last;

	pthread_mutex_lock(&s->mutex);
	last = --s->refs == 0;
	pthread_mutex_unlock(&s->mutex);
	if (last)
		server_free(s);
}

/* Late answers and the wish to stop: why other threads wake this one. */
static void take_answers(struct http_server *s)
{
	struct http_exchange *x;

	for (;;) {
		pthread_mutex_lock(&s->mutex);
		x = s->answered_first;
		if (x) {
			s->answered_first = x->next;
			if (!s->answered_first)
				s->answered_last = NULL;
		}
		pthread_mutex_unlock(&s->mutex);
		if (!x)
			return;
		conn_answer(x->conn);
	}
}

static void sweep(lws_sorted_usec_list_t *sul);

static void begin_stop(struct http_server *s, int64_t grace_ms)
{
	s->stopping = true;
	s->stop_deadline_ms = clock_mono_ms() + grace_ms;
	if (s->listener)
		lws_set_timeout(s->listener, PENDING_TIMEOUT_CLOSE_SEND, LWS_TO_KILL_ASYNC);
	for (struct http_conn *c = s->conns; c; c = c->next)
		if (c->state == CONN_IDLE)
			conn_kill(c);
	lws_sul_schedule(s->context, 0, &s->sweep, sweep, 1);
}

static void woken(struct http_server *s)
{
	bool stop;
	int64_t grace_ms;

	take_answers(s);
	pthread_mutex_lock(&s->mutex);
	stop = s->stop_asked && !s->stopping;
	grace_ms = s->stop_grace_ms;
	pthread_mutex_unlock(&s->mutex);
	if (stop)
		begin_stop(s, grace_ms);
}

static void pause_accepting(struct http_server *s, bool pause)
{
	if (s->accept_paused == pause || !s->listener)
		return;
	s->accept_paused = pause;
	(void)lws_rx_flow_control(s->listener, !pause);
}

static void sweep(lws_sorted_usec_list_t *sul)
{
	struct http_server *s = container_of(sul, struct http_server, sweep);
	int64_t now_ms = clock_mono_ms();
	int64_t every_ms = CLAMP(MIN(s->request_timeout_ms, s->keepalive_ms) / 8, 10, SECOND_MS);

	for (struct http_conn *c = s->conns; c; c = c->next)
		if (now_ms >= c->deadline_ms)
			conn_kill(c);
	pause_accepting(s, false);
	if (s->tls.ctx && now_ms - s->tls_checked_ms >= TLS_CHECK_MS) {
		s->tls_checked_ms = now_ms;
		tls_files_refresh(&s->tls);
	}
	if (s->stopping && (s->n_conns == 0 || now_ms >= s->stop_deadline_ms))
		s->done = true;
	lws_sul_schedule(s->context, 0, &s->sweep, sweep, (s->stopping ? 10 : every_ms) * 1000);
}

static void accept_some(struct http_server *s)
{
	for (int i = 0; i < ACCEPT_AT_ONCE; i++) {
		lws_sock_file_fd_type fd = {
			.sockfd = accept4(lws_get_socket_fd(s->listener), NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC),
		};

		if (fd.sockfd < 0) {
			/* Out of descriptors or memory: the queue stays readable, so look away until the next sweep. */
			if (errno != EAGAIN && errno != ECONNABORTED && errno != EINTR)
				pause_accepting(s, true);
			return;
		}
		if (s->n_conns >= s->max_connections || s->stopping)
			(void)close(fd.sockfd);
		else
			(void)lws_adopt_descriptor_vhost(s->vhost, LWS_ADOPT_SOCKET | LWS_ADOPT_ALLOW_SSL, fd,
							 protocol_name, NULL);
	}
}

static int on_event(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t len)
{
	struct http_server *s = lws_context_user(lws_get_context(wsi));
	struct http_conn *c;

	switch ((int)reason) {
	case LWS_CALLBACK_OPENSSL_LOAD_EXTRA_SERVER_VERIFY_CERTS:
		tls_files_install(&s->tls, user);
		return 0;
	case LWS_CALLBACK_EVENT_WAIT_CANCELLED:
		woken(s);
		return 0;
	case LWS_CALLBACK_RAW_RX_FILE:
		accept_some(s);
		return 0;
	case LWS_CALLBACK_RAW_CLOSE_FILE:
		s->listener = NULL;
		return 0;
	case LWS_CALLBACK_RAW_ADOPT:
		lws_set_opaque_user_data(wsi, conn_new(s, wsi));
		return 0;
	case LWS_CALLBACK_RAW_RX:
		c = lws_get_opaque_user_data(wsi);
		return c ? conn_read(c, in, len) : -1;
	case LWS_CALLBACK_RAW_WRITEABLE:
		c = lws_get_opaque_user_data(wsi);
		return c ? conn_writable(c) : -1;
	case LWS_CALLBACK_RAW_CLOSE:
		c = lws_get_opaque_user_data(wsi);
		lws_set_opaque_user_data(wsi, NULL);
		if (c)
			conn_free(c);
		return 0;
	default:
		return 0;
	}
}

static int open_socket(const struct http_server_config *cfg, const struct addrinfo *a, int *ret_fd, struct error *err)
{
	const char *address = cfg->address ? cfg->address : "all interfaces";
	int on = 1, off = 0;
	_cleanup_close_ int fd = socket(a->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return error_errno(err, ERR_UNAVAILABLE, errno, "%s: socket", cfg->name);
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	/* Accepted sockets inherit both. */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	(void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	if (a->ai_family == AF_INET6)
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
	if (bind(fd, a->ai_addr, a->ai_addrlen) || listen(fd, ACCEPT_BACKLOG))
		return error_errno(err, errno == EACCES ? ERR_DENIED : ERR_UNAVAILABLE, errno,
				   "%s: listen on %s port %d", cfg->name, address, cfg->port);
	*ret_fd = fd;
	fd = -1;
	return 0;
}

/* All interfaces: one IPv6 socket that takes IPv4 too, or IPv4 alone where there is no IPv6. */
static int listen_on(const struct http_server_config *cfg, int *ret_fd, struct error *err)
{
	struct addrinfo hints = { .ai_family = cfg->address ? AF_UNSPEC : AF_INET6,
				  .ai_socktype = SOCK_STREAM,
				  .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE };
	struct addrinfo *list = NULL;
	char port[16];
	int r;

	(void)snprintf(port, sizeof(port), "%d", cfg->port);
	if (getaddrinfo(cfg->address, port, &hints, &list))
		return error_set(err, ERR_INVALID, "%s: \"%s\" port %d is not an address", cfg->name,
				 cfg->address ? cfg->address : "", cfg->port);
	r = open_socket(cfg, list, ret_fd, err);
	freeaddrinfo(list);
	if (r == 0 || cfg->address)
		return r;
	hints.ai_family = AF_INET;
	if (getaddrinfo(NULL, port, &hints, &list))
		return -1;
	r = open_socket(cfg, list, ret_fd, err);
	freeaddrinfo(list);
	return r;
}

static int port_of(int fd)
{
	struct sockaddr_storage a = { 0 };
	socklen_t len = sizeof(a);

	if (getsockname(fd, (struct sockaddr *)&a, &len))
		return 0;
	if (a.ss_family == AF_INET6)
		return ntohs(((struct sockaddr_in6 *)(void *)&a)->sin6_port);
	return ntohs(((struct sockaddr_in *)(void *)&a)->sin_port);
}

static int open_context(struct http_server *s, int listen_fd, struct error *err)
{
	/* libwebsockets copies the table. It reads rx_buffer_size bytes at once, and sends tx_packet_size. */
	const struct lws_protocols protocols[] = {
		{ .name = protocol_name,
		  .callback = on_event,
		  .rx_buffer_size = CONN_READ_BYTES,
		  .tx_packet_size = CONN_WRITE_BYTES },
		{ .name = NULL },
	};
	struct lws_context_creation_info info = {
		.port = CONTEXT_PORT_NO_LISTEN_SERVER, /* we listen ourselves: to know errors, and to stop listening */
		.protocols = protocols,
		.pt_serv_buf_size = CONN_READ_BYTES + LWS_PRE,
		.fd_limit_per_thread = (unsigned int)s->max_connections + 16,
		.max_http_header_pool = 1,
		/* Also spares us a TLS client context, which would read the system's CAs, and leak in a second server.
		 */
		.options = LWS_SERVER_OPTION_ADOPT_APPLY_LISTEN_ACCEPT_CONFIG,
		.timeout_secs = (unsigned int)(s->request_timeout_ms / SECOND_MS) + 2,
		.vhost_name = s->name,
		.user = s,
	};
	lws_sock_file_fd_type fd = { .filefd = listen_fd };

	if (s->tls.ctx)
		info.options |= LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT | LWS_SERVER_OPTION_CREATE_VHOST_SSL_CTX;
	/* A library does not write to stderr; what matters comes back as an error. */
	lws_set_log_level(0, NULL);
	s->context = lws_create_context(&info);
	s->vhost = s->context ? lws_get_vhost_by_name(s->context, s->name) : NULL;
	if (!s->vhost) {
		(void)close(listen_fd);
		return error_set(err, ERR_INTERNAL, "%s: server context", s->name);
	}
	s->listener = lws_adopt_descriptor_vhost(s->vhost, LWS_ADOPT_RAW_FILE_DESC, fd, protocol_name, NULL);
	if (!s->listener) {
		(void)close(listen_fd);
		return error_set(err, ERR_INTERNAL, "%s: listener", s->name);
	}
	lws_sul_schedule(s->context, 0, &s->sweep, sweep, 1);
	return 0;
}

static void *server_main(void *arg)
{
	struct http_server *s = arg;

	(void)pthread_setname_np(pthread_self(), s->name);
	while (!s->done)
		(void)lws_service(s->context, 0);
	lws_context_destroy(s->context);
	return NULL;
}

/* Signals are for the main thread. */
static int start_thread(struct http_server *s, struct error *err)
{
	sigset_t all, old;
	int r;

	sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &old);
	r = pthread_create(&s->thread, NULL, server_main, s);
	(void)pthread_sigmask(SIG_SETMASK, &old, NULL);
	return r ? error_errno(err, ERR_INTERNAL, r, "%s: thread", s->name) : 0;
}

static struct http_server *server_alloc(const struct http_server_config *cfg)
{
	struct http_server *s = xcalloc(1, sizeof(*s));

	(void)str_copy(s->name, sizeof(s->name), str_from(cfg->name));
	s->routes = cfg->routes;
	s->n_routes = cfg->n_routes;
	s->max_connections = cfg->max_connections > 0 ? cfg->max_connections : 256;
	s->request_timeout_ms = cfg->request_timeout_ms > 0 ? cfg->request_timeout_ms : 10 * SECOND_MS;
	s->keepalive_ms = cfg->keepalive_ms > 0 ? cfg->keepalive_ms : MINUTE_MS;
	s->max_head = cfg->max_head ? cfg->max_head : (size_t)16 * 1024;
	s->refs = 1;
	pthread_mutex_init(&s->mutex, NULL);
	if (cfg->cert_file && cfg->key_file) {
		s->tls.cert = xstrdup(cfg->cert_file);
		s->tls.key = xstrdup(cfg->key_file);
		s->tls.client_ca = cfg->client_ca_file ? xstrdup(cfg->client_ca_file) : NULL;
	}
	return s;
}

static int server_open(struct http_server *s, const struct http_server_config *cfg, struct error *err)
{
	int fd = -1;

	if (!cfg->cert_file != !cfg->key_file || (cfg->client_ca_file && !cfg->cert_file))
		return error_set(err, ERR_INVALID, "%s: certificate and key belong together, a client CA needs both",
				 cfg->name);
	if (s->tls.cert && tls_files_load(&s->tls, err))
		return error_wrap(err, "%s", cfg->name);
	if (listen_on(cfg, &fd, err))
		return -1;
	s->port = port_of(fd);
	if (open_context(s, fd, err) || start_thread(s, err)) {
		if (s->context)
			lws_context_destroy(s->context);
		return -1;
	}
	return 0;
}

int http_server_new(const struct http_server_config *cfg, struct http_server **ret, struct error *err)
{
	struct http_server *s = server_alloc(cfg);

	if (server_open(s, cfg, err)) {
		server_free(s);
		return -1;
	}
	*ret = s;
	return 0;
}

int http_server_port(const struct http_server *s)
{
	return s->port;
}

void http_server_free(struct http_server *s, int64_t grace_ms)
{
	if (!s)
		return;
	pthread_mutex_lock(&s->mutex);
	s->stop_asked = true;
	s->stop_grace_ms = grace_ms;
	pthread_mutex_unlock(&s->mutex);
	lws_cancel_service(s->context);
	(void)pthread_join(s->thread, NULL);
	server_unref(s);
}
