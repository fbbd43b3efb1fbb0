/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * template.c - the parser of packet templates.
 *
 * Two steps: the text is cut into parts and the headers are laid out (supplying those that are
 * missing), then the fields are set on the laid-out bytes. A varying field leaves its bits zero
 * in the base, so that checksums can be made of the base's sum plus the value. An error names the
 * part that is wrong and, where that helps, what there is to choose from.
 */
#include "txgen/packet/template.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define TEXT_MAX  8192
#define PARTS_MAX 32

struct part {
	char *name;
	char *args;  /* what the parentheses hold, or NULL */
	char *value; /* of name=value */
	int layer;   /* enum npf_txgen_layer, or -1 */
	int index;   /* of t->layers */
};

static char *trim(char *s)
{
	char *end;

	while (isspace((unsigned char)*s))
		s++;
	end = s + strlen(s);
	while (end > s && isspace((unsigned char)end[-1]))
		*--end = '\0';
	return s;
}

/* Cut at the first sep outside parentheses; returns what follows, NULL when there is none. */
static char *cut(char *s, char sep)
{
	int depth = 0;

	for (; *s != '\0'; s++) {
		if (*s == '(')
			depth++;
		else if (*s == ')')
			depth--;
		else if (*s == sep && depth <= 0) {
			*s = '\0';
			return s + 1;
		}
	}
	return NULL;
}

static int parse_part(char *s, struct part *p, struct npf_error *err)
{
	char *open, *eq;

	*p = (struct part){.layer = -1, .index = -1};
	s = trim(s);
	open = strchr(s, '(');
	eq = strchr(s, '=');
	if (eq != NULL && (open == NULL || eq < open)) {
		*eq = '\0';
		p->name = trim(s);
		p->value = trim(eq + 1);
		return 0;
	}
	if (open != NULL) {
		char *close = strrchr(open, ')');

		if (close == NULL || *trim(close + 1) != '\0')
			return npf_error_set(
				err, -EINVAL, "'%s': a closing parenthesis is missing", s);
		*close = '\0';
		*open = '\0';
		p->args = open + 1;
	}
	p->name = trim(s);
	if (*p->name == '\0')
		return npf_error_set(err, -EINVAL, "a header's name is missing between two '/'");
	return 0;
}

static int add_layer(struct npf_txgen_tmpl *t, enum npf_txgen_layer kind, struct npf_error *err)
{
	const struct npf_txgen_layer_def *def = &npf_txgen_layers[kind];
	uint8_t *base;

	if (t->n_layers == NPF_TXGEN_TMPL_LAYERS)
		return npf_error_set(err, -EINVAL, "more than %d headers", NPF_TXGEN_TMPL_LAYERS);
	base = realloc(t->base, t->base_len + def->size);
	if (base == NULL)
		return npf_error_set(err, -ENOMEM, "out of memory");
	memcpy(base + t->base_len, def->defaults, def->size);
	t->layers[t->n_layers] =
		(struct npf_txgen_tmpl_layer){.kind = (uint8_t)kind, .off = (uint16_t)t->base_len};
	if (kind == NPF_TXGEN_LAYER_IP4 || kind == NPF_TXGEN_LAYER_IP6)
		t->l3 = (int)t->n_layers;
	if (npf_txgen_layer_is_l4((int)kind))
		t->l4 = (int)t->n_layers;
	t->n_layers++;
	t->base = base;
	t->base_len += def->size;
	t->hdr_len = (uint16_t)t->base_len;
	return 0;
}

/* The headers in order, with those that a later one needs put in before it. */
static int lay_out(
	struct npf_txgen_tmpl *t, struct part *parts, unsigned int n, struct npf_error *err)
{
	unsigned int rank = 0;
	int rc;

	for (unsigned int i = 0; i < n; i++) {
		int kind = parts[i].layer;

		if (kind < 0)
			continue;
		if (kind != NPF_TXGEN_LAYER_ETH && t->n_layers == 0) {
			rc = add_layer(t, NPF_TXGEN_LAYER_ETH, err);
			if (rc < 0)
				return rc;
			rank = 2;
		}
		if (npf_txgen_layer_is_l4(kind) && t->l3 < 0 &&
			t->layers[t->n_layers - 1].kind != NPF_TXGEN_LAYER_ARP) {
			rc = add_layer(t,
				kind == NPF_TXGEN_LAYER_ICMP6 ? NPF_TXGEN_LAYER_IP6
							      : NPF_TXGEN_LAYER_IP4,
				err);
			if (rc < 0)
				return rc;
			rank = 3;
		}
		if (npf_txgen_layers[kind].rank < rank ||
			(kind == NPF_TXGEN_LAYER_ETH && t->n_layers > 0) ||
			(kind != NPF_TXGEN_LAYER_VLAN && npf_txgen_layers[kind].rank == rank &&
				rank > 2) ||
			(t->n_layers > 0 && t->layers[t->n_layers - 1].kind == NPF_TXGEN_LAYER_ARP))
			return npf_error_set(err, -EINVAL, "%s cannot follow %s",
				npf_txgen_layers[kind].name,
				t->n_layers > 0
					? npf_txgen_layers[t->layers[t->n_layers - 1].kind].name
					: "nothing");
		rank = npf_txgen_layers[kind].rank;
		parts[i].index = (int)t->n_layers;
		rc = add_layer(t, (enum npf_txgen_layer)kind, err);
		if (rc < 0)
			return rc;
	}
	return t->n_layers > 0 ? 0 : add_layer(t, NPF_TXGEN_LAYER_ETH, err);
}

/* On raw bytes a header's name means the first (or next) of that kind that is there. */
static int find_layers(
	struct npf_txgen_tmpl *t, struct part *parts, unsigned int n, struct npf_error *err)
{
	unsigned int from = 0;

	for (unsigned int i = 0; i < n; i++) {
		if (parts[i].layer < 0)
			continue;
		while (from < t->n_layers && t->layers[from].kind != parts[i].layer)
			from++;
		if (from == t->n_layers)
			return npf_error_set(
				err, -EINVAL, "the packet has no %s header there", parts[i].name);
		parts[i].index = (int)from++;
	}
	return 0;
}

static void put_word(uint8_t *at, unsigned int width, uint64_t v)
{
	for (unsigned int i = width; i-- > 0; v >>= 8)
		at[i] = (uint8_t)v;
}

static uint64_t get_word(const uint8_t *at, unsigned int width)
{
	uint64_t v = 0;

	for (unsigned int i = 0; i < width; i++)
		v = v << 8 | at[i];
	return v;
}

static uint8_t sums_of(
	const struct npf_txgen_tmpl *t, int kind, const struct npf_txgen_field_def *f)
{
	bool pseudo = f->pseudo && t->l4 >= 0 && t->layers[t->l4].kind != NPF_TXGEN_LAYER_ICMP;
	uint8_t sums = pseudo ? NPF_TXGEN_SUM_L4 | NPF_TXGEN_SUM_PSEUDO : 0;

	if (f->self == NPF_TXGEN_AUTO_CSUM)
		return 0;
	if (kind == NPF_TXGEN_LAYER_IP4)
		sums |= NPF_TXGEN_SUM_IP;
	else if (npf_txgen_layer_is_l4(kind))
		sums |= NPF_TXGEN_SUM_L4;
	return sums;
}

static void mark_given(
	struct npf_txgen_tmpl *t, int kind, const struct npf_txgen_field_def *f, uint16_t off)
{
	bool l4 = npf_txgen_layer_is_l4(kind);

	switch (f->self) {
	case NPF_TXGEN_AUTO_LEN:
		*(l4 ? &t->keep_l4_len : &t->keep_ip_len) = true;
		break;
	case NPF_TXGEN_AUTO_CSUM:
		*(l4 ? &t->keep_l4_csum : &t->keep_ip_csum) = true;
		break;
	case NPF_TXGEN_AUTO_SRC_MAC:
		for (unsigned int i = 0; i < t->n_mac; i++) {
			if (t->mac_off[i] == off)
				t->mac_off[i] = t->mac_off[--t->n_mac];
		}
		break;
	default:
		break;
	}
}

static int set_field(struct npf_txgen_tmpl *t, const struct npf_txgen_tmpl_layer *layer,
	const struct npf_txgen_field_def *f, const char *text, struct npf_error *err)
{
	struct npf_txgen_values_rule rule = {
		.scalar = f->scalar,
		.max = f->bits == 64 ? UINT64_MAX : (1ull << f->bits) - 1,
		.random_min = f->random_min,
		.random_max = f->random_max,
	};
	struct npf_txgen_values v;
	uint64_t high = 0, mask;
	uint16_t off = layer->off + f->off;
	uint8_t width = f->width;
	int rc = npf_txgen_values_parse(text, &rule, &v, &high, err);

	if (rc < 0)
		return npf_error_set(err, rc, "%s(%s=...): %s", npf_txgen_layers[layer->kind].name,
			f->name, err->text);
	if (f->self == NPF_TXGEN_AUTO_TPID)
		off = layer->off - 2; /* the type field of the header before */
	if (width == 16) {
		put_word(t->base + off, 8, high);
		off += 8;
		width = 8;
	}
	mask = rule.max << f->shift;
	put_word(t->base + off, width,
		(get_word(t->base + off, width) & ~mask) |
			(npf_txgen_values_vary(&v) ? 0 : v.first << f->shift));
	mark_given(t, layer->kind, f, off);
	if (!npf_txgen_values_vary(&v))
		return 0;

	for (unsigned int i = 0; i < t->n_vary; i++) {
		const struct npf_txgen_vary *o = &t->vary[i];

		if (o->off == off &&
			(o->width != width || (((1ull << o->bits) - 1) << o->shift & mask) != 0)) {
			npf_txgen_values_fini(&v);
			return npf_error_set(err, -EINVAL, "%s(%s=...): varies twice",
				npf_txgen_layers[layer->kind].name, f->name);
		}
	}
	if (t->n_vary == NPF_TXGEN_TMPL_VARY) {
		npf_txgen_values_fini(&v);
		return npf_error_set(
			err, -EINVAL, "more than %d varying fields", NPF_TXGEN_TMPL_VARY);
	}
	t->vary[t->n_vary++] = (struct npf_txgen_vary){
		.off = off,
		.width = width,
		.shift = f->shift,
		.bits = f->bits,
		.sums = sums_of(t, layer->kind, f),
		.sum_shift = width == 1 && (f->off & 1) == 0 ? 8 : 0,
		.values = v,
	};
	return 0;
}

static int no_field(const struct npf_txgen_layer_def *def, const char *name, struct npf_error *err)
{
	char names[NPF_ERROR_TEXTLEN / 2] = "";
	size_t at = 0;

	for (unsigned int i = 0; i < def->n_fields; i++)
		at += (size_t)snprintf(names + at, sizeof(names) - at, " %s", def->fields[i].name);
	return npf_error_set(
		err, -EINVAL, "%s has no field '%.40s'; it has:%s", def->name, name, names);
}

static int set_fields(struct npf_txgen_tmpl *t, const struct part *p, struct npf_error *err)
{
	const struct npf_txgen_tmpl_layer *layer = &t->layers[p->index];
	const struct npf_txgen_layer_def *def = &npf_txgen_layers[layer->kind];
	char *arg = p->args;

	while (arg != NULL && *trim(arg) != '\0') {
		char *next = cut(arg, ','), *eq = strchr(arg, '=');
		const struct npf_txgen_field_def *f;
		int rc;

		if (eq == NULL)
			return npf_error_set(
				err, -EINVAL, "%s(%s): write field=value", def->name, trim(arg));
		*eq = '\0';
		arg = trim(arg);
		f = npf_txgen_field_find((enum npf_txgen_layer)layer->kind, arg, strlen(arg));
		if (f == NULL)
			return no_field(def, arg, err);
		rc = set_field(t, layer, f, trim(eq + 1), err);
		if (rc < 0)
			return rc;
		arg = next;
	}
	return 0;
}

static int set_payload(struct npf_txgen_tmpl *t, char *text, struct npf_error *err)
{
	size_t len = strlen(text);

	if (strcasecmp(text, "zero") == 0) {
		t->payload = NPF_TXGEN_PAYLOAD_ZERO;
	} else if (strcasecmp(text, "inc") == 0) {
		t->payload = NPF_TXGEN_PAYLOAD_COUNT;
	} else if (strcasecmp(text, "random") == 0) {
		t->payload = NPF_TXGEN_PAYLOAD_RANDOM;
	} else if (len > 2 && text[0] == '"' && text[len - 1] == '"') {
		t->payload_bytes = (uint8_t *)strndup(text + 1, len - 2);
		t->payload_len = len - 2;
		t->payload = NPF_TXGEN_PAYLOAD_BYTES;
	} else if (strncasecmp(text, "hex:", 4) == 0 &&
		   npf_txgen_hex_parse(text + 4, len - 4, &t->payload_bytes, &t->payload_len) ==
			   0 &&
		   t->payload_len > 0) {
		t->payload = NPF_TXGEN_PAYLOAD_BYTES;
	} else {
		return npf_error_set(err, -EINVAL,
			"payload=%.60s: write zero, inc, random, hex:0123ab or \"text\"", text);
	}
	return t->payload == NPF_TXGEN_PAYLOAD_BYTES && t->payload_bytes == NULL
		       ? npf_error_set(err, -ENOMEM, "out of memory")
		       : 0;
}

static int set_option(struct npf_txgen_tmpl *t, const struct part *p, struct npf_error *err)
{
	struct npf_txgen_values sizes;
	int rc;

	if (strcasecmp(p->name, "payload") == 0)
		return set_payload(t, p->value, err);
	rc = npf_txgen_sizes_parse(p->value, &sizes, err);
	if (rc < 0)
		return rc;
	t->has_size = false;
	rc = npf_txgen_tmpl_set_size(t, &sizes, err);
	npf_txgen_values_fini(&sizes);
	return rc;
}

/* raw(hex=...) or raw(file=NAME,n=N) */
static int take_raw(struct npf_txgen_tmpl *t, const struct part *p, struct npf_error *err)
{
	char *arg = p->args, *file = NULL, *hex = NULL;
	unsigned long n = 1;
	int rc = 0;

	while (arg != NULL && *trim(arg) != '\0') {
		char *next = cut(arg, ','), *eq = strchr(arg, '='), *end;

		if (eq == NULL)
			return npf_error_set(
				err, -EINVAL, "raw: write raw(hex=...) or raw(file=NAME,n=1)");
		*eq = '\0';
		arg = trim(arg);
		if (strcasecmp(arg, "file") == 0) {
			file = trim(eq + 1);
		} else if (strcasecmp(arg, "hex") == 0) {
			hex = trim(eq + 1);
		} else if (strcasecmp(arg, "n") == 0) {
			n = strtoul(eq + 1, &end, 10);
			if (*trim(end) != '\0' || n == 0)
				return npf_error_set(
					err, -EINVAL, "raw(n=...): packets count from 1");
		} else {
			return npf_error_set(
				err, -EINVAL, "raw has no '%.40s'; it has: hex file n", arg);
		}
		arg = next;
	}
	if ((file == NULL) == (hex == NULL))
		return npf_error_set(err, -EINVAL, "raw: write raw(hex=...) or raw(file=NAME,n=1)");
	if (file != NULL)
		rc = npf_txgen_tmpl_read_file(file, n, &t->base, &t->base_len, err);
	else if (npf_txgen_hex_parse(hex, strlen(hex), &t->base, &t->base_len) < 0)
		rc = npf_error_set(err, -EINVAL, "raw(hex=...): pairs of hex digits are wanted");
	if (rc < 0)
		return rc;
	if (t->base_len < NPF_TXGEN_TMPL_SIZE_MIN || t->base_len > NPF_TXGEN_TMPL_SIZE_MAX)
		return npf_error_set(err, -ERANGE,
			"a packet of %zu bytes cannot be sent (%d to %d can)", t->base_len,
			NPF_TXGEN_TMPL_SIZE_MIN, NPF_TXGEN_TMPL_SIZE_MAX);
	t->raw = true;
	npf_txgen_tmpl_dissect(t);
	return 0;
}

static int build(
	struct npf_txgen_tmpl *t, struct part *parts, unsigned int n, struct npf_error *err)
{
	bool raw = strcasecmp(parts[0].name, "raw") == 0;
	int rc;

	for (unsigned int i = raw; i < n; i++) {
		if (parts[i].value != NULL) {
			if (strcasecmp(parts[i].name, "size") != 0 &&
				strcasecmp(parts[i].name, "payload") != 0)
				return npf_error_set(err, -EINVAL,
					"'%.40s=' is neither size= nor payload=", parts[i].name);
			continue;
		}
		parts[i].layer = npf_txgen_layer_find(parts[i].name, strlen(parts[i].name));
		if (parts[i].layer < 0)
			return npf_error_set(err, -EINVAL,
				"no header '%.40s'; there are: eth vlan arp ip ip6 udp tcp icmp "
				"icmp6, and raw in the first place",
				parts[i].name);
	}
	rc = raw ? take_raw(t, &parts[0], err) : lay_out(t, parts, n, err);
	if (rc == 0 && raw)
		rc = find_layers(t, parts, n, err);
	if (rc < 0)
		return rc;
	if (!raw) {
		npf_txgen_tmpl_chain(t);
		t->mac_off[t->n_mac++] = 6;
		if (t->layers[t->n_layers - 1].kind == NPF_TXGEN_LAYER_ARP)
			t->mac_off[t->n_mac++] = t->layers[t->n_layers - 1].off + 8;
	}
	for (unsigned int i = 0; i < n && rc == 0; i++)
		if (parts[i].layer >= 0)
			rc = set_fields(t, &parts[i], err);
	for (unsigned int i = 0; i < n && rc == 0; i++)
		if (parts[i].value != NULL)
			rc = set_option(t, &parts[i], err);
	if (rc == 0 && !t->has_size && !raw && t->hdr_len > NPF_TXGEN_TMPL_SIZE_DEFAULT)
		npf_txgen_values_const(&t->size, t->hdr_len);
	if (rc == 0 && raw) {
		t->verbatim = n == 1;
		if (!t->has_size)
			npf_txgen_values_const(&t->size, t->base_len);
		t->has_size = true;
	}
	return rc;
}

int npf_txgen_tmpl_parse(const char *text, struct npf_txgen_tmpl **tp, struct npf_error *err)
{
	npf_autofree char *copy = strdup(text);
	struct npf_txgen_tmpl *t = calloc(1, sizeof(*t));
	struct part parts[PARTS_MAX];
	unsigned int n = 0;
	int rc = 0;

	if (copy == NULL || t == NULL) {
		free(t);
		return npf_error_set(err, -ENOMEM, "out of memory");
	}
	t->l3 = t->l4 = -1;
	npf_txgen_values_const(&t->size, NPF_TXGEN_TMPL_SIZE_DEFAULT);
	if (strlen(text) > TEXT_MAX)
		rc = npf_error_set(err, -EINVAL, "a template has at most %d characters", TEXT_MAX);
	for (char *s = copy, *next; s != NULL && rc == 0; s = next) {
		next = cut(s, '/');
		if (n == PARTS_MAX)
			rc = npf_error_set(err, -EINVAL, "more than %d parts", PARTS_MAX);
		else
			rc = parse_part(s, &parts[n++], err);
	}
	if (rc == 0)
		rc = build(t, parts, n, err);
	if (rc < 0) {
		npf_txgen_tmpl_free(t);
		return rc;
	}
	*tp = t;
	return 0;
}
