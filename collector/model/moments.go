// SPDX-License-Identifier: Apache-2.0

package model

// Moments are the events that an exchange's phases were cut by: when each happened, CLOCK_MONOTONIC ns; 0: not seen.
type Moments struct {
	Connect     int64 // connect was called; of a connection's first exchange only, like the next three
	SYN         int64 // the SYN reached the listener
	Established int64 // the final ACK: into the accept queue
	Accepted    int64 // accept returned
	In, Out     Moves // of the request and of the response
	Earlier     int64 // the last byte of the answer before was written (pipelining)
	// Sleeps are those of the thread that read, the first one first, as far as they are told (see event.Offcpu), and OutSleeps those of
	// the thread that answered, if it is another one. They are all there since SleepsSince; 0: always.
	Sleeps, OutSleeps           []Sleep
	SleepsSince, OutSleepsSince int64
	// Running is how long, ns, the thread that read was on a CPU from the request's last byte to the answer's first. Runqueue is
	// how long the thread that answered waited for one meanwhile, or, if it is another one, since it was woken.
	Running, Runqueue Opt[int64]
}

// Moves are the moments of a request's or a response's bytes.
type Moves struct {
	Readable     int64  // the first of them was ready for the application (sk_data_ready)
	Waking       int64  // the thread that moved them first was told (sched_waking)
	Runnable     int64  // it was put on a run queue (sched_wakeup)
	Oncpu        int64  // it got a CPU (sched_switch)
	Other        int64  // it had last read a request, or begun an answer, of another connection
	Called       int64  // it called for the first of them
	First, Last  int64  // the first call returned, the last one did
	Sent, Acked  int64  // the last of them was first sent, acknowledged
	TID, LastTID uint32 // the thread of the first call, of the last one; 0: not known
	Bytes        uint64 // 0: not known
}

// Sleep is a time in which a thread was not on a CPU. It lost its CPU, if From is Runnable.
type Sleep struct {
	Came               int64 // it had come to the CPU then; 0 or From: not known
	From, Runnable, To int64 // asleep, on a run queue, on a CPU again
	On                 string
	Mixed              bool // it lost its CPU several times between Came and To: of these it ran as long as from Came to From
	Cut                bool // the time between request and response was cut by it
}
