// SPDX-License-Identifier: Apache-2.0

// Package synqueue is the demo of a SYN queue that is full: clients that begin a handshake and never end it take all
// its places, others are refused, and SYN cookies let them in.
//
// It runs in a network namespace of its own, since it switches SYN cookies off and on.
package synqueue

import (
	"time"

	"beltrace/demos/demo"
)

const (
	// Backlog is what the server asks listen for: it bounds both queues.
	Backlog = 8
	// Room is how many requests the SYN queue takes: the kernel refuses when it holds more than the backlog.
	Room = Backlog + 1
	// Deaf is how many clients never hear the server's SYN-ACK.
	Deaf = 20
	// Honest is how many clients come while cookies are on.
	Honest = 3
	// patience is how long the one that comes without cookies waits: less than the second after which its SYN is sent again.
	patience = 700 * time.Millisecond
	// look is how long a state is left as it is, so that a sample falls into it and a person can see it.
	look = 1300 * time.Millisecond
	// leaving bounds the wait for the last request: a SYN-ACK that nobody acknowledges is sent again after 1 s, then 2, then 4.
	leaving = 8 * time.Second
)

// Steps of the client and of the lesson.
const (
	stepFull = iota
	stepCookies
	stepGone
)

// greeting is what the server says to whoever it accepts.
const greeting = "hello\n"

// Demo returns the demo.
func Demo() demo.Demo {
	return demo.Demo{
		Name:     "syn-queue",
		Group:    demo.Kernel,
		Summary:  "half-open requests fill the SYN queue, and SYN cookies do without it",
		Server:   serve,
		Client:   drive,
		OwnSpace: true,
		Lesson:   lesson(),
	}
}
