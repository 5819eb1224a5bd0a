// SPDX-License-Identifier: GPL-3.0-or-later
#define _GNU_SOURCE
#include "cdatagram.h"
#include "internal.h"
#include <arpa/inet.h>
#include <errno.h>
#include <linux/errqueue.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

typedef union {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
} address;

// Room for one IP_PKTINFO or IPV6_PKTINFO.
#define CONTROL_SIZE CMSG_SPACE(sizeof(struct in6_pktinfo))

struct cp_batch {
    int count, added, family;
    size_t size;
    uint8_t *bytes, *control;
    struct mmsghdr *headers;
    struct iovec *vectors;
    address *addresses;
};

static socklen_t to_address(const cp_endpoint *endpoint, int family, address *out) {
    memset(out, 0, sizeof *out);
    if (family == AF_INET) {
        out->v4.sin_family = AF_INET;
        out->v4.sin_port = htons(endpoint->port);
        out->v4.sin_addr.s_addr = htonl((uint32_t)endpoint->low);
        return sizeof out->v4;
    }
    out->v6.sin6_family = AF_INET6;
    out->v6.sin6_port = htons(endpoint->port);
    // An IPv4 destination of a socket for both families is written as a mapped address (RFC 4291, 2.5.5.2).
    write64(out->v6.sin6_addr.s6_addr, endpoint->family == 4 ? 0 : endpoint->high);
    write64(out->v6.sin6_addr.s6_addr + 8,
            endpoint->family == 4 ? (0xFFFFULL << 32 | (uint32_t)endpoint->low) : endpoint->low);
    return sizeof out->v6;
}

static void from_address(const address *in, cp_endpoint *out) {
    memset(out, 0, sizeof *out);
    if (in->any.sa_family == AF_INET) {
        out->family = 4;
        out->low = ntohl(in->v4.sin_addr.s_addr);
        out->port = ntohs(in->v4.sin_port);
        return;
    }
    out->family = 6;
    out->high = read64(in->v6.sin6_addr.s6_addr);
    out->low = read64(in->v6.sin6_addr.s6_addr + 8);
    out->port = ntohs(in->v6.sin6_port);
}

int cp_udp_share(int descriptor) {
    int on = 1;
    return setsockopt(descriptor, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
}

int cp_udp_open(const cp_endpoint *where, int buffer, int errors, int shared) {
    int family = where->family == 4 ? AF_INET : AF_INET6, on = 1, off = 0;
    int descriptor = socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (descriptor < 0) return -1;
    // Bound to one address, a socket answers from that one anyway, and the packet information would cost a tenth more.
    int any = where->high == 0 && where->low == 0;
    if (family == AF_INET6) {
        setsockopt(descriptor, IPPROTO_IPV6, IPV6_V6ONLY, any ? &off : &on, sizeof on);
        setsockopt(descriptor, IPPROTO_IPV6, IPV6_RECVPKTINFO, any ? &on : &off, sizeof on);
        if (errors) setsockopt(descriptor, IPPROTO_IPV6, IPV6_RECVERR, &on, sizeof on);
    } else {
        setsockopt(descriptor, IPPROTO_IP, IP_PKTINFO, any ? &on : &off, sizeof on);
    }
    if (errors) setsockopt(descriptor, IPPROTO_IP, IP_RECVERR, &on, sizeof on);
    // FORCE needs a privilege; without it the system's limit holds.
    if (setsockopt(descriptor, SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof buffer) != 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof buffer);
    address local;
    socklen_t length = to_address(where, family, &local);
    if (shared && cp_udp_share(descriptor) != 0) return give_up(descriptor);
    return bind(descriptor, &local.any, length) == 0 ? descriptor : give_up(descriptor);
}

int cp_socket_local(int descriptor, cp_endpoint *where) {
    address local;
    socklen_t length = sizeof local;
    if (getsockname(descriptor, &local.any, &length) != 0) return -1;
    from_address(&local, where);
    return 0;
}

int cp_socket_peer(int descriptor, cp_endpoint *where) {
    address remote;
    socklen_t length = sizeof remote;
    if (getpeername(descriptor, &remote.any, &length) != 0) return -1;
    from_address(&remote, where);
    return 0;
}

int cp_tcp_listen(const cp_endpoint *where, int backlog) {
    int family = where->family == 4 ? AF_INET : AF_INET6, on = 1;
    int only = where->high != 0 || where->low != 0;
    int descriptor = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (descriptor < 0) return -1;
    if (family == AF_INET6) setsockopt(descriptor, IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof only);
    // Connections of the program's last run that still linger are in nobody's way.
    setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    address local;
    socklen_t length = to_address(where, family, &local);
    if (bind(descriptor, &local.any, length) != 0 || listen(descriptor, backlog) != 0) return give_up(descriptor);
    return descriptor;
}

int cp_tcp_connect(const cp_endpoint *where) {
    int family = where->family == 4 ? AF_INET : AF_INET6;
    int descriptor = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (descriptor < 0) return -1;
    address remote;
    socklen_t length = to_address(where, family, &remote);
    if (connect(descriptor, &remote.any, length) != 0 && errno != EINPROGRESS) return give_up(descriptor);
    return descriptor;
}

void cp_tcp_tune(int descriptor, int patience_seconds) {
    int on = 1, unsent = 64 << 10, patience = patience_seconds * 1000;
    setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(descriptor, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent, sizeof unsent);
    setsockopt(descriptor, IPPROTO_TCP, TCP_USER_TIMEOUT, &patience, sizeof patience);
}

uint32_t cp_udp_drops(int descriptor) {
    uint32_t info[SK_MEMINFO_VARS] = {0};
    socklen_t length = sizeof info;
    if (getsockopt(descriptor, SOL_SOCKET, SO_MEMINFO, info, &length) != 0) return 0;
    return info[SK_MEMINFO_DROPS];
}

cp_batch *cp_batch_new(int count, size_t size) {
    cp_batch *batch = calloc(1, sizeof *batch);
    if (batch == NULL) return NULL;
    batch->count = count;
    batch->size = size;
    batch->bytes = malloc((size_t)count * size);
    batch->control = calloc((size_t)count, CONTROL_SIZE);
    batch->headers = calloc((size_t)count, sizeof *batch->headers);
    batch->vectors = calloc((size_t)count, sizeof *batch->vectors);
    batch->addresses = calloc((size_t)count, sizeof *batch->addresses);
    if (!batch->bytes || !batch->control || !batch->headers || !batch->vectors || !batch->addresses) {
        cp_batch_free(batch);
        return NULL;
    }
    for (int i = 0; i < count; i++) {
        batch->vectors[i].iov_base = batch->bytes + (size_t)i * size;
        batch->headers[i].msg_hdr.msg_iov = &batch->vectors[i];
        batch->headers[i].msg_hdr.msg_iovlen = 1;
        batch->headers[i].msg_hdr.msg_name = &batch->addresses[i];
    }
    return batch;
}

void cp_batch_free(cp_batch *batch) {
    if (batch == NULL) return;
    free(batch->bytes);
    free(batch->control);
    free(batch->headers);
    free(batch->vectors);
    free(batch->addresses);
    free(batch);
}

int cp_batch_receive(cp_batch *batch, int descriptor) {
    for (int i = 0; i < batch->count; i++) {
        batch->vectors[i].iov_len = batch->size;
        batch->headers[i].msg_hdr.msg_namelen = sizeof batch->addresses[i];
        batch->headers[i].msg_hdr.msg_control = batch->control + (size_t)i * CONTROL_SIZE;
        batch->headers[i].msg_hdr.msg_controllen = CONTROL_SIZE;
    }
    return recvmmsg(descriptor, batch->headers, (unsigned)batch->count, MSG_DONTWAIT, NULL);
}

const uint8_t *cp_batch_bytes(const cp_batch *batch, int index) { return batch->bytes + (size_t)index * batch->size; }
size_t cp_batch_length(const cp_batch *batch, int index) { return batch->headers[index].msg_len; }
int cp_batch_truncated(const cp_batch *batch, int index) {
    return (batch->headers[index].msg_hdr.msg_flags & MSG_TRUNC) != 0;
}
void cp_batch_source(const cp_batch *batch, int index, cp_endpoint *source) {
    from_address(&batch->addresses[index], source);
}

void cp_batch_path(const cp_batch *batch, int index, cp_path *path) {
    memset(path, 0, sizeof *path);
    from_address(&batch->addresses[index], &path->source);
    const struct msghdr *received = &batch->headers[index].msg_hdr;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(received); c != NULL; c = CMSG_NXTHDR((struct msghdr *)received, c)) {
        if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
            struct in_pktinfo info;
            memcpy(&info, CMSG_DATA(c), sizeof info);
            path->local_low = ntohl(info.ipi_addr.s_addr);
            path->interface = (uint32_t)info.ipi_ifindex;
            path->local_family = 4;
        }
        if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
            struct in6_pktinfo info;
            memcpy(&info, CMSG_DATA(c), sizeof info);
            path->local_high = read64(info.ipi6_addr.s6_addr);
            path->local_low = read64(info.ipi6_addr.s6_addr + 8);
            path->interface = (uint32_t)info.ipi6_ifindex;
            path->local_family = 6;
        }
    }
}

static struct msghdr *next(cp_batch *batch, const uint8_t *bytes, size_t length) {
    if (batch->added >= batch->count || length > batch->size) return NULL;
    int i = batch->added;
    memcpy(batch->bytes + (size_t)i * batch->size, bytes, length);
    batch->vectors[i].iov_len = length;
    return &batch->headers[i].msg_hdr;
}

int cp_batch_add(cp_batch *batch, int descriptor, const uint8_t *bytes, size_t length, const cp_endpoint *destination) {
    struct msghdr *header = next(batch, bytes, length);
    if (header == NULL) return -1;
    if (batch->family == 0) batch->family = family_of(descriptor);
    header->msg_namelen = to_address(destination, batch->family, header->msg_name);
    header->msg_control = NULL;
    header->msg_controllen = 0;
    batch->added++;
    return 0;
}

// What `copy_local` makes of received packet information, from a path.
static size_t write_local(uint8_t *to, int family, const cp_path *path) {
    struct cmsghdr *header = (struct cmsghdr *)to;
    memset(to, 0, CONTROL_SIZE);
    if (family == AF_INET) {
        header->cmsg_level = IPPROTO_IP;
        header->cmsg_type = IP_PKTINFO;
        header->cmsg_len = CMSG_LEN(sizeof(struct in_pktinfo));
        struct in_pktinfo info = {.ipi_spec_dst.s_addr = htonl((uint32_t)path->local_low)};
        memcpy(CMSG_DATA(header), &info, sizeof info);
        return CMSG_SPACE(sizeof info);
    }
    header->cmsg_level = IPPROTO_IPV6;
    header->cmsg_type = IPV6_PKTINFO;
    header->cmsg_len = CMSG_LEN(sizeof(struct in6_pktinfo));
    struct in6_pktinfo info = {0};
    write64(info.ipi6_addr.s6_addr, path->local_family == 4 ? 0 : path->local_high);
    write64(info.ipi6_addr.s6_addr + 8,
            path->local_family == 4 ? (0xFFFFULL << 32 | (uint32_t)path->local_low) : path->local_low);
    if (IN6_IS_ADDR_LINKLOCAL(&info.ipi6_addr)) info.ipi6_ifindex = path->interface;
    memcpy(CMSG_DATA(header), &info, sizeof info);
    return CMSG_SPACE(sizeof info);
}

int cp_batch_answer_later(cp_batch *batch, int descriptor, const uint8_t *bytes, size_t length, const cp_path *path) {
    int index = batch->added;
    if (cp_batch_add(batch, descriptor, bytes, length, &path->source) != 0) return -1;
    address *name = &batch->addresses[index];
    if (name->any.sa_family == AF_INET6 && IN6_IS_ADDR_LINKLOCAL(&name->v6.sin6_addr))
        name->v6.sin6_scope_id = path->interface;
    if (path->local_family == 0) return 0;
    struct msghdr *header = &batch->headers[index].msg_hdr;
    header->msg_control = batch->control + (size_t)index * CONTROL_SIZE;
    header->msg_controllen = write_local(header->msg_control, batch->family, path);
    return 0;
}

// The received packet information names the address that the other side wrote to; sent back, it becomes the source. The
// interface is left to routing.
static size_t copy_local(uint8_t *to, const struct msghdr *received) {
    for (struct cmsghdr *c = CMSG_FIRSTHDR(received); c != NULL; c = CMSG_NXTHDR((struct msghdr *)received, c)) {
        if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
            memcpy(to, c, CMSG_SPACE(sizeof(struct in_pktinfo)));
            struct in_pktinfo *info = (struct in_pktinfo *)CMSG_DATA((struct cmsghdr *)to);
            info->ipi_spec_dst = info->ipi_addr;
            info->ipi_ifindex = 0;
            return CMSG_SPACE(sizeof(struct in_pktinfo));
        }
        if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
            memcpy(to, c, CMSG_SPACE(sizeof(struct in6_pktinfo)));
            struct in6_pktinfo *info = (struct in6_pktinfo *)CMSG_DATA((struct cmsghdr *)to);
            if (!IN6_IS_ADDR_LINKLOCAL(&info->ipi6_addr)) info->ipi6_ifindex = 0;
            return CMSG_SPACE(sizeof(struct in6_pktinfo));
        }
    }
    return 0;
}

int cp_batch_answer(cp_batch *batch, const cp_batch *received, int index, const uint8_t *bytes, size_t length) {
    struct msghdr *header = next(batch, bytes, length);
    if (header == NULL) return -1;
    const struct msghdr *question = &received->headers[index].msg_hdr;
    memcpy(header->msg_name, question->msg_name, question->msg_namelen);
    header->msg_namelen = question->msg_namelen;
    uint8_t *control = batch->control + (size_t)batch->added * CONTROL_SIZE;
    header->msg_controllen = copy_local(control, question);
    header->msg_control = header->msg_controllen > 0 ? control : NULL;
    batch->added++;
    return 0;
}

int cp_batch_count(const cp_batch *batch) { return batch->added; }

int cp_batch_flush(cp_batch *batch, int descriptor, int first) {
    if (first >= batch->added) return 0;
    return sendmmsg(descriptor, batch->headers + first, (unsigned)(batch->added - first), MSG_DONTWAIT | MSG_NOSIGNAL);
}

void cp_batch_clear(cp_batch *batch) { batch->added = 0; }

int cp_udp_error(int descriptor, cp_endpoint *destination) {
    address name;
    uint8_t byte, control[512];
    struct iovec vector = {&byte, 1};
    struct msghdr header = {
        .msg_name = &name, .msg_namelen = sizeof name, .msg_iov = &vector, .msg_iovlen = 1,
        .msg_control = control, .msg_controllen = sizeof control,
    };
    memset(&name, 0, sizeof name);
    if (recvmsg(descriptor, &header, MSG_ERRQUEUE | MSG_DONTWAIT) < 0) return -1;
    from_address(&name, destination);
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&header); c != NULL; c = CMSG_NXTHDR(&header, c)) {
        int v4 = c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_RECVERR;
        int v6 = c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_RECVERR;
        if (!v4 && !v6) continue;
        struct sock_extended_err error;
        memcpy(&error, CMSG_DATA(c), sizeof error);
        // Destination unreachable, but not "fragmentation needed" (RFC 792; RFC 4443, 3.1).
        if (error.ee_origin == SO_EE_ORIGIN_ICMP && error.ee_type == 3 && error.ee_code != 4) return 1;
        if (error.ee_origin == SO_EE_ORIGIN_ICMP6 && error.ee_type == 1) return 1;
    }
    return 0;
}
