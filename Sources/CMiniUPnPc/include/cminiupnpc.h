// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <miniupnpc/miniupnpc.h>
#include <miniupnpc/upnpcommands.h>
#include <miniupnpc/upnperrors.h>

// UPNP_GetValidIGD, whose arguments differ between versions of the library: 1 for a connected gateway.
int cm_valid_gateway(
    struct UPNPDev *devices, struct UPNPUrls *urls, struct IGDdatas *data, char *local_address, int local_size);
