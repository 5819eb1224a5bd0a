// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// TLS 1.3 (RFC 8446) on a non-blocking TCP socket between Ed25519 keys: GnuTLS behind a narrow door. No policy, no
// threads: whose key is good enough, and when to try again, is the caller's business.

enum { CT_KEY_SIZE = 32 };

/// What is no count of octets.
enum {
    CT_WANTS_READ = -1,   // again, once the socket can be read
    CT_WANTS_WRITE = -2,  // again, once it can be written
    CT_CUT = -3,          // the stream ended without TLS having said so
    CT_FAILED = -4,       // ct_system_error or ct_reason says why
};

/// A self-signed certificate over an Ed25519 key, in memory. It must outlive its streams.
typedef struct gnutls_certificate_credentials_st ct_credentials;
/// One TLS connection. The socket stays its owner's to close, after `ct_stream_free`.
typedef struct ct_stream ct_stream;

/// The credentials of a 32-octet seed and its key; both NULL for a client, which shows none. NULL: out of memory, or no
/// such key.
ct_credentials *_Nullable ct_credentials_new(const uint8_t *_Nullable seed, const uint8_t *_Nullable key);
void ct_credentials_free(ct_credentials *_Nullable credentials);

/// TLS over a connected socket, for `protocol` (ALPN, RFC 7301) and nothing else. NULL: out of memory.
ct_stream *_Nullable ct_stream_new(
    int descriptor, ct_credentials *_Nonnull credentials, const char *_Nonnull protocol, bool is_server);
void ct_stream_free(ct_stream *_Nullable stream);

/// 0 once both sides agree; a client then knows the server's key, and that the server holds it.
int ct_handshake(ct_stream *_Nonnull stream);
/// Reads a record or the rest of one; 0 when the other side said that it sends no more. Octets for 2^14 leave nothing
/// behind that poll(2) would not tell of.
ptrdiff_t ct_read(ct_stream *_Nonnull stream, uint8_t *_Nonnull octets, size_t count);
/// Writes a record of at most 2^14 octets. After "again" it wants the same octets and the same count.
ptrdiff_t ct_write(ct_stream *_Nonnull stream, const uint8_t *_Nonnull octets, size_t count);
/// Says that no more will be sent, if the socket takes it at once.
void ct_finish(ct_stream *_Nonnull stream);

/// The other side's key; false before the handshake is done, and for a chain that is not one Ed25519 certificate.
bool ct_peer_key(ct_stream *_Nonnull stream, uint8_t key[_Nonnull CT_KEY_SIZE]);
/// Why the socket failed, as errno has it; 0 when it was TLS.
int ct_system_error(const ct_stream *_Nonnull stream);
/// Why TLS failed, in the library's words.
const char *_Nonnull ct_reason(const ct_stream *_Nonnull stream);
