/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * privileges.c - glibc's setuid family acts on every thread, the taps included; leaving uid 0
 * clears the capabilities of each, and no_new_privs keeps any later exec from bringing them back.
 */
#include "engine/privileges.h"

#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <sys/prctl.h>

static const struct passwd *wanted(const struct npf_config *conf, struct npf_error *err)
{
	const struct passwd *pw = getpwnam(conf->npf.user);

	if (pw == NULL)
		npf_error_set(err, -EINVAL,
			"npf.user: there is no user \"%s\"; make it with useradd --system",
			conf->npf.user);
	return pw;
}

int npf_privileges_check(const struct npf_config *conf, struct npf_error *err)
{
	const struct passwd *pw;

	if (conf->npf.user == NULL)
		return 0;
	pw = wanted(conf, err);
	if (pw == NULL)
		return -EINVAL;
	if (geteuid() == 0 || geteuid() == pw->pw_uid)
		return 0;
	return npf_error_set(err, -EPERM,
		"npf.user: only root can become \"%s\"; start as root, or leave `user` out",
		conf->npf.user);
}

int npf_privileges_drop(const struct npf_config *conf, struct npf_error *err)
{
	const struct passwd *pw;

	if (conf->npf.user == NULL)
		return 0;
	pw = wanted(conf, err);
	if (pw == NULL)
		return -EINVAL;
	if (pw->pw_uid == geteuid())
		return 0;
	if (initgroups(pw->pw_name, pw->pw_gid) < 0 ||
		setresgid(pw->pw_gid, pw->pw_gid, pw->pw_gid) < 0 ||
		setresuid(pw->pw_uid, pw->pw_uid, pw->pw_uid) < 0 ||
		prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) {
		int rc = -errno;

		return npf_error_set(
			err, rc, "can't become user \"%s\": %s", conf->npf.user, strerror(-rc));
	}
	return 0;
}
