/* SPDX-License-Identifier: BSD-3-Clause */
/* fixture.c - see fixture.h. */
#include "fixture.h"

#include <pcap/pcap.h>
#include <stdio.h>

char dir[] = "/tmp/npf-dump-XXXXXX";

static void finished(void *ctx, const struct npf_writer_summary *s)
{
	struct dump *d = ctx;

	if (d->told != NULL)
		d->told(s->path);
	if (d->n == NPF_ARRAY_LEN(d->sizes))
		return;
	d->sizes[d->n] = s->size;
	d->packets[d->n] = s->stats.delivered;
	d->stats[d->n] = s->stats;
	d->errors[d->n] = s->error;
	snprintf(d->paths[d->n++], sizeof(d->paths[0]), "%s", s->path);
}

void start(struct dump *d, const struct options *o)
{
	struct npf_writer_header head = {
		.format = o->format,
		.linktype = 1,
		.snaplen = 262144,
		.if_name = "npf0",
		.if_description = "net_null0",
		.filter = "tcp port 80",
		.comment = "a comment",
	};
	struct npf_writer_producer_conf conf = {.params = &d->params};
	int n;

	memset(d, 0, sizeof(*d));
	d->params = (struct npf_writer_params){
		.format = o->format,
		.zstd = o->zstd,
		.limits = o->limits,
		.retro = {.bytes = o->keep_bytes, .ns = o->keep_ns},
		.access = {.mode = 0640, .uid = (uid_t)-1, .gid = (gid_t)-1},
	};
	d->told = o->told;
	n = npf_writer_encode_header(&head, &d->head);
	assert_true(n > 0);
	assert_int_equal(
		npf_writer_ring_new(o->ring != 0 ? o->ring : 4u << 20, false, &d->ring), 0);
	conf.ring = d->ring;
	conf.head = d->head;
	conf.head_size = (uint32_t)n;
	assert_int_equal(npf_writer_producer_init(&d->p, &conf), 0);
	snprintf(d->pattern, sizeof(d->pattern), "%s/%s", dir, o->name);
	d->conf = (struct npf_writer_worker_conf){
		.ring = d->ring,
		.params = &d->params,
		.head = d->head,
		.head_size = (uint32_t)n,
		.pattern = d->pattern,
		.fd = -1,
		.reserve = 4u << 20,
		.buffered = o->buffered,
		.plain_io = o->plain,
		.cpu = -1,
		.finished = finished,
		.ctx = d,
	};
	if (!o->no_worker)
		assert_int_equal(npf_writer_worker_start(&d->conf, &d->worker), 0);
}

void stop(struct dump *d)
{
	npf_writer_end(&d->p);
	if (d->worker == NULL)
		assert_int_equal(npf_writer_worker_start(&d->conf, &d->worker), 0);
	d->worker = npf_writer_worker_join(d->worker);
	npf_writer_ring_free(d->ring);
	npf_writer_producer_fini(&d->p);
	free(d->head);
}

uint32_t length_of(uint64_t i)
{
	return (uint32_t)(i % 7 == 0 ? 1514 : 14 + i * 2654435761u % 300);
}

static void fill(uint64_t i, uint8_t *data, uint32_t len)
{
	for (uint32_t b = 0; b < len; b++)
		data[b] = (uint8_t)(i * 31 + b * 7);
	memcpy(data, &i, sizeof(i));
}

bool give(struct dump *d, uint64_t i)
{
	static _Thread_local uint8_t data[2048];
	struct npf_rec hdr = {
		.ts_ns = START_NS + i * STEP_NS, .caplen = length_of(i), .len = length_of(i) + 4};
	bool put;

	fill(i, data, hdr.caplen);
	d->p.now_ns = hdr.ts_ns;
	npf_writer_burst_begin(&d->p, 1);
	put = npf_writer_put(&d->p, &hdr, data);
	npf_writer_burst_commit(&d->p);
	return put;
}

void give_all(struct dump *d, uint64_t from, uint64_t to)
{
	for (uint64_t i = from; i < to; i++)
		while (!give(d, i))
			usleep(1000);
}

uint64_t read_back(const char *path, uint64_t first, enum npf_writer_format format, bool *wholep)
{
	char errbuf[PCAP_ERRBUF_SIZE];
	pcap_t *p =
		pcap_open_offline_with_tstamp_precision(path, PCAP_TSTAMP_PRECISION_NANO, errbuf);
	struct pcap_pkthdr *hdr;
	const u_char *data;
	uint64_t i = first;
	int rc;

	*wholep = false;
	if (p == NULL)
		return 0;
	assert_int_equal(pcap_datalink(p), DLT_EN10MB);
	while ((rc = pcap_next_ex(p, &hdr, &data)) == 1) {
		uint8_t want[2048];
		uint64_t ts_ns = START_NS + i * STEP_NS;

		if (format == NPF_WRITER_PCAP)
			ts_ns -= ts_ns % 1000;
		assert_int_equal(hdr->caplen, length_of(i));
		assert_int_equal(hdr->len, length_of(i) + 4);
		assert_true((uint64_t)hdr->ts.tv_sec * NPF_NS_PER_S + (uint64_t)hdr->ts.tv_usec ==
			    ts_ns);
		fill(i, want, hdr->caplen);
		assert_memory_equal(data, want, hdr->caplen);
		i++;
	}
	*wholep = rc == PCAP_ERROR_BREAK;
	pcap_close(p);
	return i - first;
}

void expect_whole(const char *path, uint64_t first, enum npf_writer_format format, uint64_t n)
{
	bool whole;

	assert_int_equal(read_back(path, first, format, &whole), n);
	assert_true(whole);
}

int make_dir(void **state)
{
	(void)state;
	return mkdtemp(dir) != NULL ? 0 : -1;
}

int remove_dir(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return system(command);
}
