// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// TLS 1.3 (RFC 8446) on a non-blocking TCP socket between Ed25519 keys: GnuTLS behind a narrow door.
