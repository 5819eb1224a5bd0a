// SPDX-License-Identifier: GPL-3.0-or-later
// UPnP port mappings, each request in a process of its own. The library reads what any machine on the network sends as
// the router's description, into memory without a bound and as slowly as that machine likes; a process can be given
// limits and killed. No policy lives here.
#ifndef CMINIUPNPC_H
#define CMINIUPNPC_H

#include <stdint.h>
#include <sys/types.h>

enum {
    cm_url_size = 256,      // of descriptions, with the zero at the end; longer ones count as none
    cm_address_size = 46,
};

enum cm_command { cm_look, cm_map, cm_unmap };

typedef struct {
    enum cm_command command;
    uint16_t port, external_port;
    uint32_t lease_seconds;
    uint32_t search_milliseconds;
    /// Where the router's description lay last time; empty to search for it.
    char url[cm_url_size];
} cm_request;

enum {
    cm_done = 0,
    cm_no_router = -1000,   // nobody answered
    cm_no_gateway = -1001,  // somebody answered, but is no Internet gateway
};

typedef struct {
    /// `cm_…`, an error code of the router (UPnP Device Architecture: 402 and above), or one of the library (below 0).
    int32_t code;
    uint16_t external_port;
    /// 0 for a mapping without an end.
    uint32_t lease_seconds;
    char address[cm_address_size];
    char url[cm_url_size];
} cm_answer;

/// Starts a request. Its `cm_answer` comes out of `descriptor`, or the end of file if it failed; the caller closes
/// that, and reaps the process. Returns its ID, or -1 with errno.
pid_t cm_start(const cm_request *_Nonnull request, int *_Nonnull descriptor);
/// Ends the process of a request, if it has not ended, and reaps it.
void cm_end(pid_t process);

#endif
