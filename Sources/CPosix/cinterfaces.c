// SPDX-License-Identifier: GPL-3.0-or-later
#define _GNU_SOURCE
#include "cinterfaces.h"
#include "internal.h"
#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int prefix_length(const uint8_t *mask, int octets) {
    int bits = 0;
    for (int i = 0; i < octets; i++) bits += __builtin_popcount(mask[i]);
    return bits;
}

// getifaddrs(3) leaves the flags of addresses out. Of the thread, since a thread may have a network of its own.
static void add_flags(cp_interface *addresses, int count) {
    FILE *file = fopen("/proc/thread-self/net/if_inet6", "re");
    char line[128];
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        unsigned long long high, low;
        unsigned interface, prefix, scope, flags;
        if (sscanf(line, "%16llx%16llx %x %x %x %x", &high, &low, &interface, &prefix, &scope, &flags) != 6) continue;
        for (int i = 0; i < count; i++)
            if (addresses[i].family == 6 && addresses[i].interface == interface && addresses[i].high == high
                && addresses[i].low == low)
                addresses[i].flags = (uint8_t)flags;
    }
    if (file != NULL) fclose(file);
}

int cp_interfaces(cp_interface *addresses, int count) {
    struct ifaddrs *list;
    if (getifaddrs(&list) != 0) return 0;
    int found = 0;
    for (const struct ifaddrs *entry = list; entry != NULL && found < count; entry = entry->ifa_next) {
        const unsigned wanted = IFF_UP | IFF_RUNNING;
        if (entry->ifa_addr == NULL || entry->ifa_netmask == NULL || (entry->ifa_flags & wanted) != wanted) continue;
        cp_interface address = {
            .interface = if_nametoindex(entry->ifa_name),
            .is_loopback = (entry->ifa_flags & IFF_LOOPBACK) != 0,
            .is_multicast = (entry->ifa_flags & IFF_MULTICAST) != 0,
        };
        if (entry->ifa_addr->sa_family == AF_INET) {
            address.family = 4;
            address.low = ntohl(((const struct sockaddr_in *)entry->ifa_addr)->sin_addr.s_addr);
            const struct in_addr *mask = &((const struct sockaddr_in *)entry->ifa_netmask)->sin_addr;
            address.prefix_length = (uint8_t)prefix_length((const uint8_t *)mask, 4);
        } else if (entry->ifa_addr->sa_family == AF_INET6) {
            const struct in6_addr *own = &((const struct sockaddr_in6 *)entry->ifa_addr)->sin6_addr;
            if (IN6_IS_ADDR_LINKLOCAL(own)) continue;
            const struct in6_addr *mask = &((const struct sockaddr_in6 *)entry->ifa_netmask)->sin6_addr;
            address.family = 6;
            address.high = read64(own->s6_addr);
            address.low = read64(own->s6_addr + 8);
            address.prefix_length = (uint8_t)prefix_length(mask->s6_addr, 16);
        } else {
            continue;
        }
        addresses[found++] = address;
    }
    freeifaddrs(list);
    add_flags(addresses, found);
    return found;
}

static void read_route(const struct nlmsghdr *header, cp_route *route) {
    const struct rtmsg *message = NLMSG_DATA(header);
    if (message->rtm_type != RTN_UNICAST) return;
    int length = (int)RTM_PAYLOAD(header);
    for (const struct rtattr *a = RTM_RTA(message); RTA_OK(a, length); a = RTA_NEXT(a, length)) {
        if (a->rta_type == RTA_OIF && RTA_PAYLOAD(a) == 4) {
            memcpy(&route->interface, RTA_DATA(a), 4);
        } else if (a->rta_type == RTA_GATEWAY && RTA_PAYLOAD(a) == 4) {
            uint32_t gateway;
            memcpy(&gateway, RTA_DATA(a), 4);
            route->gateway_low = ntohl(gateway);
        } else if (a->rta_type == RTA_GATEWAY && RTA_PAYLOAD(a) == 16) {
            route->gateway_high = read64(RTA_DATA(a));
            route->gateway_low = read64((const uint8_t *)RTA_DATA(a) + 8);
        }
    }
}

void cp_route_outside(int family, cp_route *route) {
    memset(route, 0, sizeof *route);
    // An address of documentation (RFC 5737, RFC 3849): on nobody's network, so only the default route leads there.
    struct {
        struct nlmsghdr header;
        struct rtmsg message;
        struct rtattr attribute;
        uint8_t address[16];
    } request = {
        .header = {.nlmsg_type = RTM_GETROUTE, .nlmsg_flags = NLM_F_REQUEST},
        .message = {.rtm_family = family == 4 ? AF_INET : AF_INET6, .rtm_dst_len = family == 4 ? 32 : 128},
        .attribute = {.rta_type = RTA_DST, .rta_len = (unsigned short)RTA_LENGTH(family == 4 ? 4 : 16)},
    };
    inet_pton(request.message.rtm_family, family == 4 ? "192.0.2.1" : "2001:db8::1", request.address);
    request.header.nlmsg_len = NLMSG_LENGTH(sizeof request.message) + request.attribute.rta_len;
    int descriptor = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    if (descriptor < 0) return;
    _Alignas(struct nlmsghdr) uint8_t answer[4096];
    // The kernel answers before send() returns.
    if (send(descriptor, &request, request.header.nlmsg_len, 0) >= 0) {
        ssize_t count = recv(descriptor, answer, sizeof answer, MSG_DONTWAIT);
        const struct nlmsghdr *header = (const struct nlmsghdr *)answer;
        if (count > 0 && NLMSG_OK(header, (size_t)count) && header->nlmsg_type == RTM_NEWROUTE) read_route(header, route);
    }
    close(descriptor);
}

int cp_route_socket(void) {
    int descriptor = socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, NETLINK_ROUTE);
    if (descriptor < 0) return -1;
    struct sockaddr_nl local = {
        .nl_family = AF_NETLINK,
        .nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR | RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE,
    };
    return bind(descriptor, (struct sockaddr *)&local, sizeof local) == 0 ? descriptor : give_up(descriptor);
}

void cp_route_drain(int descriptor) {
    uint8_t message[1];
    // What the messages say does not matter: whoever is told looks for himself. ENOBUFS means that some were lost.
    for (int i = 0; i < 1024; i++)
        if (recv(descriptor, message, sizeof message, MSG_DONTWAIT) < 0 && errno != ENOBUFS && errno != EINTR) return;
}

int cp_group_open(uint32_t group, uint16_t port, int buffer) {
    int descriptor = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1, off = 0;
    if (descriptor < 0) return -1;
    setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof buffer);
    // Not on interfaces that other programs joined.
    setsockopt(descriptor, IPPROTO_IP, IP_MULTICAST_ALL, &off, sizeof off);
    struct sockaddr_in local = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(group)};
    return bind(descriptor, (struct sockaddr *)&local, sizeof local) == 0 ? descriptor : give_up(descriptor);
}

static int change_membership(int descriptor, int option, uint32_t group, uint32_t interface) {
    struct ip_mreqn membership = {.imr_multiaddr.s_addr = htonl(group), .imr_ifindex = (int)interface};
    return setsockopt(descriptor, IPPROTO_IP, option, &membership, sizeof membership);
}

int cp_group_join(int descriptor, uint32_t group, uint32_t interface) {
    int result = change_membership(descriptor, IP_ADD_MEMBERSHIP, group, interface);
    return result != 0 && errno == EADDRINUSE ? 0 : result;
}

int cp_group_leave(int descriptor, uint32_t group, uint32_t interface) {
    return change_membership(descriptor, IP_DROP_MEMBERSHIP, group, interface);
}

int cp_group_send(
    int descriptor, uint32_t group, uint16_t port, uint32_t interface, uint32_t source, const uint8_t *bytes,
    size_t length) {
    int family = family_of(descriptor);
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(group)};
    // A socket for both families takes an IPv4 destination as a mapped address (RFC 4291, 2.5.5.2), and with it the
    // control messages of IPv4.
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    v6.sin6_addr.s6_addr[10] = v6.sin6_addr.s6_addr[11] = 0xFF;
    memcpy(v6.sin6_addr.s6_addr + 12, &v4.sin_addr, 4);
    _Alignas(struct cmsghdr) uint8_t control[CMSG_SPACE(sizeof(struct in_pktinfo)) + CMSG_SPACE(sizeof(int))] = {0};
    struct iovec vector = {(void *)(uintptr_t)bytes, length};
    struct msghdr header = {
        .msg_name = family == AF_INET ? (void *)&v4 : (void *)&v6,
        .msg_namelen = family == AF_INET ? sizeof v4 : sizeof v6,
        .msg_iov = &vector, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control,
    };
    struct cmsghdr *message = CMSG_FIRSTHDR(&header);
    message->cmsg_level = IPPROTO_IP;
    message->cmsg_type = IP_PKTINFO;
    message->cmsg_len = CMSG_LEN(sizeof(struct in_pktinfo));
    struct in_pktinfo info = {.ipi_ifindex = (int)interface, .ipi_spec_dst.s_addr = htonl(source)};
    memcpy(CMSG_DATA(message), &info, sizeof info);
    message = CMSG_NXTHDR(&header, message);
    message->cmsg_level = IPPROTO_IP;
    message->cmsg_type = IP_TTL;
    message->cmsg_len = CMSG_LEN(sizeof(int));
    int hops = 1;
    memcpy(CMSG_DATA(message), &hops, sizeof hops);
    return sendmsg(descriptor, &header, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -1 : 0;
}
