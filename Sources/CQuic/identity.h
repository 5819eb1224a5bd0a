// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "include/cquic.h"
#include <gnutls/gnutls.h>

struct cq_identity {
    gnutls_certificate_credentials_t credentials;
};

// The Ed25519 key of a chain of exactly one certificate; false for any other chain.
bool cq_identity_of_peer(gnutls_session_t session, uint8_t key[CQ_KEY_SIZE]);
