// SPDX-License-Identifier: GPL-3.0-or-later
#include "connection.h"
#include <gnutls/crypto.h>

static void random_octets(uint8_t *destination, size_t count, const ngtcp2_rand_ctx *context) {
    (void)context;
    // Only for timers and grease, never for secrets, so a failure may pass.
    (void)gnutls_rnd(GNUTLS_RND_RANDOM, destination, count);
}

static int crypto_data(
    ngtcp2_conn *quic, cq_level level, uint64_t offset, const uint8_t *bytes, size_t count,
    void *user_data) {
    ((cq_conn *)user_data)->progress++;
    return ngtcp2_crypto_recv_crypto_data_cb(quic, level, offset, bytes, count, user_data);
}

// Takes what is in flight off the books without an answer to it.
static int retried(ngtcp2_conn *quic, const ngtcp2_pkt_hd *header, void *user_data) {
    ((cq_conn *)user_data)->was_retried = true;
    return ngtcp2_crypto_recv_retry_cb(quic, header, user_data);
}

static int make_id(ngtcp2_conn *quic, ngtcp2_cid *id, uint8_t *token, size_t size, void *user_data) {
    (void)quic;
    cq_conn *conn = user_data;
    // The token announces a stateless reset that is never sent.
    if (size != CQ_ID_SIZE || gnutls_rnd(GNUTLS_RND_RANDOM, id->data, size) != 0
        || gnutls_rnd(GNUTLS_RND_RANDOM, token, NGTCP2_STATELESS_RESET_TOKENLEN) != 0) {
        return NGTCP2_ERR_CALLBACK_FAILURE;
    }
    id->datalen = size;
    conn->events.id_added(conn->events.context, id->data);
    return 0;
}

static int remove_id(ngtcp2_conn *quic, const ngtcp2_cid *id, void *user_data) {
    (void)quic;
    cq_conn *conn = user_data;
    if (id->datalen == CQ_ID_SIZE) conn->events.id_removed(conn->events.context, id->data);
    return 0;
}

// For a server the handshake is confirmed when it is complete (RFC 9001, §4.1.2).
static int handshake_completed(ngtcp2_conn *quic, void *user_data) {
    (void)quic;
    cq_conn *conn = user_data;
    if (!conn->has_peer_key) return NGTCP2_ERR_CALLBACK_FAILURE;
    if (conn->is_server) conn->is_confirmed = true;
    return 0;
}

static int handshake_confirmed(ngtcp2_conn *quic, void *user_data) {
    (void)quic;
    ((cq_conn *)user_data)->is_confirmed = true;
    return 0;
}

static int stream_opened(ngtcp2_conn *quic, int64_t id, void *user_data) {
    (void)quic;
    cq_stream *stream = cq_stream_make(user_data, id);
    if (!stream) return NGTCP2_ERR_CALLBACK_FAILURE;
    stream->is_open = true;
    return 0;
}

static int stream_data(
    ngtcp2_conn *quic, uint32_t flags, int64_t id, uint64_t offset, const uint8_t *bytes, size_t count,
    void *user_data, void *stream_data) {
    (void)quic, (void)offset, (void)stream_data;
    cq_conn *conn = user_data;
    conn->progress++;
    conn->events.stream_data(conn->events.context, id, bytes, count, flags & NGTCP2_STREAM_DATA_FLAG_FIN);
    return 0;
}

static int stream_acknowledged(
    ngtcp2_conn *quic, int64_t id, uint64_t offset, uint64_t count, void *user_data, void *stream_data) {
    (void)quic, (void)offset, (void)stream_data;
    cq_stream *stream = cq_stream_find(user_data, id);
    if (stream) cq_outbox_acknowledged(&stream->outbox, (size_t)count);
    return 0;
}

static int stream_closed(
    ngtcp2_conn *quic, uint32_t flags, int64_t id, uint64_t code, void *user_data, void *stream_data) {
    (void)flags, (void)code, (void)stream_data;
    cq_conn *conn = user_data;
    cq_stream_remove(conn, id);
    if (!ngtcp2_conn_is_local_stream(quic, id)) ngtcp2_conn_extend_max_streams_bidi(quic, 1);
    conn->events.stream_closed(conn->events.context, id);
    return 0;
}

static int stream_abandoned(ngtcp2_conn *quic, int64_t id, uint64_t code, void *user_data, void *stream_data) {
    (void)quic, (void)code, (void)stream_data;
    cq_conn *conn = user_data;
    conn->events.stream_closed(conn->events.context, id);
    return 0;
}

static int stream_reset(
    ngtcp2_conn *quic, int64_t id, uint64_t size, uint64_t code, void *user_data, void *stream_data) {
    (void)size;
    return stream_abandoned(quic, id, code, user_data, stream_data);
}

const ngtcp2_callbacks cq_callbacks = {
    .client_initial = ngtcp2_crypto_client_initial_cb,
    .recv_client_initial = ngtcp2_crypto_recv_client_initial_cb,
    .recv_crypto_data = crypto_data,
    .recv_retry = retried,
    .encrypt = ngtcp2_crypto_encrypt_cb,
    .decrypt = ngtcp2_crypto_decrypt_cb,
    .hp_mask = ngtcp2_crypto_hp_mask_cb,
    .update_key = ngtcp2_crypto_update_key_cb,
    .delete_crypto_aead_ctx = ngtcp2_crypto_delete_crypto_aead_ctx_cb,
    .delete_crypto_cipher_ctx = ngtcp2_crypto_delete_crypto_cipher_ctx_cb,
    .get_path_challenge_data = ngtcp2_crypto_get_path_challenge_data_cb,
    .version_negotiation = ngtcp2_crypto_version_negotiation_cb,
    .rand = random_octets,
    .get_new_connection_id = make_id,
    .remove_connection_id = remove_id,
    .handshake_completed = handshake_completed,
    .handshake_confirmed = handshake_confirmed,
    .stream_open = stream_opened,
    .recv_stream_data = stream_data,
    .acked_stream_data_offset = stream_acknowledged,
    .stream_close = stream_closed,
    .stream_reset = stream_reset,
    .stream_stop_sending = stream_abandoned,
};
