/* SPDX-License-Identifier: BSD-3-Clause */
/* pattern.c - checks and expands patterns, and recognises the names that they make. */
#include "writer/disk/pattern_priv.h"

#include "base/clock.h"

#include <ctype.h>
#include <stdio.h>
#include <sys/stat.h>
#include <string.h>

const char *npf_writer_pattern_base(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash != NULL ? slash + 1 : path;
}

const char *npf_writer_pattern_extension(const char *base)
{
	const char *dot = strrchr(base, '.');

	if (dot == NULL || dot == base)
		return base + strlen(base);
	if (strcmp(dot, ".zst") == 0) {
		const char *before = dot;

		while (before > base && before[-1] != '.')
			before--;
		if (before > base + 1)
			return before - 1;
	}
	return dot;
}

size_t npf_writer_pattern_conversion_max(char c)
{
	switch (c) {
	case 'N':
		return 20; /* 2^64 */
	case 's':
		return 11; /* 2^64 ns */
	case 'F':
		return 10;
	case 'T':
		return 8;
	case 'Y':
		return 4;
	case 'j':
		return 3;
	case '%':
		return 1;
	default:
		return 2;
	}
}

static size_t longest_name(const char *base)
{
	size_t n = 0;

	for (; *base != '\0'; base++)
		n += *base == '%' ? npf_writer_pattern_conversion_max(*++base) : 1;
	return n;
}

int npf_writer_pattern_check(const char *pattern, struct npf_error *err)
{
	const char *base = npf_writer_pattern_base(pattern);
	uint64_t number = 0;
	char path[PATH_MAX];

	if (base[0] == '\0')
		return npf_error_set(
			err, -EINVAL, "\"%.120s\" names a directory, not a file", pattern);
	for (const char *s = pattern; *s != '\0'; s++) {
		if (*s != '%')
			continue;
		s++;
		if (*s == '\0' || strchr("YymdHMSjsFTN%", *s) == NULL)
			return npf_error_set(err, -EINVAL,
				"\"%.120s\": of %%-conversions there are %%Y %%y %%m %%d %%H %%M "
				"%%S %%j %%s %%F %%T %%N %%%%",
				pattern);
		if (s < base)
			return npf_error_set(err, -EINVAL,
				"\"%.120s\": a %%-conversion can stand in the file's name, not in "
				"its directory",
				pattern);
	}
	if (longest_name(base) > NPF_WRITER_NAME_MAX ||
		(size_t)(base - pattern) + NAME_MAX >= sizeof(path) ||
		npf_writer_pattern_expand(pattern, 0, 0, 0, path, sizeof(path)) < 0)
		return npf_error_set(
			err, -EINVAL, "\"%.80s...\": too long for a file's name", pattern);
	/* %N and %s have no fixed length: digits right behind them would be read as theirs. */
	if (!npf_writer_pattern_matches(pattern, npf_writer_pattern_base(path), &number))
		return npf_error_set(err, -EINVAL,
			"\"%.120s\": what follows %%N or %%s must not begin with a digit", pattern);
	return 0;
}

bool npf_writer_pattern_varies(const char *pattern)
{
	for (const char *s = pattern; *s != '\0'; s++)
		if (*s == '%' && *++s != '%')
			return true;
	return false;
}

/* One conversion. Return: characters, as snprintf(). */
static int convert(char c, const struct tm *tm, uint64_t number, char *out, size_t size)
{
	char format[3] = {'%', c, '\0'};

	if (c == '%')
		return snprintf(out, size, "%%");
	if (c == 'N')
		return snprintf(out, size, "%06llu", (unsigned long long)number);
	return (int)strftime(out, size, format, tm);
}

int npf_writer_pattern_expand(const char *pattern, uint64_t ts_ns, uint64_t number,
	unsigned int try, char *path, size_t size)
{
	time_t seconds = (time_t)(ts_ns / NPF_NS_PER_S);
	const char *extension = npf_writer_pattern_extension(npf_writer_pattern_base(pattern));
	size_t used = 0;
	struct tm tm;

	localtime_r(&seconds, &tm);
	for (const char *s = pattern;; s++) {
		char piece[32] = {*s, '\0'};
		int n = 1;

		if (s == extension && try > 0) {
			n = snprintf(path + used, size - used, "-%u", try);
			used += (size_t)n;
			if (used >= size)
				return -ENAMETOOLONG;
			n = 1;
		}
		if (*s == '\0')
			break;
		if (*s == '%')
			n = convert(*++s, &tm, number, piece, sizeof(piece));
		if (used + (size_t)n >= size)
			return -ENAMETOOLONG;
		memcpy(path + used, piece, (size_t)n);
		used += (size_t)n;
	}
	path[used] = '\0';
	return 0;
}

/* Digits, as many as there are, at least @least. */
static const char *skip_digits(const char *s, unsigned int least)
{
	while (isdigit((unsigned char)*s)) {
		s++;
		least -= least > 0;
	}
	return least == 0 ? s : NULL;
}

/* Exactly these digits and separators: 'd' stands for a digit. */
static const char *skip_shape(const char *s, const char *shape)
{
	for (; *shape != '\0'; shape++, s++)
		if (*shape == 'd' ? !isdigit((unsigned char)*s) : *s != *shape)
			return NULL;
	return s;
}

static const char *skip_conversion(char c, const char *s, uint64_t *numberp)
{
	switch (c) {
	case 'Y':
		return skip_shape(s, "dddd");
	case 'j':
		return skip_shape(s, "ddd");
	case 'F':
		return skip_shape(s, "dddd-dd-dd");
	case 'T':
		return skip_shape(s, "dd:dd:dd");
	case 's':
		return skip_digits(s, 1);
	case 'N':
		*numberp = strtoull(s, NULL, 10);
		return skip_digits(s, 6);
	case '%':
		return *s == '%' ? s + 1 : NULL;
	default:
		return skip_shape(s, "dd");
	}
}

bool npf_writer_pattern_matches(const char *pattern, const char *name, uint64_t *numberp)
{
	const char *p = npf_writer_pattern_base(pattern),
		   *extension = npf_writer_pattern_extension(p);
	uint64_t number = *numberp;

	for (; name != NULL; p++) {
		if (p == extension && *name == '-') {
			name = skip_digits(name + 1, 1);
			if (name == NULL)
				return false;
		}
		if (*p == '\0')
			break;
		if (*p == '%')
			name = skip_conversion(*++p, name, &number);
		else
			name = *p == *name ? name + 1 : NULL;
	}
	if (name == NULL || *name != '\0')
		return false;
	*numberp = number;
	return true;
}

int npf_writer_pattern_dir(const char *pattern, char *dir, size_t size)
{
	size_t len = (size_t)(npf_writer_pattern_base(pattern) - pattern);

	if (len == 0)
		return snprintf(dir, size, ".") < (int)size ? 0 : -ENAMETOOLONG;
	if (len >= size)
		return -ENAMETOOLONG;
	memcpy(dir, pattern, len);
	dir[len > 1 ? len - 1 : 1] = '\0';
	return 0;
}

static const char *kind_of(mode_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFDIR:
		return "a directory";
	case S_IFIFO:
		return "a FIFO";
	case S_IFLNK:
		return "a symbolic link";
	case S_IFSOCK:
		return "a socket";
	default:
		return "a device";
	}
}

int npf_writer_pattern_check_target(const char *pattern, struct npf_error *err)
{
	char path[PATH_MAX];
	struct stat st;

	if (npf_writer_pattern_varies(pattern) ||
		npf_writer_pattern_expand(pattern, 0, 0, 0, path, sizeof(path)) < 0)
		return 0;
	if (lstat(path, &st) < 0 || S_ISREG(st.st_mode))
		return 0;
	return npf_error_set(err, -EEXIST,
		"\"%.120s\" is %s: a dump goes into a regular file, which it makes itself; name "
		"one that is not there yet",
		path, kind_of(st.st_mode));
}
