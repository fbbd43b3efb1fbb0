/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * source.c - WinPcap's source strings: rpcap://npf0, file:///tmp/a.pcap, or a bare name.
 *
 * Works on every device, not only on ours. Debian's libpcap 1.10 declares these functions and does
 * not have them; the meaning is that of the WinPcap manual and of libpcap's own code where
 * that is built. Sources on other hosts are parsed, and refused when opened.
 */
#include "api/handle.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static int fail(char *errbuf, const char *why)
{
	snprintf(errbuf, PCAP_ERRBUF_SIZE, "%s", why);
	return PCAP_ERROR;
}

/* Appends, within PCAP_BUF_SIZE. */
static bool append(char *to, const char *part)
{
	size_t len = strlen(to);

	if (len + strlen(part) >= PCAP_BUF_SIZE)
		return false;
	strcpy(to + len, part);
	return true;
}

int pcap_createsrcstr(
	char *source, int type, const char *host, const char *port, const char *name, char *errbuf)
{
	bool has_name = name != NULL && name[0] != '\0';
	bool has_host = host != NULL && host[0] != '\0';
	bool fits = true;

	source[0] = '\0';
	switch (type) {
	case PCAP_SRC_FILE:
		if (!has_name)
			return fail(errbuf, "a file source needs the name of a file");
		fits = append(source, PCAP_SRC_FILE_STRING) && append(source, name);
		break;
	case PCAP_SRC_IFREMOTE:
		fits = append(source, PCAP_SRC_IF_STRING);
		if (has_host) {
			/* An IPv6 address is told from host:port by its brackets. */
			bool is_v6 = strchr(host, ':') != NULL;

			fits = fits && append(source, is_v6 ? "[" : "") && append(source, host) &&
			       append(source, is_v6 ? "]" : "");
			if (port != NULL && port[0] != '\0')
				fits = fits && append(source, ":") && append(source, port);
			fits = fits && append(source, "/");
		}
		fits = fits && append(source, has_name ? name : "");
		break;
	case PCAP_SRC_IFLOCAL:
		fits = append(source, PCAP_SRC_IF_STRING) && append(source, has_name ? name : "");
		break;
	default:
		return fail(errbuf, "the type of the source is not known");
	}
	return fits ? 0 : fail(errbuf, "the source string is longer than PCAP_BUF_SIZE");
}

static bool copy_part(char *to, const char *from, size_t len)
{
	if (len >= PCAP_BUF_SIZE)
		return false;
	if (to != NULL) {
		memcpy(to, from, len);
		to[len] = '\0';
	}
	return true;
}

/* "host", "host:port", "[v6]", "[v6]:port". */
static bool parse_host(const char *s, size_t len, char *host, char *port)
{
	const char *end = s + len;
	const char *colon = memchr(s, ':', len);

	if (s[0] == '[') {
		const char *close = memchr(s, ']', len);

		if (close == NULL || (close + 1 < end && close[1] != ':'))
			return false;
		if (close + 1 < end && !copy_part(port, close + 2, (size_t)(end - close - 2)))
			return false;
		return copy_part(host, s + 1, (size_t)(close - s - 1));
	}
	if (colon == NULL)
		return copy_part(host, s, len);
	return copy_part(host, s, (size_t)(colon - s)) &&
	       copy_part(port, colon + 1, (size_t)(end - colon - 1));
}

int pcap_parsesrcstr(
	const char *source, int *type, char *host, char *port, char *name, char *errbuf)
{
	static const size_t if_len = sizeof(PCAP_SRC_IF_STRING) - 1;
	static const size_t file_len = sizeof(PCAP_SRC_FILE_STRING) - 1;
	int kind = PCAP_SRC_IFLOCAL;
	const char *rest = source;
	const char *slash;

	if (host != NULL)
		host[0] = '\0';
	if (port != NULL)
		port[0] = '\0';
	if (name != NULL)
		name[0] = '\0';
	if (strncasecmp(source, PCAP_SRC_FILE_STRING, file_len) == 0) {
		kind = PCAP_SRC_FILE;
		rest = source + file_len;
	} else if (strncasecmp(source, PCAP_SRC_IF_STRING, if_len) == 0) {
		rest = source + if_len;
		slash = strchr(rest, '/');
		if (slash != NULL) {
			if (slash > rest) {
				kind = PCAP_SRC_IFREMOTE;
				if (!parse_host(rest, (size_t)(slash - rest), host, port))
					return fail(
						errbuf, "the host of the source makes no sense");
			}
			rest = slash + 1;
		}
	}
	if (!copy_part(name, rest, strlen(rest)))
		return fail(errbuf, "the source string is longer than PCAP_BUF_SIZE");
	if (type != NULL)
		*type = kind;
	return 0;
}

/* An interface, ours or the kernel's, opened as WinPcap opens one. */
static pcap_t *open_local(const char *name, int snaplen, int flags, int read_timeout, char *errbuf)
{
	pcap_t *p = pcap_create(name, errbuf);
	struct npf_handle *h;
	int rc;

	if (p == NULL)
		return NULL;
	pcap_set_snaplen(p, snaplen);
	pcap_set_promisc(p, (flags & PCAP_OPENFLAG_PROMISCUOUS) != 0);
	pcap_set_timeout(p, read_timeout);
	pcap_set_immediate_mode(p, (flags & PCAP_OPENFLAG_MAX_RESPONSIVENESS) != 0);
	h = npf_handle_of(p);
	if (h != NULL) {
		h->timeout_returns = true;
		h->winpcap = true;
		if ((flags & PCAP_OPENFLAG_NOCAPTURE_LOCAL) == 0)
			h->open_flags &= ~NPF_WIRE_OPEN_NO_OWN;
	}
	rc = pcap_activate(p);
	if (rc < 0) {
		npf_handle_explain(name, rc, pcap_geterr(p), errbuf);
		pcap_close(p);
		return NULL;
	}
	return p;
}

pcap_t *pcap_open(const char *source, int snaplen, int flags, int read_timeout,
	struct pcap_rmtauth *auth, char *errbuf)
{
	char name[PCAP_BUF_SIZE];
	int type;

	(void)auth;
	if (source == NULL)
		source = "any";
	if (pcap_parsesrcstr(source, &type, NULL, NULL, name, errbuf) < 0)
		return NULL;
	switch (type) {
	case PCAP_SRC_FILE:
		return pcap_open_offline(name, errbuf);
	case PCAP_SRC_IFLOCAL:
		return open_local(name, snaplen, flags, read_timeout, errbuf);
	default:
		fail(errbuf, "remote capture is not built into this library");
		return NULL;
	}
}

/* Gives a device of the list its source name and WinPcap's wording. */
static bool rename_device(pcap_if_t *dev)
{
	const char *what = dev->description != NULL && dev->description[0] != '\0'
				   ? dev->description
				   : dev->name;
	char *name, *text;

	if (asprintf(&name, PCAP_SRC_IF_STRING "%s", dev->name) < 0)
		return false;
	if (asprintf(&text, "Network adapter '%s' on local host", what) < 0) {
		free(name);
		return false;
	}
	free(dev->name);
	free(dev->description);
	dev->name = name;
	dev->description = text;
	return true;
}

static int list_interfaces(pcap_if_t **listp, char *errbuf)
{
	if (pcap_findalldevs(listp, errbuf) < 0)
		return PCAP_ERROR;
	for (pcap_if_t *dev = *listp; dev != NULL; dev = dev->next)
		if (!rename_device(dev)) {
			pcap_freealldevs(*listp);
			*listp = NULL;
			return fail(errbuf, "out of memory");
		}
	return 0;
}

static bool is_savefile(const char *path)
{
	char errbuf[PCAP_ERRBUF_SIZE];
	pcap_t *p = pcap_open_offline(path, errbuf);

	if (p != NULL)
		pcap_close(p);
	return p != NULL;
}

/* The directory's entry as a device, or NULL: not a savefile. */
static pcap_if_t *file_device(const char *dir, const char *file)
{
	npf_autofree char *path = NULL;
	pcap_if_t *dev;

	if (asprintf(&path, "%s%s%s", dir, dir[strlen(dir) - 1] == '/' ? "" : "/", file) < 0)
		return NULL;
	if (!is_savefile(path))
		return NULL;
	dev = calloc(1, sizeof(*dev));
	if (dev == NULL)
		return NULL;
	if (asprintf(&dev->name, PCAP_SRC_FILE_STRING "%s", path) < 0)
		dev->name = NULL;
	if (asprintf(&dev->description, "File '%s' on local host", path) < 0)
		dev->description = NULL;
	if (dev->name == NULL) {
		pcap_freealldevs(dev);
		return NULL;
	}
	return dev;
}

static int list_files(const char *dir, pcap_if_t **listp, char *errbuf)
{
	struct dirent **entries = NULL;
	pcap_if_t **endp = listp;
	int n;

	if (dir[0] == '\0')
		return fail(errbuf, "a file source needs the name of a directory");
	n = scandir(dir, &entries, NULL, alphasort);
	if (n < 0) {
		snprintf(errbuf, PCAP_ERRBUF_SIZE, "can't list the directory %.150s: %s", dir,
			strerror(errno));
		return PCAP_ERROR;
	}
	for (int i = 0; i < n; i++) {
		*endp = entries[i]->d_type == DT_DIR ? NULL : file_device(dir, entries[i]->d_name);
		if (*endp != NULL)
			endp = &(*endp)->next;
		free(entries[i]);
	}
	free(entries);
	return 0;
}

int pcap_findalldevs_ex(
	const char *source, struct pcap_rmtauth *auth, pcap_if_t **listp, char *errbuf)
{
	char name[PCAP_BUF_SIZE];
	int type;

	(void)auth;
	*listp = NULL;
	if (strlen(source) >= PCAP_BUF_SIZE)
		return fail(errbuf, "the source string is longer than PCAP_BUF_SIZE");
	if (pcap_parsesrcstr(source, &type, NULL, NULL, name, errbuf) < 0)
		return PCAP_ERROR;
	switch (type) {
	case PCAP_SRC_FILE:
		return list_files(name, listp, errbuf);
	case PCAP_SRC_IFLOCAL:
		return list_interfaces(listp, errbuf);
	default:
		return fail(errbuf, "remote capture is not built into this library");
	}
}
