// SPDX-License-Identifier: GPL-3.0-or-later
#include "outbox.h"
#include <stdlib.h>
#include <string.h>

// Small frames share a block; a larger one gets its own.
enum { block_size = 8192 };

struct cq_block {
    cq_block *next;
    size_t size, capacity;
    uint8_t bytes[];
};

static size_t smaller(size_t left, size_t right) { return left < right ? left : right; }

static cq_block *new_block(size_t wanted) {
    size_t capacity = wanted > block_size ? wanted : block_size;
    if (capacity > SIZE_MAX - sizeof(cq_block)) return NULL;
    cq_block *block = malloc(sizeof *block + capacity);
    if (block) *block = (cq_block){.next = NULL, .size = 0, .capacity = capacity};
    return block;
}

static void append_block(cq_outbox *outbox, cq_block *block) {
    if (outbox->last) outbox->last->next = block;
    else outbox->first = block;
    outbox->last = block;
}

static void fill(cq_outbox *outbox, cq_block *block, const uint8_t *bytes, size_t count) {
    if (count == 0) return;
    if (!outbox->next) {
        outbox->next = block;
        outbox->next_offset = block->size;
    }
    memcpy(block->bytes + block->size, bytes, count);
    block->size += count;
    outbox->unsent += count;
    outbox->unacknowledged += count;
}

bool cq_outbox_append(cq_outbox *outbox, const uint8_t *bytes, size_t count) {
    size_t here = outbox->last ? smaller(count, outbox->last->capacity - outbox->last->size) : 0;
    cq_block *block = count > here ? new_block(count - here) : NULL;
    if (count > here && !block) return false;
    if (here) fill(outbox, outbox->last, bytes, here);
    if (block) {
        append_block(outbox, block);
        fill(outbox, block, bytes + here, count - here);
    }
    return true;
}

size_t cq_outbox_peek(const cq_outbox *outbox, ngtcp2_vec *vectors, size_t count) {
    size_t filled = 0, offset = outbox->next_offset;
    for (cq_block *block = outbox->next; block && filled < count; block = block->next, offset = 0) {
        if (block->size > offset) vectors[filled++] = (ngtcp2_vec){block->bytes + offset, block->size - offset};
    }
    return filled;
}

void cq_outbox_sent(cq_outbox *outbox, size_t count) {
    outbox->unsent -= smaller(count, outbox->unsent);
    while (outbox->next) {
        size_t step = smaller(count, outbox->next->size - outbox->next_offset);
        outbox->next_offset += step;
        count -= step;
        if (outbox->next_offset < outbox->next->size) return;
        outbox->next = outbox->next->next;
        outbox->next_offset = 0;
    }
}

void cq_outbox_acknowledged(cq_outbox *outbox, size_t count) {
    outbox->unacknowledged -= smaller(count, outbox->unacknowledged);
    outbox->released += count;
    // A block with unsent octets is never acknowledged as a whole.
    while (outbox->first && outbox->first != outbox->next && outbox->released >= outbox->first->size) {
        cq_block *block = outbox->first;
        outbox->released -= block->size;
        outbox->first = block->next;
        if (!outbox->first) outbox->last = NULL;
        free(block);
    }
}

void cq_outbox_clear(cq_outbox *outbox) {
    while (outbox->first) {
        cq_block *block = outbox->first;
        outbox->first = block->next;
        free(block);
    }
    *outbox = (cq_outbox){0};
}
