// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// QUIC version 1 (RFC 9000) with TLS 1.3 between two Ed25519 keys: ngtcp2 and GnuTLS behind a narrow door.
//
// No sockets, no threads, no clocks and no policy live here: the caller feeds packets and the time, and takes packets.
// Times are nanoseconds of one monotonic clock. Everything of one connection belongs to one thread at a time.
//
// ngtcp2 sees one constant network path; which addresses packets really travel between is the caller's business.

#define CQ_KEY_SIZE 32
// Octets of the connection IDs that we choose.
#define CQ_ID_SIZE 16
// Octets of the longest connection ID of QUIC version 1.
#define CQ_MAX_ID_SIZE 20
// Octets of the longest packet that is written: what every path carries (RFC 9000, §14).
#define CQ_PACKET_SIZE 1200
#define CQ_TOKEN_SECRET_SIZE 32
#define CQ_EXPORT_SIZE 32
#define CQ_NEVER UINT64_MAX

// MARK: Identities

// A self-signed certificate over an Ed25519 key and the key itself.
typedef struct gnutls_certificate_credentials_st cq_identity;

// Makes it in memory. The certificate says nothing but the key: constant name, serial number and validity.
// Returns NULL when the two halves do not belong together, or without memory.
cq_identity *cq_identity_new(const uint8_t seed[CQ_KEY_SIZE], const uint8_t key[CQ_KEY_SIZE]);
void cq_identity_free(cq_identity *identity);

// MARK: Packets outside of connections

typedef struct {
    uint8_t destination[CQ_MAX_ID_SIZE];
    size_t destination_size;
    bool is_long;
} cq_header;

// Reads what leads a packet to its connection; short headers carry an ID of CQ_ID_SIZE. False for anything that is no
// packet of QUIC version 1: for version negotiation too.
bool cq_packet_header(const uint8_t *packet, size_t size, cq_header *header);

// Whether a server may make a connection for this packet: a full-sized Initial.
bool cq_packet_is_first(const uint8_t *packet, size_t size);

// A client's address as retry tokens are bound to it: 16 octets of IPv6 (IPv4 mapped) and the port.
typedef struct {
    uint8_t address[16];
    uint16_t port;
} cq_address;

// Answers a first packet with a Retry (RFC 9000, §8.1.2) that is good for that client address.
// Returns the packet's size, or 0 when there can be none.
size_t cq_retry_write(
    uint8_t *destination, size_t capacity, const uint8_t *packet, size_t size, const cq_address *client,
    const uint8_t secret[CQ_TOKEN_SECRET_SIZE], uint64_t now);

// Whether a first packet carries a token that `cq_retry_write` made for that client, at most `lifetime` ago.
bool cq_retry_is_answered(
    const uint8_t *packet, size_t size, const cq_address *client, const uint8_t secret[CQ_TOKEN_SECRET_SIZE],
    uint64_t lifetime, uint64_t now);

// MARK: Connections

typedef struct cq_conn cq_conn;

// What a connection tells while it is fed. No function of the connection may be called from inside.
typedef struct {
    void *context;
    // The next octets of a stream, in order and once each. `fin`: there will be no more.
    void (*stream_data)(void *context, int64_t stream, const uint8_t *bytes, size_t count, bool fin);
    // A stream is over, orderly or not.
    void (*stream_closed)(void *context, int64_t stream);
    // Packets to this ID are for this connection from now on, or no longer.
    void (*id_added)(void *context, const uint8_t id[CQ_ID_SIZE]);
    void (*id_removed)(void *context, const uint8_t id[CQ_ID_SIZE]);
} cq_events;

typedef struct {
    cq_identity *identity;          // must outlive the connection
    const uint8_t *pinned;          // the only key that the other side may hold; NULL on a server: any, and recorded
    const char *protocol;           // the ALPN name (RFC 7301) that both sides must speak
    uint64_t keep_alive;            // send a sign of life after such a silence; 0: don't
    uint64_t idle_timeout;          // give up after such a silence
    uint64_t handshake_timeout;     // give up a handshake after so long
    uint64_t stream_window;         // octets of one stream that may arrive ahead of `cq_conn_consume`
    uint64_t connection_window;     // the same of all streams together
    uint64_t streams;               // bidirectional streams that the other side may have open; others it may not open
    uint64_t now;
    cq_events events;
} cq_config;

// A client of the holder of `pinned`. NULL without memory.
cq_conn *cq_conn_client(const cq_config *config);

// The server's side of what `packet` begins; the packet must still be fed. `secret`: when the packet answers a Retry.
// NULL for a packet that begins nothing, or without memory.
cq_conn *cq_conn_server(
    const cq_config *config, const uint8_t *packet, size_t size, const cq_address *client,
    const uint8_t *secret, uint64_t token_lifetime);

void cq_conn_free(cq_conn *conn);

typedef enum {
    CQ_OK = 0,
    CQ_CLOSED_BY_PEER,      // see cq_conn_peer_error
    CQ_IDLE,                // silence for longer than allowed
    CQ_HANDSHAKE_TIMEOUT,
    CQ_WRONG_KEY,           // the other side proved another key than the pinned one
    CQ_TLS_FAILED,          // no common protocol, no acceptable certificate, a forged handshake
    CQ_PROTOCOL,            // the other side broke QUIC
    CQ_GONE,                // forget it without a word
    CQ_INTERNAL,            // memory, or a fault of ours
} cq_result;

// Takes a packet off the wire. What does not decrypt is ignored, as QUIC has it.
cq_result cq_conn_read(cq_conn *conn, const uint8_t *packet, size_t size, uint64_t now);

// Does what is due once `cq_conn_expiry` has passed.
cq_result cq_conn_expire(cq_conn *conn, uint64_t now);

// The next moment for `cq_conn_expire` and a round of writing; CQ_NEVER for none.
uint64_t cq_conn_expiry(cq_conn *conn);

// Sends again what waits for an acknowledgement with the next round of writing, however far its timer has backed off
// while the path was dead: puts this connection's own clock forward to its next timer. Does nothing when all is
// acknowledged. Timers of this machine's own that come sooner, as that of a pause between packets, come first: call it
// once for each.
cq_result cq_conn_hurry(cq_conn *conn, uint64_t now);

// Writes the next packet, of at most CQ_PACKET_SIZE octets; `*written` is 0 when there is nothing to send for now.
// Streams go in the order of their numbers: stream 0 before bulk data.
cq_result cq_conn_write(cq_conn *conn, uint8_t *destination, size_t capacity, size_t *written, uint64_t now);

// Ends a round of writing: the pacer reckons from here.
void cq_conn_wrote(cq_conn *conn, uint64_t now);

// How many octets may leave in one round.
size_t cq_conn_quantum(cq_conn *conn);

// Writes the one packet that tells the other side that, and why, this is over; 0 when it can't be told. Afterwards only
// `cq_conn_free` makes sense. `cq_conn_write_close` gives an application's code, the other one what `result` means.
size_t cq_conn_write_close(cq_conn *conn, uint8_t *destination, size_t capacity, uint64_t code, uint64_t now);
size_t cq_conn_write_failure(cq_conn *conn, uint8_t *destination, size_t capacity, cq_result result, uint64_t now);

// Opens a bidirectional stream. Returns its number, or -1 when the other side allows no more.
int64_t cq_conn_open_stream(cq_conn *conn);

// Queues a copy of octets for a stream. On one that the other side has yet to open they wait for that.
// Returns false without memory, or for a stream that is over.
bool cq_conn_send(cq_conn *conn, int64_t stream, const uint8_t *bytes, size_t count);

// Octets that were queued and not yet acknowledged, of all streams.
size_t cq_conn_buffered(const cq_conn *conn);

// Lets the other side send so many octets more than before.
void cq_conn_consume(cq_conn *conn, int64_t stream, size_t count);

// Makes the next packet ask for an acknowledgement, whatever else it holds.
void cq_conn_probe(cq_conn *conn);

// Whether both sides know that the handshake is done (RFC 9001, §4.1.2).
bool cq_conn_is_confirmed(const cq_conn *conn);

// The key that the other side proved to hold; false before the handshake is complete.
bool cq_conn_peer_key(const cq_conn *conn, uint8_t key[CQ_KEY_SIZE]);

// Secret octets that only the two ends of this connection know (RFC 8446, §7.5); false before it is confirmed.
bool cq_conn_export(const cq_conn *conn, const char *label, uint8_t secret[CQ_EXPORT_SIZE]);

// Grows with every packet that proved to be authentic and brought something new: handshake, stream data, or the
// acknowledgement of something.
uint64_t cq_conn_progress(const cq_conn *conn);

// Since when an answer is due: the last acknowledgement of something new, or what was sent first after it. CQ_NEVER
// when nothing is unacknowledged.
uint64_t cq_conn_unanswered_since(const cq_conn *conn);

// The last round trip that was measured; 0 before there was one.
uint64_t cq_conn_round_trip(cq_conn *conn);

// The error that the other side closed with: its number, and whether it is an application's.
uint64_t cq_conn_peer_error(cq_conn *conn, bool *is_application);

// The connection ID that we chose first.
void cq_conn_id(const cq_conn *conn, uint8_t id[CQ_ID_SIZE]);
