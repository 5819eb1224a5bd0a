// SPDX-License-Identifier: GPL-3.0-or-later
#include "connection.h"
#include "ccertificate.h"
#include <ngtcp2/ngtcp2_crypto_gnutls.h>
#include <string.h>

static const char priorities[] =
    "%DISABLE_TLS13_COMPAT_MODE:NORMAL:-VERS-ALL:+VERS-TLS1.3:-CIPHER-ALL:+AES-128-GCM:+CHACHA20-POLY1305"
    ":-GROUP-ALL:+GROUP-X25519:-SIGN-ALL:+SIGN-EDDSA-ED25519";

_Static_assert(CQ_KEY_SIZE == CC_KEY_SIZE, "one kind of key");

cq_identity *cq_identity_new(const uint8_t seed[CQ_KEY_SIZE], const uint8_t key[CQ_KEY_SIZE]) {
    return cc_credentials_new(seed, key, "parley");
}

void cq_identity_free(cq_identity *identity) {
    if (identity) gnutls_certificate_free_credentials(identity);
}

static ngtcp2_conn *referenced(ngtcp2_crypto_conn_ref *reference) {
    return ((cq_conn *)reference->user_data)->quic;
}

// The whole public key infrastructure: one certificate, its key, and the proof of it that TLS has demanded by now.
static int verify(gnutls_session_t session) {
    cq_conn *conn = ((ngtcp2_crypto_conn_ref *)gnutls_session_get_ptr(session))->user_data;
    if (!cc_peer_key(session, conn->peer_key)) return GNUTLS_E_CERTIFICATE_ERROR;
    if (conn->is_pinned && gnutls_memcmp(conn->peer_key, conn->pinned, CQ_KEY_SIZE) != 0) {
        conn->has_wrong_key = true;
        return GNUTLS_E_CERTIFICATE_ERROR;
    }
    conn->has_peer_key = true;
    return 0;
}

static bool set_protocol(gnutls_session_t session, const char *name) {
    gnutls_datum_t protocol = {(uint8_t *)name, (unsigned)strlen(name)};
    return gnutls_alpn_set_protocols(session, &protocol, 1, GNUTLS_ALPN_MANDATORY) == 0;
}

static bool configure(cq_conn *conn) {
    return (conn->is_server ? ngtcp2_crypto_gnutls_configure_server_session(conn->tls)
                            : ngtcp2_crypto_gnutls_configure_client_session(conn->tls)) == 0;
}

bool cq_tls_start(cq_conn *conn, const cq_config *config) {
    // No tickets: a session is never resumed, so every one proves both keys anew and nothing is sent early.
    unsigned flags = (conn->is_server ? GNUTLS_SERVER | GNUTLS_NO_AUTO_SEND_TICKET : GNUTLS_CLIENT)
        | GNUTLS_NO_END_OF_EARLY_DATA | GNUTLS_NO_TICKETS;
    if (gnutls_init(&conn->tls, flags) != 0) return false;
    if (gnutls_priority_set_direct(conn->tls, priorities, NULL) != 0 || !configure(conn)
        || gnutls_credentials_set(conn->tls, GNUTLS_CRD_CERTIFICATE, config->identity) != 0
        || !set_protocol(conn->tls, config->protocol)) {
        return false;
    }
    conn->reference = (ngtcp2_crypto_conn_ref){.get_conn = referenced, .user_data = conn};
    gnutls_session_set_ptr(conn->tls, &conn->reference);
    gnutls_session_set_verify_function(conn->tls, verify);
    if (conn->is_server) gnutls_certificate_server_set_request(conn->tls, GNUTLS_CERT_REQUIRE);
    ngtcp2_conn_set_tls_native_handle(conn->quic, conn->tls);
    return true;
}
