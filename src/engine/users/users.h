/* SPDX-License-Identifier: BSD-3-Clause */
/* users.h - the door of who the clients are: who may do what, and what each user holds. */
#ifndef NPF_ENGINE_USERS_USERS_H
#define NPF_ENGINE_USERS_USERS_H

#include "engine/users/access.h"
#include "engine/users/account.h"

#endif
