/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * wakeup.pml - two lanes publish, a reader goes to sleep: no wake-up is lost.
 *
 * What is modelled: src/ringbuf/lane.c (commit, tick, is_due) and reader.c (arm, is_due), word by
 * word, on a machine on which stores pass through a first-in first-out buffer and become visible
 * later than the loads that follow them (x86-TSO). A seq_cst store waits until its buffer is empty.
 * Positions count records; mintocopy is MIN records of both lanes together; stamps are taken from
 * a clock that advances at any moment; lanes also tick without a record, and once at the end.
 *
 * Claim: when nothing can happen any more (timeout), a reader that sleeps has fewer than MIN records
 * waiting. No read timeout and no later tick repairs anything in this model.
 *
 * To show that the claim is not empty, each of these makes spin find an error:
 *   -DWEAK_LANE    the lane's store of its watermark (W3) is only a release
 *   -DWEAK_READER  the reader's store of sleep_seq (W4) is only a release
 *   -DNO_LOOK      the reader does not look again after having asked
 *   -DLATE_DRAIN   the reader drains its doorbell after having asked, not before
 *   -DHEAD_LAST    the lane stores its watermark before its head
 */
#ifndef N_RECORDS
#	define N_RECORDS 2 /* of each lane */
#endif
#ifndef MIN
#	define MIN 1
#endif
#define T_MAX 2 /* the clock's last value */
#ifdef ONE_LANE
#	define N_LANES 1
#else
#	define N_LANES 2
#endif

/* Shared words. */
#define HEAD(i) (i)     /* 0, 1 */
#define MARK(i) (2 + i) /* 2, 3: watermark */
#define SEEN(i) (4 + i) /* 4, 5 */
#define HOLD    6
#define SLEEP   7
byte mem[8];

/* Stamps of the records: written before head, never again. */
byte stamp[2 * N_RECORDS];
#define STAMP(i, n) stamp[(i) * N_RECORDS + (n)]

byte now = 1;
byte bell;

/* Store buffers: two lanes, the reader. */
chan buf[3] = [4] of { byte, byte };

proctype drain(byte who)
{
	byte at, value;
end:
	do
	:: atomic { buf[who] ? at, value -> mem[at] = value; at = 0; value = 0 }
	od
}

inline store(who, at, value)
{
	buf[who] ! at, value
}

inline store_seq_cst(who, at, value)
{
	buf[who] ! at, value;
	empty(buf[who])
}

/* is_due of a lane: own words as it knows them itself, the other's and the reader's from memory. */
inline ask(i, o)
{
	seq = mem[SLEEP];
	if
	:: seq % 2 == 0 || seq == woken
	:: else ->
		d_step { hold = mem[HOLD]; o_seen = mem[SEEN(o)]; i_seen = mem[SEEN(i)] }
		o_mark = mem[MARK(o)];
		o_head = mem[HEAD(o)];
		if
		:: o_head == o_seen && o_mark < hold /* the other lane is what the reader waits for */
		:: head == i_seen && mark < hold     /* we are */
		:: else ->
			if
			:: (o_head - o_seen) + (head - i_seen) >= MIN -> woken = seq; bell = 1
			:: else
			fi
		fi
	fi;
	/* Forget, so that states which differ in nothing else are one. */
	d_step { seq = 0; hold = 0; o_seen = 0; o_mark = 0; o_head = 0; i_seen = 0 }
}

proctype lane(byte i)
{
	byte o = 1 - i;
	byte head, mark = 1, seq, woken, hold, o_seen, o_mark, o_head, i_seen;

	do
	:: atomic { now < T_MAX -> now++ } /* time passes */
	:: head < N_RECORDS -> /* commit a record */
		d_step { mark = now; STAMP(i, head) = mark; head++ }
#ifdef HEAD_LAST
		store_seq_cst(i, MARK(i), mark);
		store(i, HEAD(i), head);
#else
		store(i, HEAD(i), head);
#ifdef WEAK_LANE
		store(i, MARK(i), mark);
#else
		store_seq_cst(i, MARK(i), mark);
#endif
#endif
		ask(i, o)
	:: mark < now -> /* tick */
		mark = now;
		store_seq_cst(i, MARK(i), mark);
		ask(i, o)
	:: head == N_RECORDS && mark == T_MAX -> break
	od
}

/* npf_reader_refresh */
inline look(i)
{
	mark[i] = mem[MARK(i)];
	head[i] = mem[HEAD(i)]
}

/* npf_reader_choose: best is the lane to take from, 2: none. Looks at lanes that seem empty. */
inline choose()
{
	if
	:: pos[0] == head[0] -> look(0)
	:: else
	fi;
	if
	:: pos[1] == head[1] -> look(1)
	:: else
	fi;
	d_step {
		hold = 0;
		best = 2;
		if
		:: pos[0] < head[0] && (pos[1] == head[1] || STAMP(0, pos[0]) <= STAMP(1, pos[1])) ->
			best = 0
		:: else ->
			if
			:: pos[1] < head[1] -> best = 1
			:: else
			fi
		fi;
		if
		:: best != 2 && pos[1 - best] == head[1 - best] &&
			mark[1 - best] < STAMP(best, pos[best]) ->
			hold = STAMP(best, pos[best]);
			best = 2
		:: else
		fi
	}
}

/* npf_reader_is_due: pending() looks at all lanes, then choose(). */
inline is_due()
{
	look(0);
	look(1);
	pending = (head[0] - pos[0]) + (head[1] - pos[1]);
	choose();
	due = best != 2 && pending >= MIN
}

proctype reader()
{
	byte pos[2], head[2], mark[2];
	byte best, hold, pending, seq, last;
	bool due;

	do
	:: pos[0] + pos[1] == N_LANES * N_RECORDS -> break
	:: else ->
		/* next(), until there is nothing */
		choose();
		if
		:: best != 2 ->
			/* In time order, whichever lane it comes from. */
			d_step {
				assert(STAMP(best, pos[best]) >= last);
				last = STAMP(best, pos[best]);
				pos[best] = pos[best] + 1
			}
		:: else ->
			/* arm(): what it finds before asking is the same again */
#ifndef LATE_DRAIN
			bell = 0;
#endif
			/* Seen by a lane at the latest with sleep_seq; earlier does as well. */
			d_step {
				mem[SEEN(0)] = pos[0];
				mem[SEEN(1)] = pos[1];
				mem[HOLD] = hold;
				seq = seq + 1
			}
#ifdef WEAK_READER
			store(2, SLEEP, seq);
#else
			store_seq_cst(2, SLEEP, seq);
#endif
#ifdef LATE_DRAIN
			bell = 0;
#endif
#ifndef NO_LOOK
			is_due();
#endif
			if
			:: due
			:: else ->
				/* asleep */
				if
				:: bell > 0
				:: timeout ->
					assert((mem[HEAD(0)] - pos[0]) + (mem[HEAD(1)] - pos[1]) < MIN);
					break
				fi
			fi;
			/* disarm; a lane that sees it late only signals for nothing */
			d_step { seq = seq + 1; mem[SLEEP] = seq; due = false; pending = 0; hold = 0 }
		fi
	od
}

init {
	atomic {
		mem[MARK(0)] = 1;
		run drain(0);
		run lane(0);
#ifdef ONE_LANE
		mem[MARK(1)] = T_MAX;
#else
		mem[MARK(1)] = 1;
		run drain(1);
		run lane(1);
#endif
		run drain(2);
		run reader()
	}
}
