// SPDX-License-Identifier: GPL-3.0-or-later
// Datagrams many at a time: recvmmsg(2) and sendmmsg(2), which need _GNU_SOURCE. No policy lives here.
#ifndef CDATAGRAM_H
#define CDATAGRAM_H

#include <stdint.h>
#include <stddef.h>

/// An IP address and port in host byte order. `family` is 4 or 6; an IPv4 address is the low 32 bits of `low`.
typedef struct {
    uint64_t high, low;
    uint16_t port;
    uint8_t family;
} cp_endpoint;

/// A UDP socket, non-blocking and close-on-exec, bound to `where`. A family of 6 with all bits 0 takes IPv4 as well.
/// Its receive buffer is as large as the system lets it be, up to `buffer` bytes. With `errors` it reports what ICMP
/// says of its destinations. With `shared` it joins the sockets that share the address already (SO_REUSEPORT). Returns
/// the descriptor, or -1 with errno.
int cp_udp_open(const cp_endpoint *where, int buffer, int errors, int shared);
/// Lets later sockets of this user share the address of a bound one: the system spreads what arrives over all of them
/// by its source. 0, or -1 with errno.
int cp_udp_share(int descriptor);
/// Where a socket is bound. 0, or -1 with errno.
int cp_socket_local(int descriptor, cp_endpoint *where);
/// A TCP socket that listens at `where`, non-blocking and close-on-exec. Returns the descriptor, or -1 with errno.
int cp_tcp_listen(const cp_endpoint *where, int backlog);
/// A TCP socket, non-blocking and close-on-exec, that connects to `where`: writable once that is over. Returns the
/// descriptor, or -1 with errno.
int cp_tcp_connect(const cp_endpoint *where);
/// Makes a TCP connection send small things at once, keep little unsent, and fail when the other side has not
/// acknowledged something for so long.
void cp_tcp_tune(int descriptor, int patience_seconds);
/// Where the other side of a connected socket is. 0, or -1 with errno.
int cp_socket_peer(int descriptor, cp_endpoint *where);
/// How many datagrams the socket dropped for want of buffer (SO_MEMINFO).
uint32_t cp_udp_drops(int descriptor);

/// The way back to where a datagram came from: its source, and the address that it was sent to. `local_family` is 0
/// when the system did not tell that one. `interface` matters to link-local addresses alone.
typedef struct {
    cp_endpoint source;
    uint64_t local_high, local_low;
    uint32_t interface;
    uint8_t local_family;
} cp_path;

/// So many datagrams, read or to be written in one call; always with the same socket.
typedef struct cp_batch cp_batch;
cp_batch *cp_batch_new(int count, size_t size);
void cp_batch_free(cp_batch *batch);

/// Reads what is there, without waiting. Returns how many, or -1 with errno.
int cp_batch_receive(cp_batch *batch, int descriptor);
const uint8_t *cp_batch_bytes(const cp_batch *batch, int index);
size_t cp_batch_length(const cp_batch *batch, int index);
/// Whether the datagram was longer than the buffer.
int cp_batch_truncated(const cp_batch *batch, int index);
void cp_batch_source(const cp_batch *batch, int index, cp_endpoint *source);
void cp_batch_path(const cp_batch *batch, int index, cp_path *path);

/// Makes the next datagram to write: a copy of at most `size` bytes, to `destination` from a socket of the batch's
/// family. Returns 0, or -1 when the batch is full or the bytes are too many.
int cp_batch_add(cp_batch *batch, int descriptor, const uint8_t *bytes, size_t length, const cp_endpoint *destination);
/// The same as an answer to datagram `index` of `received`: to its source, from the address that it was sent to.
int cp_batch_answer(cp_batch *batch, const cp_batch *received, int index, const uint8_t *bytes, size_t length);
/// The same for later, when the batch that the question came in is used again.
int cp_batch_answer_later(cp_batch *batch, int descriptor, const uint8_t *bytes, size_t length, const cp_path *path);
/// How many datagrams were added since the last flush.
int cp_batch_count(const cp_batch *batch);
/// Writes what was added, from `first` on. Returns how many the system took, or -1 with errno for the first of them.
int cp_batch_flush(cp_batch *batch, int descriptor, int first);
/// Forgets what was added.
void cp_batch_clear(cp_batch *batch);

/// Takes one report off the socket's error queue: 1 when ICMP says that a destination can't be reached, 0 for another
/// report, -1 when there is none.
int cp_udp_error(int descriptor, cp_endpoint *destination);

#endif
