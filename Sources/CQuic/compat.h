// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// What ngtcp2 0.x and 1.x call by different names. Nothing else in this target depends on its version.
#include <ngtcp2/ngtcp2.h>
#include <stdbool.h>

#if NGTCP2_VERSION_NUM >= 0x010000
typedef ngtcp2_encryption_level cq_level;
#else
typedef ngtcp2_crypto_level cq_level;
#endif

typedef struct {
    uint64_t latest_rtt;
    bool has_rtt;
    uint64_t bytes_in_flight;
} cq_stat;

cq_stat cq_compat_stat(ngtcp2_conn *conn);

// The congestion control that stands a lossy path.
ngtcp2_cc_algo cq_compat_bbr(void);

// The token in a first packet.
ngtcp2_vec cq_compat_token(const ngtcp2_pkt_hd *header);

// The token that a client's first packets must all carry.
void cq_compat_set_token(ngtcp2_settings *settings, const ngtcp2_pkt_hd *header);

void cq_compat_set_original_id(ngtcp2_transport_params *params, const ngtcp2_cid *id);

// The error that the other side closed with.
uint64_t cq_compat_peer_error(ngtcp2_conn *conn, bool *is_application);

// CONNECTION_CLOSE with an application's code, and with what an ngtcp2 error means.
ngtcp2_ssize cq_compat_write_close(
    ngtcp2_conn *conn, uint8_t *destination, size_t capacity, uint64_t code, uint64_t now);
ngtcp2_ssize cq_compat_write_failure(
    ngtcp2_conn *conn, uint8_t *destination, size_t capacity, int error, uint64_t now);
