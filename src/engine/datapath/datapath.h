/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * datapath.h - the door of what lcores run: taps and what they do by plan, packets sent and
 * counted, meters, and the clock of it all.
 */
#ifndef NPF_ENGINE_DATAPATH_DATAPATH_H
#define NPF_ENGINE_DATAPATH_DATAPATH_H

#include "engine/datapath/count.h"
#include "engine/datapath/meter.h"
#include "engine/datapath/plan.h"
#include "engine/datapath/tap.h"
#include "engine/datapath/tsc.h"
#include "engine/datapath/txq.h"

#endif
