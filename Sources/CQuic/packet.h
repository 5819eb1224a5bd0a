// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "include/cquic.h"
#include <ngtcp2/ngtcp2.h>

// Reads a packet that may begin a connection.
bool cq_packet_first(const uint8_t *packet, size_t size, ngtcp2_pkt_hd *header);

// The connection ID that the client chose before our Retry, from the token in its answer.
bool cq_packet_token(
    const ngtcp2_pkt_hd *header, const cq_address *client, const uint8_t *secret, uint64_t lifetime, uint64_t now,
    ngtcp2_cid *original);
