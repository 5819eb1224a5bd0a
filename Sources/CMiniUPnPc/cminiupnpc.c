// SPDX-License-Identifier: GPL-3.0-or-later
#include "cminiupnpc.h"

int cm_valid_gateway(
    struct UPNPDev *devices, struct UPNPUrls *urls, struct IGDdatas *data, char *local_address, int local_size) {
#if MINIUPNPC_API_VERSION >= 18
    return UPNP_GetValidIGD(devices, urls, data, local_address, local_size, NULL, 0);
#else
    return UPNP_GetValidIGD(devices, urls, data, local_address, local_size);
#endif
}
