/* SPDX-License-Identifier: BSD-3-Clause */
/* A dump without a daemon: packets that follow from their numbers go in, files come out. */
#ifndef TESTS_UNIT_WRITER_FIXTURE_H
#define TESTS_UNIT_WRITER_FIXTURE_H

#include "writer/feed/producer.h"
#include "writer/feed/retro.h"
#include "writer/disk/worker.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define START_NS 1790000000123456789ull
#define STEP_NS  1000001ull

extern char dir[];

struct options {
	enum npf_writer_format format;
	struct npf_writer_limits limits;
	uint64_t ring;
	const char *name;
	bool plain, buffered, zstd;
	uint64_t keep_bytes, keep_ns; /* retrospective */
	bool no_worker;
	void (*told)(const char *path); /* a file is finished; or NULL */
};

struct dump {
	struct npf_writer_params params;
	struct npf_writer_ring *ring;
	struct npf_writer_producer p;
	struct npf_writer_worker *worker;
	void *head;
	struct npf_writer_worker_conf conf;
	char pattern[PATH_MAX];
	void (*told)(const char *path);
	/* of the finished files, in their order */
	uint64_t sizes[256], packets[256];
	struct npf_writer_file_stats stats[256];
	char paths[256][128];
	int errors[256];
	unsigned int n;
};

/* Makes the directory. Return: 0, for cmocka. */
int make_dir(void **state);
int remove_dir(void **state);

void start(struct dump *d, const struct options *o);
void stop(struct dump *d);

/* Packet i: its length and bytes follow from its number. */
uint32_t length_of(uint64_t i);

/* Return: false: no room. */
bool give(struct dump *d, uint64_t i);

/* All packets, waiting for the disk where need be. */
void give_all(struct dump *d, uint64_t from, uint64_t to);

/* Reads a file; packets must be @first, @first + 1, ... Return: how many; *wholep: no error at the
 * end. */
uint64_t read_back(const char *path, uint64_t first, enum npf_writer_format format, bool *wholep);
void expect_whole(const char *path, uint64_t first, enum npf_writer_format format, uint64_t n);

#endif
