// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "include/cquic.h"
#include "compat.h"
#include "outbox.h"
#include <gnutls/gnutls.h>
#include <ngtcp2/ngtcp2_crypto.h>

typedef struct cq_stream {
    struct cq_stream *next; // in the order of their numbers
    int64_t id;
    bool is_open;           // known to ngtcp2
    cq_outbox outbox;
} cq_stream;

struct cq_conn {
    ngtcp2_conn *quic;
    gnutls_session_t tls;
    ngtcp2_crypto_conn_ref reference;
    cq_events events;
    cq_stream *streams;
    uint64_t keep_alive;
    uint64_t progress;
    uint64_t unanswered_since;
    uint64_t ahead;         // of the caller's clock is ngtcp2's
    uint64_t hurried;       // of that, since something new was acknowledged
    uint8_t id[CQ_ID_SIZE];
    uint8_t pinned[CQ_KEY_SIZE], peer_key[CQ_KEY_SIZE];
    bool is_server, is_pinned, has_peer_key, has_wrong_key, is_confirmed, was_retried;
    int error;              // ngtcp2's last one that ended it
};

cq_stream *cq_stream_find(cq_conn *conn, int64_t id);
cq_stream *cq_stream_make(cq_conn *conn, int64_t id);
void cq_stream_remove(cq_conn *conn, int64_t id);

// TLS over the connection's ngtcp2 half.
bool cq_tls_start(cq_conn *conn, const cq_config *config);

extern const ngtcp2_callbacks cq_callbacks;
