// SPDX-License-Identifier: GPL-3.0-or-later
#include "packet.h"
#include "compat.h"
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <netinet/in.h>
#include <ngtcp2/ngtcp2_crypto.h>
#include <string.h>

bool cq_packet_header(const uint8_t *packet, size_t size, cq_header *header) {
    ngtcp2_version_cid ids;
    if (size == 0 || ngtcp2_pkt_decode_version_cid(&ids, packet, size, CQ_ID_SIZE) != 0) return false;
    header->is_long = packet[0] & 0x80;
    if (header->is_long && ids.version != NGTCP2_PROTO_VER_V1) return false;
    if (ids.dcidlen > CQ_MAX_ID_SIZE || ids.scidlen > CQ_MAX_ID_SIZE) return false;
    header->destination_size = ids.dcidlen;
    if (ids.dcidlen) memcpy(header->destination, ids.dcid, ids.dcidlen);
    return true;
}

bool cq_packet_first(const uint8_t *packet, size_t size, ngtcp2_pkt_hd *header) {
    cq_header ids;
    return cq_packet_header(packet, size, &ids) && ids.is_long && size <= NGTCP2_MAX_PMTUD_UDP_PAYLOAD_SIZE
        && ids.destination_size >= NGTCP2_MIN_INITIAL_DCIDLEN && ngtcp2_accept(header, packet, size) == 0
        && header->type == NGTCP2_PKT_INITIAL && header->version == NGTCP2_PROTO_VER_V1;
}

bool cq_packet_is_first(const uint8_t *packet, size_t size) {
    ngtcp2_pkt_hd header;
    return cq_packet_first(packet, size, &header);
}

static struct sockaddr_in6 socket_address(const cq_address *client) {
    struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_port = htons(client->port)};
    memcpy(&address.sin6_addr, client->address, sizeof client->address);
    return address;
}

bool cq_packet_token(
    const ngtcp2_pkt_hd *header, const cq_address *client, const uint8_t *secret, uint64_t lifetime, uint64_t now,
    ngtcp2_cid *original) {
    struct sockaddr_in6 address = socket_address(client);
    ngtcp2_vec token = cq_compat_token(header);
    // The library reads the kind of a token without asking for its size.
    return token.len > 0 && token.len <= NGTCP2_CRYPTO_MAX_RETRY_TOKENLEN
        && token.base[0] == NGTCP2_CRYPTO_TOKEN_MAGIC_RETRY
        && ngtcp2_crypto_verify_retry_token(
               original, token.base, token.len, secret, CQ_TOKEN_SECRET_SIZE, header->version,
               (const ngtcp2_sockaddr *)&address, sizeof address, &header->dcid, lifetime, now) == 0;
}

bool cq_retry_is_answered(
    const uint8_t *packet, size_t size, const cq_address *client, const uint8_t secret[CQ_TOKEN_SECRET_SIZE],
    uint64_t lifetime, uint64_t now) {
    ngtcp2_pkt_hd header;
    ngtcp2_cid original;
    return cq_packet_first(packet, size, &header)
        && cq_packet_token(&header, client, secret, lifetime, now, &original);
}

size_t cq_retry_write(
    uint8_t *destination, size_t capacity, const uint8_t *packet, size_t size, const cq_address *client,
    const uint8_t secret[CQ_TOKEN_SECRET_SIZE], uint64_t now) {
    ngtcp2_pkt_hd header;
    if (!cq_packet_first(packet, size, &header)) return 0;
    ngtcp2_cid id = {.datalen = CQ_ID_SIZE};
    if (gnutls_rnd(GNUTLS_RND_RANDOM, id.data, id.datalen) != 0) return 0;
    struct sockaddr_in6 address = socket_address(client);
    uint8_t token[NGTCP2_CRYPTO_MAX_RETRY_TOKENLEN];
    ngtcp2_ssize token_size = ngtcp2_crypto_generate_retry_token(
        token, secret, CQ_TOKEN_SECRET_SIZE, header.version, (const ngtcp2_sockaddr *)&address, sizeof address, &id,
        &header.dcid, now);
    if (token_size <= 0) return 0;
    ngtcp2_ssize written = ngtcp2_crypto_write_retry(
        destination, capacity, header.version, &header.scid, &id, &header.dcid, token, (size_t)token_size);
    return written > 0 ? (size_t)written : 0;
}
