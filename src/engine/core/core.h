/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * core.h - the door of what all modes of the engine share: ports and who wants their packets, who
 * may do what, what each user holds, and memory and filters made for requests.
 *
 * Context: the control thread.
 */
#ifndef NPF_ENGINE_CORE_CORE_H
#define NPF_ENGINE_CORE_CORE_H

#include "engine/core/access.h"
#include "engine/core/account.h"
#include "engine/core/consumer.h"
#include "engine/core/engine.h"
#include "engine/core/filter_pair.h"
#include "engine/core/memory.h"

#endif
