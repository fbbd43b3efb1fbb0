/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * feed.h - the door of the way into a dump's files: options, then packets as the bytes of files in
 * a ring, with or without a trigger; and the count of what reached no disk.
 */
#ifndef NPF_WRITER_FEED_FEED_H
#define NPF_WRITER_FEED_FEED_H

#include "writer/feed/backlog.h"
#include "writer/feed/params.h"
#include "writer/feed/producer.h"
#include "writer/feed/retro.h"
#include "writer/feed/ring.h"

#endif
