// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// The octets of a stream that the other side has not acknowledged yet. ngtcp2 keeps pointers into them, so they never
// move.
#include <ngtcp2/ngtcp2.h>
#include <stdbool.h>

typedef struct cq_block cq_block;

typedef struct {
    cq_block *first, *last;
    cq_block *next;         // where the first unsent octet is, or NULL
    size_t next_offset;
    size_t unsent;
    size_t unacknowledged;  // sent or not
    size_t released;        // acknowledged octets of the first block
} cq_outbox;

bool cq_outbox_append(cq_outbox *outbox, const uint8_t *bytes, size_t count);

// Points at the next octets to send; returns how many of the vectors it filled.
size_t cq_outbox_peek(const cq_outbox *outbox, ngtcp2_vec *vectors, size_t count);

void cq_outbox_sent(cq_outbox *outbox, size_t count);
void cq_outbox_acknowledged(cq_outbox *outbox, size_t count);
void cq_outbox_clear(cq_outbox *outbox);
