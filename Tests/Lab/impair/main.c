// SPDX-License-Identifier: GPL-3.0-or-later
//
// impair: two network namespaces and a bad line between them. Needs root and /dev/net/tun, and no kernel module more.
//
//   impair [--seed N] [--loss %] [--duplicate %] [--reorder %] [--delay MS] [--jitter MS] [--rate KBIT] [--pcap FILE]
//
// 10.9.0.1 lives in the first namespace, 10.9.0.2 in the second. The first line printed tells how to enter them:
// `nsenter --net=FILE PROGRAM`. Standard input takes `cut` and `mend`, a line each; at its end, so also when whoever
// started it dies, the counters are printed and the line is gone. Namespaces last as long as anything runs in them.
//
// As in netem(8): jitter is uniform and may reorder by itself, and a reordered packet is one that skips the delay.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum { SIDES = 2, PACKET = 1500, QUEUE = 20000, BUFFER_NS = 2000000000 };

static const char *const addresses[SIDES] = {"10.9.0.1", "10.9.0.2"};

static struct {
    uint64_t seed;
    double loss, duplicate, reorder, delay_ms, jitter_ms, rate_kbit;
    FILE *pcap;
    bool cut;
} line = {.seed = 1};

static struct {
    unsigned long read, lost, duplicated, reordered, overflown, written;
} count[SIDES];

static void die(const char *what) {
    fprintf(stderr, "impair: %s: %s\n", what, strerror(errno));
    exit(1);
}

static int checked(int result, const char *what) {
    if (result < 0) die(what);
    return result;
}

static uint64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

// MARK: Chance (Steele, Lea and Flood 2014), a stream for each direction so that one can't disturb the other

static uint64_t chance[SIDES];

static double uniform(int side) {
    uint64_t mixed = chance[side] += 0x9E3779B97F4A7C15;
    mixed = (mixed ^ mixed >> 30) * 0xBF58476D1CE4E5B9;
    mixed = (mixed ^ mixed >> 27) * 0x94D049BB133111EB;
    return (double)((mixed ^ mixed >> 31) >> 11) / 9007199254740992.0;
}

static bool happens(int side, double percent) { return uniform(side) * 100 < percent; }

// MARK: Packets under way: a heap by the moment at which they are due

struct packet {
    uint64_t due, order;
    int side;  // where it came from
    size_t size;
    uint8_t bytes[PACKET];
};

static struct packet *heap[QUEUE];
static size_t heap_size;

static bool before(const struct packet *a, const struct packet *b) {
    return a->due != b->due ? a->due < b->due : a->order < b->order;
}

static void push(struct packet *packet) {
    size_t at = heap_size++;
    for (; at > 0 && before(packet, heap[(at - 1) / 2]); at = (at - 1) / 2) heap[at] = heap[(at - 1) / 2];
    heap[at] = packet;
}

static struct packet *pop(void) {
    struct packet *first = heap[0], *last = heap[--heap_size];
    size_t at = 0;
    for (size_t child; (child = 2 * at + 1) < heap_size; at = child) {
        if (child + 1 < heap_size && before(heap[child + 1], heap[child])) child++;
        if (!before(heap[child], last)) break;
        heap[at] = heap[child];
    }
    heap[at] = last;
    return first;
}

// MARK: The line

static void schedule(int side, const uint8_t *bytes, size_t size, uint64_t moment) {
    static uint64_t order, idle_from[SIDES];
    if (heap_size == QUEUE || (line.rate_kbit > 0 && idle_from[side] > moment + BUFFER_NS)) {
        count[side].overflown++;
        return;
    }
    struct packet *packet = malloc(sizeof *packet);
    if (!packet) die("malloc");
    *packet = (struct packet){.due = moment, .order = order++, .side = side, .size = size};
    memcpy(packet->bytes, bytes, size);
    if (line.rate_kbit > 0) {
        if (idle_from[side] < moment) idle_from[side] = moment;
        idle_from[side] += (uint64_t)((double)size * 8e6 / line.rate_kbit);
        packet->due = idle_from[side];
    }
    double delay = line.delay_ms + line.jitter_ms * (2 * uniform(side) - 1);
    if (happens(side, line.reorder)) {
        count[side].reordered++;
        delay = 0;
    }
    if (delay > 0) packet->due += (uint64_t)(delay * 1e6);
    push(packet);
}

static void record(const uint8_t *bytes, size_t size) {
    if (!line.pcap) return;
    struct timeval time;
    gettimeofday(&time, NULL);
    const uint32_t header[] = {(uint32_t)time.tv_sec, (uint32_t)time.tv_usec, (uint32_t)size, (uint32_t)size};
    fwrite(header, sizeof header, 1, line.pcap);
    fwrite(bytes, size, 1, line.pcap);
}

static void carry(int side, const uint8_t *bytes, size_t size, uint64_t moment) {
    if (bytes[0] >> 4 != 4) return;  // what IPv6 says to itself
    count[side].read++;
    record(bytes, size);
    if (line.cut || happens(side, line.loss)) {
        count[side].lost++;
        return;
    }
    schedule(side, bytes, size, moment);
    if (happens(side, line.duplicate)) {
        count[side].duplicated++;
        schedule(side, bytes, size, moment);
    }
}

// MARK: Namespaces

static void set_flags(int control, const char *device, short flags) {
    struct ifreq request = {.ifr_flags = flags};
    strcpy(request.ifr_name, device);
    checked(ioctl(control, SIOCSIFFLAGS, &request), "SIOCSIFFLAGS");
}

static void set_address(int control, unsigned long call, const char *text) {
    struct ifreq request = {.ifr_name = "line"};
    struct sockaddr_in *address = (struct sockaddr_in *)&request.ifr_addr;
    address->sin_family = AF_INET;
    inet_pton(AF_INET, text, &address->sin_addr);
    checked(ioctl(control, call, &request), "set address");
}

/// Moves into a new namespace with one end of the line in it, and gives that end.
static int enter_new_namespace(const char *address) {
    checked(unshare(CLONE_NEWNET), "unshare");
    int tun = checked(open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC), "/dev/net/tun");
    struct ifreq request = {.ifr_name = "line", .ifr_flags = IFF_TUN | IFF_NO_PI};
    checked(ioctl(tun, TUNSETIFF, &request), "TUNSETIFF");
    int control = checked(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), "socket");
    struct ifreq length = {.ifr_name = "line", .ifr_qlen = QUEUE};
    checked(ioctl(control, SIOCSIFTXQLEN, &length), "SIOCSIFTXQLEN");
    set_address(control, SIOCSIFADDR, address);
    set_address(control, SIOCSIFNETMASK, "255.255.255.0");
    set_flags(control, "line", IFF_UP | IFF_RUNNING);
    set_flags(control, "lo", IFF_UP | IFF_RUNNING);
    close(control);
    return tun;
}

// MARK: Program

static void parse(int argc, char **argv) {
    for (int at = 1; at < argc; at += 2) {
        const char *name = argv[at], *value = at + 1 < argc ? argv[at + 1] : NULL;
        const struct { const char *name; double *place; } numbers[] = {
            {"--loss", &line.loss}, {"--duplicate", &line.duplicate}, {"--reorder", &line.reorder},
            {"--delay", &line.delay_ms}, {"--jitter", &line.jitter_ms}, {"--rate", &line.rate_kbit},
        };
        bool known = false;
        for (size_t i = 0; value && i < sizeof numbers / sizeof *numbers; i++) {
            if (strcmp(name, numbers[i].name)) continue;
            *numbers[i].place = strtod(value, NULL);
            known = true;
        }
        if (value && !strcmp(name, "--seed")) {
            line.seed = strtoull(value, NULL, 10);
        } else if (value && !strcmp(name, "--pcap")) {
            // libpcap's format, link type 101: raw IP.
            const uint32_t header[] = {0xA1B2C3D4, 2 | 4 << 16, 0, 0, PACKET, 101};
            if (!(line.pcap = fopen(value, "we"))) die(value);
            fwrite(header, sizeof header, 1, line.pcap);
        } else if (!known) {
            fprintf(stderr, "impair: what is %s?\n", name);
            exit(64);
        }
    }
}

/// Does what a line of standard input says; false at its end.
static bool obey(void) {
    char text[64];
    ssize_t size = read(STDIN_FILENO, text, sizeof text - 1);
    if (size <= 0) return false;
    text[size] = 0;
    line.cut = strstr(text, "cut") != NULL;
    puts(line.cut ? "{\"line\":\"cut\"}" : "{\"line\":\"mended\"}");
    fflush(stdout);
    return true;
}

static void report(void) {
    printf("{");
    for (int side = 0; side < SIDES; side++)
        printf(
            "%s\"from_%s\":{\"read\":%lu,\"lost\":%lu,\"duplicated\":%lu,\"reordered\":%lu,\"overflown\":%lu,"
            "\"written\":%lu}", side ? "," : "", addresses[side], count[side].read, count[side].lost,
            count[side].duplicated, count[side].reordered, count[side].overflown, count[side].written);
    puts("}");
    if (line.pcap) fclose(line.pcap);
}

int main(int argc, char **argv) {
    parse(argc, argv);
    int tuns[SIDES], namespaces[SIDES];
    for (int side = 0; side < SIDES; side++) {
        tuns[side] = enter_new_namespace(addresses[side]);
        namespaces[side] = checked(open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC), "/proc/self/ns/net");
        chance[side] = line.seed * SIDES + (uint64_t)side;
    }
    printf("{\"namespaces\":[\"/proc/%d/fd/%d\",\"/proc/%d/fd/%d\"],\"addresses\":[\"%s\",\"%s\"]}\n", getpid(),
           namespaces[0], getpid(), namespaces[1], addresses[0], addresses[1]);
    fflush(stdout);

    struct pollfd wait[] = {{tuns[0], POLLIN, 0}, {tuns[1], POLLIN, 0}, {STDIN_FILENO, POLLIN, 0}};
    while (true) {
        uint64_t moment = now();
        while (heap_size > 0 && heap[0]->due <= moment) {
            struct packet *packet = pop();
            int other = 1 - packet->side;
            if (write(tuns[other], packet->bytes, packet->size) >= 0) count[packet->side].written++;
            free(packet);
        }
        struct timespec pause = {0};
        if (heap_size > 0) {
            uint64_t left = heap[0]->due - moment;
            pause = (struct timespec){(time_t)(left / 1000000000), (long)(left % 1000000000)};
        }
        if (ppoll(wait, 3, heap_size > 0 ? &pause : NULL, NULL) < 0 && errno != EINTR) die("ppoll");
        if (wait[2].revents && !obey()) break;
        for (int side = 0; side < SIDES; side++) {
            uint8_t bytes[PACKET];
            ssize_t size;
            while (wait[side].revents && (size = read(tuns[side], bytes, sizeof bytes)) > 0)
                carry(side, bytes, (size_t)size, now());
        }
    }
    report();
    return 0;
}
