/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A tx lane whose client writes what it likes, while the engine reads it. The input is a sequence
 * of steps: a byte that says what to do, and what it needs. Whatever comes, the engine reads no
 * byte outside the lane's memory, hands out no frame that is not wholly between its own position
 * and the client's, and goes on only forwards.
 */
#include "ringbuf/tx/tx.h"

#include "ringbuf/tx/layout.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct npf_tx_lane *lane;
static struct npf_txc *words;
static uint8_t *memory;
static uint64_t sum;

static void set_up(void)
{
	int fds[NPF_TX_NFDS];

	if (npf_tx_lane_new(NPF_TX_MIN, NULL, &lane) < 0)
		abort();
	npf_tx_lane_fds(lane, fds);
	words = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fds[1], 0);
	memory = mmap(NULL, NPF_TX_MIN, PROT_READ | PROT_WRITE, MAP_SHARED, fds[2], 0);
	if (words == MAP_FAILED || memory == MAP_FAILED)
		abort();
}

static void tear_down(void)
{
	munmap(words, 4096);
	munmap(memory, NPF_TX_MIN);
	npf_tx_lane_free(lane);
}

/* Takes n bytes of the input, zeros where it ends. */
static void take(const uint8_t **data, size_t *size, void *to, size_t n)
{
	size_t k = n < *size ? n : *size;

	memset(to, 0, n);
	memcpy(to, *data, k);
	*data += k;
	*size -= k;
}

static uint64_t read_frames(uint64_t last)
{
	struct npf_tx_item it;

	while (npf_tx_lane_take(lane, &it) == 1) {
		const uint8_t *frame = it.frame;

		if (it.len == 0 || it.len > NPF_TX_MAXFRAME || it.repeat == 0 ||
			it.end - last < it.len || it.end - last > NPF_TX_MIN)
			abort();
		for (uint32_t i = 0; i < it.len; i++)
			sum += frame[i];
		sum += npf_tx_lane_is_canceled(lane, it.end);
		last = it.end;
		if (it.at_ns % 2 == 0)
			npf_tx_lane_settle(lane, it.end);
	}
	return last;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint64_t last = 0, word;
	uint16_t at;
	uint8_t op;

	set_up();
	while (size > 0) {
		take(&data, &size, &op, 1);
		switch (op % 6) {
		case 0: /* a record, anywhere */
			take(&data, &size, &at, sizeof(at));
			at &= ~7;
			take(&data, &size, memory + at,
				NPF_MIN((size_t)24, (size_t)(NPF_TX_MIN - at)));
			break;
		case 1: /* the head, as the client should */
			take(&data, &size, &at, sizeof(at));
			atomic_fetch_add(&words->head, (uint64_t)(at & ~7));
			break;
		case 2: /* the head, as it should not */
			take(&data, &size, &word, sizeof(word));
			atomic_store(&words->head, word);
			break;
		case 3:
			take(&data, &size, &word, sizeof(word));
			atomic_store(&words->cut, word);
			atomic_store(&words->wake_at, ~word);
			break;
		case 4:
			if (npf_tx_lane_sleep(lane))
				npf_tx_lane_awake(lane);
			break;
		default:
			last = read_frames(last);
			break;
		}
	}
	read_frames(last);
	tear_down();
	return 0;
}
