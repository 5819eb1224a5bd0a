// SPDX-License-Identifier: GPL-3.0-or-later
// The machine's network interfaces, what the kernel says of their changes, and multicast on each of them. No policy
// lives here.
#ifndef CINTERFACES_H
#define CINTERFACES_H

#include "cdatagram.h"

/// What is said of an IPv6 address (`IFA_F_…` of the kernel); those of IPv4 have none of it.
enum {
    cp_address_temporary = 0x01,
    cp_address_unusable = 0x08 | 0x20 | 0x40,  // found twice, deprecated, or still being tried out
};

/// An address of an interface that is up and running, in host byte order. The loopback's are among them.
typedef struct {
    uint64_t high, low;
    uint32_t interface;
    uint8_t family, prefix_length, flags, is_loopback, is_multicast;
} cp_interface;

/// At most `count` addresses, link-local IPv6 ones left out. Returns how many.
int cp_interfaces(cp_interface *_Nonnull addresses, int count);

/// By which interface and over which router packets for the Internet leave; all 0 when they don't.
typedef struct {
    uint64_t gateway_high, gateway_low;
    uint32_t interface;
} cp_route;

/// The way to the Internet for a family of 4 or 6. Asks the kernel; sends nothing.
void cp_route_outside(int family, cp_route *_Nonnull route);

/// A socket, non-blocking and close-on-exec, that becomes readable when a link, an address or a route changes; -1 with
/// errno.
int cp_route_socket(void);
/// Takes what waits there, or a part of it if it is much.
void cp_route_drain(int descriptor);

/// A UDP socket, non-blocking and close-on-exec, that receives what is sent to an IPv4 multicast group and port, on
/// interfaces that it joins alone; other programs may have one too. -1 with errno.
int cp_group_open(uint32_t group, uint16_t port, int buffer);
/// Joins the group on an interface, or leaves it. 0, also when it was so already; -1 with errno.
int cp_group_join(int descriptor, uint32_t group, uint32_t interface);
int cp_group_leave(int descriptor, uint32_t group, uint32_t interface);
/// Sends a datagram to an IPv4 group by one interface and from one of its addresses, no further than its network, from
/// the port that the socket is bound to: of IPv4, or of both families. 0, or -1 with errno.
int cp_group_send(
    int descriptor, uint32_t group, uint16_t port, uint32_t interface, uint32_t source, const uint8_t *_Nonnull bytes,
    size_t length);

#endif
