// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <gnutls/gnutls.h>
#include <stdbool.h>
#include <stdint.h>

// Ed25519 keys (RFC 8032) as TLS shows them: each in a self-signed certificate that says nothing but the key.

#define CC_KEY_SIZE 32

/// A certificate over the key of a 32-octet seed, made in memory, with a constant serial number and validity. With both
/// NULL there is none: for a client that shows no key. NULL: out of memory, or the two do not belong together.
gnutls_certificate_credentials_t cc_credentials_new(const uint8_t *seed, const uint8_t *key, const char *common_name);

/// The Ed25519 key of the other side's chain; false for any chain but one such certificate.
bool cc_peer_key(gnutls_session_t session, uint8_t key[CC_KEY_SIZE]);
