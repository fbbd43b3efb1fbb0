/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * core.h - the door of what all modes of the engine share: ports and who wants their packets, and
 * memory and filters made for requests.
 *
 * Context: the control thread.
 */
#ifndef NPF_ENGINE_CORE_CORE_H
#define NPF_ENGINE_CORE_CORE_H

#include "engine/users/users.h"
#include "engine/core/consumer.h"
#include "engine/core/engine.h"
#include "engine/core/filter_pair.h"
#include "engine/core/memory.h"
#include "engine/core/joint_set.h"

#endif
