// SPDX-License-Identifier: GPL-3.0-or-later
#define _GNU_SOURCE
#include "cload.h"
#include <errno.h>
#include <netinet/in.h>
#include <sched.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>

static void point(struct mmsghdr *headers, struct iovec *datagrams, int count) {
    memset(headers, 0, (size_t)count * sizeof *headers);
    for (int i = 0; i < count; i++) {
        headers[i].msg_hdr.msg_iov = &datagrams[i];
        headers[i].msg_hdr.msg_iovlen = 1;
    }
}

static int at_most(int count) { return count < cp_load_batch ? count : cp_load_batch; }

int cp_load_send(int descriptor, struct iovec *datagrams, int count) {
    struct mmsghdr headers[cp_load_batch];
    count = at_most(count);
    point(headers, datagrams, count);
    return sendmmsg(descriptor, headers, (unsigned)count, MSG_DONTWAIT | MSG_NOSIGNAL);
}

int cp_load_receive(int descriptor, struct iovec *datagrams, int count) {
    struct mmsghdr headers[cp_load_batch];
    count = at_most(count);
    point(headers, datagrams, count);
    int got = recvmmsg(descriptor, headers, (unsigned)count, MSG_DONTWAIT, NULL);
    for (int i = 0; i < got; i++) datagrams[i].iov_len = headers[i].msg_len;
    return got;
}

void cp_load_echo(int descriptor) {
    static char bytes[cp_load_batch][2048];
    struct sockaddr_storage sources[cp_load_batch];
    struct iovec vectors[cp_load_batch];
    struct mmsghdr headers[cp_load_batch];
    point(headers, vectors, cp_load_batch);
    for (;;) {
        for (int i = 0; i < cp_load_batch; i++) {
            vectors[i] = (struct iovec){bytes[i], sizeof bytes[i]};
            headers[i].msg_hdr.msg_name = &sources[i];
            headers[i].msg_hdr.msg_namelen = sizeof sources[i];
        }
        int got = recvmmsg(descriptor, headers, cp_load_batch, MSG_WAITFORONE, NULL);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return;
        for (int i = 0; i < got; i++) vectors[i].iov_len = headers[i].msg_len;
        for (int sent = 0; sent < got;) {
            int more = sendmmsg(descriptor, headers + sent, (unsigned)(got - sent), 0);
            // One that can't be sent is left out, as the network would.
            sent += more > 0 ? more : 1;
        }
    }
}

int cp_pin_thread(int cpu) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    return sched_setaffinity(0, sizeof set, &set);
}

void cp_sleep_precisely(void) { prctl(PR_SET_TIMERSLACK, 1UL); }
