// SPDX-License-Identifier: GPL-3.0-or-later
#include "connection.h"
#include "packet.h"
#include <gnutls/crypto.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

// Without it the first flight is paced for a third of a second (RFC 9002, §6.2.2, recommends 333 ms).
static const uint64_t initial_round_trip = 50 * NGTCP2_MILLISECONDS;

// MARK: The one clock that ngtcp2 knows

// How far the clock may be put forward before something new is acknowledged: less than the idle timeout leaves.
static const uint64_t longest_hurry = 10 * NGTCP2_SECONDS;

static uint64_t clock_of(const cq_conn *conn, uint64_t now) { return now + conn->ahead; }

// MARK: The one path that ngtcp2 knows

static const struct sockaddr_in6 pseudo_address = {.sin6_family = AF_INET6};

static ngtcp2_path pseudo_path(void) {
    ngtcp2_addr address = {.addr = (ngtcp2_sockaddr *)&pseudo_address, .addrlen = sizeof pseudo_address};
    return (ngtcp2_path){.local = address, .remote = address};
}

// MARK: Making

static ngtcp2_settings settings_of(const cq_config *config) {
    ngtcp2_settings settings;
    ngtcp2_settings_default(&settings);
    settings.cc_algo = cq_compat_bbr();
    settings.initial_ts = config->now;
    settings.initial_rtt = initial_round_trip;
    settings.max_tx_udp_payload_size = CQ_PACKET_SIZE;
    settings.no_pmtud = 1;
    settings.handshake_timeout = config->handshake_timeout;
    return settings;
}

static ngtcp2_transport_params params_of(const cq_config *config) {
    ngtcp2_transport_params params;
    ngtcp2_transport_params_default(&params);
    params.initial_max_stream_data_bidi_local = config->stream_window;
    params.initial_max_stream_data_bidi_remote = config->stream_window;
    params.initial_max_data = config->connection_window;
    params.initial_max_streams_bidi = config->streams;
    params.max_idle_timeout = config->idle_timeout;
    params.max_udp_payload_size = CQ_PACKET_SIZE;
    params.active_connection_id_limit = 2;
    params.disable_active_migration = 1;
    return params;
}

static bool random_id(ngtcp2_cid *id) {
    id->datalen = CQ_ID_SIZE;
    return gnutls_rnd(GNUTLS_RND_RANDOM, id->data, id->datalen) == 0;
}

static cq_conn *new_conn(const cq_config *config, const ngtcp2_cid *id, bool is_server) {
    cq_conn *conn = calloc(1, sizeof *conn);
    if (!conn) return NULL;
    memcpy(conn->id, id->data, CQ_ID_SIZE);
    conn->is_server = is_server;
    conn->events = config->events;
    conn->keep_alive = config->keep_alive;
    conn->unanswered_since = CQ_NEVER;
    conn->is_pinned = config->pinned;
    if (config->pinned) memcpy(conn->pinned, config->pinned, CQ_KEY_SIZE);
    return conn;
}

// Takes over what was built so far: a connection, or NULL.
static cq_conn *finish(cq_conn *conn, int result, const cq_config *config) {
    if (result == 0 && cq_tls_start(conn, config)) {
        ngtcp2_conn_set_keep_alive_timeout(conn->quic, conn->keep_alive);
        return conn;
    }
    cq_conn_free(conn);
    return NULL;
}

cq_conn *cq_conn_client(const cq_config *config) {
    ngtcp2_cid destination, source;
    if (!config->pinned || !random_id(&destination) || !random_id(&source)) return NULL;
    cq_conn *conn = new_conn(config, &source, false);
    if (!conn) return NULL;
    ngtcp2_settings settings = settings_of(config);
    ngtcp2_transport_params params = params_of(config);
    ngtcp2_path path = pseudo_path();
    int result = ngtcp2_conn_client_new(
        &conn->quic, &destination, &source, &path, NGTCP2_PROTO_VER_V1, &cq_callbacks, &settings, &params, NULL, conn);
    return finish(conn, result, config);
}

cq_conn *cq_conn_server(
    const cq_config *config, const uint8_t *packet, size_t size, const cq_address *client,
    const uint8_t *secret, uint64_t token_lifetime) {
    ngtcp2_pkt_hd header;
    ngtcp2_cid original, source;
    if (!cq_packet_first(packet, size, &header) || !random_id(&source)) return NULL;
    ngtcp2_settings settings = settings_of(config);
    ngtcp2_transport_params params = params_of(config);
    if (secret) {
        if (!cq_packet_token(&header, client, secret, token_lifetime, config->now, &original)) return NULL;
        cq_compat_set_original_id(&params, &original);
        params.retry_scid = header.dcid;
        params.retry_scid_present = 1;
        cq_compat_set_token(&settings, &header);
    } else {
        cq_compat_set_original_id(&params, &header.dcid);
    }
    cq_conn *conn = new_conn(config, &source, true);
    if (!conn) return NULL;
    ngtcp2_path path = pseudo_path();
    int result = ngtcp2_conn_server_new(
        &conn->quic, &header.scid, &source, &path, NGTCP2_PROTO_VER_V1, &cq_callbacks, &settings, &params, NULL, conn);
    return finish(conn, result, config);
}

void cq_conn_free(cq_conn *conn) {
    if (!conn) return;
    if (conn->quic) ngtcp2_conn_del(conn->quic);
    if (conn->tls) gnutls_deinit(conn->tls);
    while (conn->streams) cq_stream_remove(conn, conn->streams->id);
    gnutls_memset(conn, 0, sizeof *conn);
    free(conn);
}

// MARK: Feeding

static cq_result result_of(cq_conn *conn, int error) {
    if (error == 0) return CQ_OK;
    conn->error = error;
    if (conn->has_wrong_key) return CQ_WRONG_KEY;
    switch (error) {
    case NGTCP2_ERR_DRAINING: return CQ_CLOSED_BY_PEER;
    case NGTCP2_ERR_IDLE_CLOSE: return CQ_IDLE;
    case NGTCP2_ERR_HANDSHAKE_TIMEOUT: return CQ_HANDSHAKE_TIMEOUT;
    case NGTCP2_ERR_CRYPTO: return CQ_TLS_FAILED;
    case NGTCP2_ERR_DROP_CONN:
    case NGTCP2_ERR_RETRY:
    case NGTCP2_ERR_CLOSING: return CQ_GONE;
    case NGTCP2_ERR_NOMEM:
    case NGTCP2_ERR_CALLBACK_FAILURE:
    case NGTCP2_ERR_INTERNAL: return CQ_INTERNAL;
    default: return CQ_PROTOCOL;
    }
}

// What is in flight shrinks only when something new was acknowledged.
static void note_answers(cq_conn *conn, uint64_t before, uint64_t now) {
    uint64_t after = cq_compat_stat(conn->quic).bytes_in_flight;
    if (after < before && !conn->was_retried) {
        conn->progress++;
        conn->unanswered_since = now;
        conn->hurried = 0;
    }
    conn->was_retried = false;
    if (after == 0) conn->unanswered_since = CQ_NEVER;
    else if (conn->unanswered_since == CQ_NEVER) conn->unanswered_since = now;
}

cq_result cq_conn_read(cq_conn *conn, const uint8_t *packet, size_t size, uint64_t now) {
    if (size == 0) return CQ_OK;
    uint64_t before = cq_compat_stat(conn->quic).bytes_in_flight;
    ngtcp2_path path = pseudo_path();
    ngtcp2_pkt_info info = {0};
    int error = ngtcp2_conn_read_pkt(conn->quic, &path, &info, packet, size, clock_of(conn, now));
    if (error == 0) note_answers(conn, before, now);
    return result_of(conn, error);
}

cq_result cq_conn_expire(cq_conn *conn, uint64_t now) {
    return result_of(conn, ngtcp2_conn_handle_expiry(conn->quic, clock_of(conn, now)));
}

uint64_t cq_conn_expiry(cq_conn *conn) {
    uint64_t moment = ngtcp2_conn_get_expiry(conn->quic);
    if (moment == UINT64_MAX) return CQ_NEVER;
    return moment > conn->ahead ? moment - conn->ahead : 0;
}

cq_result cq_conn_hurry(cq_conn *conn, uint64_t now) {
    uint64_t expiry = cq_conn_expiry(conn);
    if (!conn->is_confirmed || conn->unanswered_since == CQ_NEVER || expiry == CQ_NEVER) return CQ_OK;
    uint64_t step = expiry > now ? expiry - now : 0;
    if (step > longest_hurry - conn->hurried) return CQ_OK;
    conn->hurried += step;
    conn->ahead += step;
    return cq_conn_expire(conn, now);
}

// MARK: Writing

// The first stream with something that the other side's windows let through.
static cq_stream *writable_stream(cq_conn *conn) {
    if (!conn->is_confirmed || ngtcp2_conn_get_max_data_left(conn->quic) == 0) return NULL;
    for (cq_stream *stream = conn->streams; stream; stream = stream->next) {
        if (stream->is_open && stream->outbox.unsent
            && ngtcp2_conn_get_max_stream_data_left(conn->quic, stream->id) > 0) {
            return stream;
        }
    }
    return NULL;
}

static ngtcp2_ssize write_packet(
    cq_conn *conn, cq_stream *stream, uint8_t *destination, size_t capacity, uint64_t now) {
    ngtcp2_vec vectors[8];
    size_t count = stream ? cq_outbox_peek(&stream->outbox, vectors, sizeof vectors / sizeof *vectors) : 0;
    ngtcp2_ssize taken = -1;
    ngtcp2_pkt_info info;
    ngtcp2_ssize written = ngtcp2_conn_writev_stream(
        conn->quic, NULL, &info, destination, capacity, &taken, NGTCP2_WRITE_STREAM_FLAG_NONE,
        stream ? stream->id : -1, count ? vectors : NULL, count, clock_of(conn, now));
    if (stream && written >= 0 && taken > 0) cq_outbox_sent(&stream->outbox, (size_t)taken);
    return written;
}

cq_result cq_conn_write(cq_conn *conn, uint8_t *destination, size_t capacity, size_t *written, uint64_t now) {
    *written = 0;
    uint64_t before = cq_compat_stat(conn->quic).bytes_in_flight;
    ngtcp2_ssize size = write_packet(conn, writable_stream(conn), destination, capacity, now);
    if (size == NGTCP2_ERR_STREAM_DATA_BLOCKED || size == NGTCP2_ERR_STREAM_SHUT_WR
        || size == NGTCP2_ERR_STREAM_NOT_FOUND) {
        size = write_packet(conn, NULL, destination, capacity, now);
    }
    if (size < 0) return result_of(conn, (int)size);
    *written = (size_t)size;
    // Keys that are discarded while writing take their packets along: no answer.
    uint64_t after = cq_compat_stat(conn->quic).bytes_in_flight;
    if (after == 0) conn->unanswered_since = CQ_NEVER;
    else if (before == 0 || conn->unanswered_since == CQ_NEVER) conn->unanswered_since = now;
    return CQ_OK;
}

void cq_conn_wrote(cq_conn *conn, uint64_t now) {
    ngtcp2_conn_update_pkt_tx_time(conn->quic, clock_of(conn, now));
    // A probe lasts for one round.
    ngtcp2_conn_set_keep_alive_timeout(conn->quic, conn->keep_alive);
}

size_t cq_conn_quantum(cq_conn *conn) { return ngtcp2_conn_get_send_quantum(conn->quic); }

size_t cq_conn_write_close(cq_conn *conn, uint8_t *destination, size_t capacity, uint64_t code, uint64_t now) {
    ngtcp2_ssize size = cq_compat_write_close(conn->quic, destination, capacity, code, clock_of(conn, now));
    return size > 0 ? (size_t)size : 0;
}

size_t cq_conn_write_failure(cq_conn *conn, uint8_t *destination, size_t capacity, cq_result result, uint64_t now) {
    if (result == CQ_OK || result == CQ_CLOSED_BY_PEER || result == CQ_IDLE || result == CQ_GONE) return 0;
    int error = conn->error ? conn->error : NGTCP2_ERR_INTERNAL;
    ngtcp2_ssize size = cq_compat_write_failure(conn->quic, destination, capacity, error, clock_of(conn, now));
    return size > 0 ? (size_t)size : 0;
}

// There is no call for a PING; a keep-alive that is overdue is one.
void cq_conn_probe(cq_conn *conn) { ngtcp2_conn_set_keep_alive_timeout(conn->quic, 1); }

// MARK: State

bool cq_conn_is_confirmed(const cq_conn *conn) { return conn->is_confirmed && conn->has_peer_key; }

bool cq_conn_peer_key(const cq_conn *conn, uint8_t key[CQ_KEY_SIZE]) {
    if (!cq_conn_is_confirmed(conn)) return false;
    memcpy(key, conn->peer_key, CQ_KEY_SIZE);
    return true;
}

bool cq_conn_export(const cq_conn *conn, const char *label, uint8_t secret[CQ_EXPORT_SIZE]) {
    return cq_conn_is_confirmed(conn)
        && gnutls_prf_rfc5705(conn->tls, strlen(label), label, 0, NULL, CQ_EXPORT_SIZE, (char *)secret) == 0;
}

uint64_t cq_conn_progress(const cq_conn *conn) { return conn->progress; }

uint64_t cq_conn_unanswered_since(const cq_conn *conn) { return conn->unanswered_since; }

uint64_t cq_conn_round_trip(cq_conn *conn) {
    cq_stat stat = cq_compat_stat(conn->quic);
    return stat.has_rtt ? stat.latest_rtt : 0;
}

uint64_t cq_conn_peer_error(cq_conn *conn, bool *is_application) {
    return cq_compat_peer_error(conn->quic, is_application);
}

void cq_conn_id(const cq_conn *conn, uint8_t id[CQ_ID_SIZE]) { memcpy(id, conn->id, CQ_ID_SIZE); }
