// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "include/ctls.h"
#include <gnutls/gnutls.h>

struct ct_credentials {
    gnutls_certificate_credentials_t handle;
};

// The Ed25519 key of a chain of exactly one certificate; false for any other chain.
bool ct_certificate_key(gnutls_session_t session, uint8_t key[CT_KEY_SIZE]);
