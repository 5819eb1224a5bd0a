// SPDX-License-Identifier: GPL-3.0-or-later
#include "ctls.h"
#include "ccertificate.h"
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

_Static_assert(CT_KEY_SIZE == CC_KEY_SIZE, "one kind of key");

struct ct_stream {
    gnutls_session_t tls;
    int descriptor;
    int code;          // GnuTLS's, of what failed
    int system_error;  // errno of the socket call that failed
    bool is_open;
};

static const char priorities[] =
    "NORMAL:-VERS-ALL:+VERS-TLS1.3:-CIPHER-ALL:+AES-128-GCM:+CHACHA20-POLY1305:-GROUP-ALL:+GROUP-X25519"
    ":-SIGN-ALL:+SIGN-EDDSA-ED25519";

// MARK: The socket

static void note_error(ct_stream *stream) {
    int code = errno;
    // The first one is the cause: a reset that was read once makes what is written after it, such as the alert, EPIPE.
    if (code != EAGAIN && !stream->system_error) stream->system_error = code == EPIPE ? ECONNRESET : code;
    gnutls_transport_set_errno(stream->tls, code);
}

static ssize_t pull(gnutls_transport_ptr_t context, void *octets, size_t count) {
    ct_stream *stream = context;
    ssize_t taken;
    do taken = recv(stream->descriptor, octets, count, MSG_DONTWAIT);
    while (taken < 0 && errno == EINTR);
    if (taken < 0) note_error(stream);
    return taken;
}

static ssize_t push(gnutls_transport_ptr_t context, const void *octets, size_t count) {
    ct_stream *stream = context;
    ssize_t taken;
    do taken = send(stream->descriptor, octets, count, MSG_DONTWAIT | MSG_NOSIGNAL);
    while (taken < 0 && errno == EINTR);
    if (taken < 0) note_error(stream);
    return taken;
}

// GnuTLS asks before it reads where it has a time limit, which ours never have.
static int is_readable(gnutls_transport_ptr_t context, unsigned timeout) {
    (void)timeout;
    struct pollfd request = {.fd = ((ct_stream *)context)->descriptor, .events = POLLIN};
    return poll(&request, 1, 0);
}

// MARK: Life

ct_credentials *ct_credentials_new(const uint8_t *seed, const uint8_t *key) {
    return cc_credentials_new(seed, key, "parley-index");
}

void ct_credentials_free(ct_credentials *credentials) {
    if (credentials) gnutls_certificate_free_credentials(credentials);
}

static bool configure(ct_stream *stream, ct_credentials *credentials, const char *protocol) {
    gnutls_datum_t name = {(uint8_t *)protocol, (unsigned)strlen(protocol)};
    if (gnutls_priority_set_direct(stream->tls, priorities, NULL) != 0
        || gnutls_credentials_set(stream->tls, GNUTLS_CRD_CERTIFICATE, credentials) != 0
        || gnutls_alpn_set_protocols(stream->tls, &name, 1, GNUTLS_ALPN_MANDATORY) != 0) {
        return false;
    }
    gnutls_transport_set_ptr(stream->tls, stream);
    gnutls_transport_set_pull_function(stream->tls, pull);
    gnutls_transport_set_push_function(stream->tls, push);
    gnutls_transport_set_pull_timeout_function(stream->tls, is_readable);
    gnutls_handshake_set_timeout(stream->tls, GNUTLS_INDEFINITE_TIMEOUT);
    return true;
}

ct_stream *ct_stream_new(int descriptor, ct_credentials *credentials, const char *protocol, bool is_server) {
    // No tickets: a session is never resumed, so every one proves the server's key anew and nothing is sent early.
    unsigned flags = (is_server ? GNUTLS_SERVER | GNUTLS_NO_AUTO_SEND_TICKET : GNUTLS_CLIENT) | GNUTLS_NONBLOCK
        | GNUTLS_NO_TICKETS;
    ct_stream *stream = calloc(1, sizeof *stream);
    if (!stream) return NULL;
    stream->descriptor = descriptor;
    if (gnutls_init(&stream->tls, flags) == 0 && configure(stream, credentials, protocol)) return stream;
    ct_stream_free(stream);
    return NULL;
}

void ct_stream_free(ct_stream *stream) {
    if (!stream) return;
    if (stream->tls) gnutls_deinit(stream->tls);
    free(stream);
}

// MARK: Use

static ptrdiff_t outcome(ct_stream *stream, ptrdiff_t code) {
    if (code >= 0) return code;
    // A warning is no reason to end; what follows it announces itself.
    if (!gnutls_error_is_fatal((int)code))
        return gnutls_record_get_direction(stream->tls) ? CT_WANTS_WRITE : CT_WANTS_READ;
    stream->code = (int)code;
    return code == GNUTLS_E_PREMATURE_TERMINATION ? CT_CUT : CT_FAILED;
}

int ct_handshake(ct_stream *stream) {
    int code = gnutls_handshake(stream->tls);
    gnutls_datum_t protocol;
    // A server that ignores the extension chose no protocol.
    if (code == 0 && gnutls_alpn_get_selected_protocol(stream->tls, &protocol) != 0)
        code = GNUTLS_E_NO_APPLICATION_PROTOCOL;
    if (code < 0 && gnutls_error_is_fatal(code)) gnutls_alert_send_appropriate(stream->tls, code);
    stream->is_open = code == 0;
    return (int)outcome(stream, code);
}

ptrdiff_t ct_read(ct_stream *stream, uint8_t *octets, size_t count) {
    return outcome(stream, gnutls_record_recv(stream->tls, octets, count));
}

ptrdiff_t ct_write(ct_stream *stream, const uint8_t *octets, size_t count) {
    return outcome(stream, gnutls_record_send(stream->tls, octets, count));
}

void ct_finish(ct_stream *stream) { gnutls_bye(stream->tls, GNUTLS_SHUT_WR); }

bool ct_peer_key(ct_stream *stream, uint8_t key[CT_KEY_SIZE]) {
    return stream->is_open && cc_peer_key(stream->tls, key);
}

int ct_system_error(const ct_stream *stream) { return stream->system_error; }

const char *ct_reason(const ct_stream *stream) {
    const char *text = stream->code == GNUTLS_E_FATAL_ALERT_RECEIVED
        ? gnutls_alert_get_name(gnutls_alert_get(stream->tls)) : gnutls_strerror(stream->code);
    return text ? text : "unknown error";
}
