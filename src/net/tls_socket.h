/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The socket under OpenSSL. Its own socket BIO writes with write(), which raises SIGPIPE when the peer is gone; this one
 * differs in MSG_NOSIGNAL only, and so leaves the process's signals alone. For tls.c alone.
 */
#ifndef MAILFS_TLS_SOCKET_H
#define MAILFS_TLS_SOCKET_H

#include <openssl/ssl.h>

/* `fd` is non-blocking and stays the caller's. 0 or -ENOMEM. */
int tls_socket_attach(SSL *ssl, int fd);

#endif
