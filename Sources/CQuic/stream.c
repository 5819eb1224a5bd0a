// SPDX-License-Identifier: GPL-3.0-or-later
#include "connection.h"
#include <stdlib.h>

static cq_stream **slot(cq_conn *conn, int64_t id) {
    cq_stream **slot = &conn->streams;
    while (*slot && (*slot)->id < id) slot = &(*slot)->next;
    return slot;
}

cq_stream *cq_stream_find(cq_conn *conn, int64_t id) {
    cq_stream *stream = *slot(conn, id);
    return stream && stream->id == id ? stream : NULL;
}

cq_stream *cq_stream_make(cq_conn *conn, int64_t id) {
    cq_stream **place = slot(conn, id);
    if (*place && (*place)->id == id) return *place;
    cq_stream *stream = calloc(1, sizeof *stream);
    if (!stream) return NULL;
    stream->id = id;
    stream->next = *place;
    *place = stream;
    return stream;
}

void cq_stream_remove(cq_conn *conn, int64_t id) {
    cq_stream **place = slot(conn, id), *stream = *place;
    if (!stream || stream->id != id) return;
    *place = stream->next;
    cq_outbox_clear(&stream->outbox);
    free(stream);
}

int64_t cq_conn_open_stream(cq_conn *conn) {
    int64_t id = -1;
    if (ngtcp2_conn_open_bidi_stream(conn->quic, &id, NULL) != 0) return -1;
    cq_stream *stream = cq_stream_make(conn, id);
    if (!stream) return -1;
    stream->is_open = true;
    return id;
}

bool cq_conn_send(cq_conn *conn, int64_t id, const uint8_t *bytes, size_t count) {
    cq_stream *stream = cq_stream_find(conn, id);
    // Stream 0 is the client's to open, and the one that a server may write to before.
    if (!stream && id == 0 && conn->is_server) stream = cq_stream_make(conn, id);
    return stream && cq_outbox_append(&stream->outbox, bytes, count);
}

size_t cq_conn_buffered(const cq_conn *conn) {
    size_t sum = 0;
    for (const cq_stream *stream = conn->streams; stream; stream = stream->next) {
        sum += stream->outbox.unacknowledged;
    }
    return sum;
}

void cq_conn_consume(cq_conn *conn, int64_t stream, size_t count) {
    // Fails only for a stream that is over, whose octets still count for the connection.
    (void)ngtcp2_conn_extend_max_stream_offset(conn->quic, stream, count);
    ngtcp2_conn_extend_max_offset(conn->quic, count);
}
