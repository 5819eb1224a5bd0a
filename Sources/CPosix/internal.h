// SPDX-License-Identifier: GPL-3.0-or-later
// What several files here need. No part of the module.
#ifndef CPOSIX_INTERNAL_H
#define CPOSIX_INTERNAL_H

#include <errno.h>
#include <stdint.h>
#include <sys/socket.h>
#include <unistd.h>

// Closes what was begun: -1, and `errno` as it was.
static inline int give_up(int descriptor) {
    int code = errno;
    close(descriptor);
    errno = code;
    return -1;
}

// Eight octets in network order.
static inline uint64_t read64(const uint8_t *octets) {
    uint64_t value = 0;
    for (int i = 0; i < 8; i++) value = value << 8 | octets[i];
    return value;
}

static inline void write64(uint8_t *octets, uint64_t value) {
    for (int i = 7; i >= 0; i--, value >>= 8) octets[i] = (uint8_t)value;
}

// AF_INET or AF_INET6: the family that a socket was made for.
static inline int family_of(int descriptor) {
    int family = AF_INET;
    socklen_t length = sizeof family;
    getsockopt(descriptor, SOL_SOCKET, SO_DOMAIN, &family, &length);
    return family;
}

#endif
