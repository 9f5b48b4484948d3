// SPDX-License-Identifier: Apache-2.0

// Package acceptqueue is the demo of an accept queue that is full: a server accepts too slowly, its clients wait in the
// queue, further ones are refused without a word, and an acceptor that does nothing but accept ends it.
package acceptqueue

import (
	"time"

	"beltrace/demos/demo"
)

const (
	// Backlog is what the server asks listen for.
	Backlog = 8
	// Room is how many connections the queue then holds: the kernel refuses when it holds more than the backlog. It holds fewer
	// where net.core.somaxconn is less than Backlog: then that is the backlog.
	Room = Backlog + 1
	// Work is how long the server works for one client. The acceptor that does it itself accepts nobody meanwhile. A SYN
	// that was refused comes again after 1 s, then 2 s or 3 s: it finds the queue full, and at 3 s mended.
	Work = 1300 * time.Millisecond
	// Slow is how many clients the acceptor works for itself before it is mended.
	Slow = 2
	// Knocking is how many clients come when the queue is full.
	Knocking = 6
	// Impatient is how many of those give up after Patience.
	Impatient = 2
	// Patience is shorter than the second after which a SYN is sent again.
	Patience = 800 * time.Millisecond
)

// retry is the least time between a SYN and its repetition: 1 s (TCP_TIMEOUT_INIT), less what clocks may disagree.
const retry = 950 * time.Millisecond

// Steps of the client and of the lesson.
const (
	stepFill = iota
	stepKnock
	stepMend
)

// What the server says when it has accepted: who will do the work. After the work it says done.
const (
	saidSelf = "I accept and work\n"
	saidHand = "another works\n"
	saidDone = "done\n"
)

// mendedNote is when the acceptor was mended: CLOCK_MONOTONIC.
const mendedNote = "mended_at_ns"

// Demo returns the demo.
func Demo() demo.Demo {
	return demo.Demo{
		Name:    "accept-queue",
		Group:   demo.Kernel,
		Summary: "a slow acceptor, a full accept queue, and clients that hear nothing",
		Server:  serve,
		Client:  drive,
		Lesson:  lesson(),
	}
}
