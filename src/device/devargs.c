/* SPDX-License-Identifier: BSD-3-Clause */
/* devargs.c - see devargs.h. No DPDK in here: it is plain text and one ioctl. */
#include "device/devargs.h"

#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#define HEADROOM     128
#define DEFAULT_ROOM (2048 + HEADROOM)
#define AF_PACKET_HDR                                                                              \
	128 /* tpacket2 header, sockaddr_ll, alignment, link header with two VLAN tags */
#define AF_PACKET_MEM (4u << 20) /* bytes of rx ring where nothing is asked for */
#define MAX_FRAMESZ   (32u << 10)

/* Value of key in "name,key=value,...", or NULL. */
static const char *find_arg(const char *devargs, const char *key)
{
	size_t len = strlen(key);

	for (const char *s = strchr(devargs, ','); s != NULL; s = strchr(s, ','))
		if (strncmp(++s, key, len) == 0 && s[len] == '=')
			return s + len + 1;
	return NULL;
}

bool npf_devargs_iface(const char *devargs, char name[16])
{
	static const char *const keys[] = {"iface", "rx_iface", "rx_iface_in"};
	const char *value = NULL;
	size_t len;

	name[0] = '\0';
	if (strncmp(devargs, NPF_DEVARGS_IFACE, strlen(NPF_DEVARGS_IFACE)) == 0)
		value = devargs + strlen(NPF_DEVARGS_IFACE);
	for (unsigned int i = 0; value == NULL && i < NPF_ARRAY_LEN(keys); i++)
		value = find_arg(devargs, keys[i]);
	len = value != NULL ? strcspn(value, ",") : 0;
	if (len == 0 || len >= 16)
		return false;
	memcpy(name, value, len);
	name[len] = '\0';
	return true;
}

static unsigned int mtu_of(const char *iface)
{
	npf_autofd int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq ifr = {0};
	size_t len = strcspn(iface, ",");

	if (fd < 0 || len >= sizeof(ifr.ifr_name))
		return 0;
	memcpy(ifr.ifr_name, iface, len);
	return ioctl(fd, SIOCGIFMTU, &ifr) < 0 ? 0 : (unsigned int)ifr.ifr_mtu;
}

int npf_devargs_complete(const char *devargs, char *out, size_t out_len, uint16_t *data_room)
{
	const char *iface = find_arg(devargs, "iface");
	const char *framesz = find_arg(devargs, "framesz");
	unsigned int size = 2048;

	*data_room = DEFAULT_ROOM;
	if (strncmp(devargs, "net_af_packet", 13) != 0 || iface == NULL)
		return (size_t)snprintf(out, out_len, "%s", devargs) < out_len ? 0 : -E2BIG;
	if (framesz != NULL) {
		size = (unsigned int)NPF_MIN(strtoul(framesz, NULL, 10), 65000ul);
		*data_room = (uint16_t)NPF_MAX(size + HEADROOM, (unsigned int)DEFAULT_ROOM);
		return (size_t)snprintf(out, out_len, "%s", devargs) < out_len ? 0 : -E2BIG;
	}
	while (size < mtu_of(iface) + AF_PACKET_HDR && size < MAX_FRAMESZ)
		size *= 2;
	*data_room = (uint16_t)(size + HEADROOM);
	if (find_arg(devargs, "blocksz") != NULL || find_arg(devargs, "framecnt") != NULL)
		return (size_t)snprintf(out, out_len, "%s,framesz=%u", devargs, size) < out_len
			       ? 0
			       : -E2BIG;
	return (size_t)snprintf(out, out_len, "%s,framesz=%u,blocksz=%u,framecnt=%u", devargs, size,
		       NPF_MAX(size, 65536u), AF_PACKET_MEM / size) < out_len
		       ? 0
		       : -E2BIG;
}

unsigned int npf_devargs_tx_ifindex(const char *devargs, unsigned int if_index)
{
	const char *iface = find_arg(devargs, "tx_iface");
	char name[IF_NAMESIZE] = "";
	size_t len;

	if (strncmp(devargs, "net_pcap", 8) != 0)
		return if_index;
	/* What it receives comes from elsewhere then. */
	if (iface != NULL && (len = strcspn(iface, ",")) < sizeof(name)) {
		memcpy(name, iface, len);
		return if_nametoindex(name);
	}
	return find_arg(devargs, "iface") != NULL ? if_index : 0;
}
