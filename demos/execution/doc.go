// SPDX-License-Identifier: Apache-2.0

// Package execution holds the demos about how a server executes: in processes, in threads, in a loop. Each is the same
// small HTTP/1.1 server, once for each model: the same handlers, the same client, the same claims' building stones. What
// differs is who accepts, who waits, and in what: that is in the file that has the model's name.
//
// The servers use system calls on blocking sockets, or epoll, or io_uring, and not package net, whose own epoll would
// stand between the model and the kernel. They are taught, so they say no more than the model needs.
package execution

import (
	"time"

	"beltrace/demos/demo"
)

const (
	// Crowd is how many clients come at once.
	Crowd = 16
	// Rounds is how often each of them asks for everything that the server has.
	Rounds = 3
	// Team is how many threads or processes a server of several has.
	Team = 4
	// Work is how long the handler of /cpu computes.
	Work = 2 * time.Millisecond
	// Delay is how long the handler of /wait waits for its database.
	Delay = 20 * time.Millisecond
	// Patience is how often the first client of the pair asks /wait while the second one has no answer.
	Patience = 10
)

// requests is how many a crowd makes.
const requests = Crowd * Rounds * 3

// Steps of the client and of each lesson.
const (
	stepPair = iota
	stepCrowd
	stepThreads
)

// Names of what the client measures, in ns, of the requests in the crowd.
const (
	noteTotal = "crowd_total_ns" // from the first connect to the last answer
	noteP50   = "crowd_p50_ns"   // of a request; the first of a connection counts from its connect
	noteP99   = "crowd_p99_ns"
)

// Demos returns the demos in the order of the course.
func Demos() []demo.Demo {
	return []demo.Demo{singleThread(), threadPerConnection(), multiProcess(), multiThread(), reuseport(), acceptorWorkers(), epollLoop(), ioUring()}
}

// demoOf returns a demo of this group.
func demoOf(name, summary string, serve func(*site) error, l demo.Lesson) demo.Demo {
	return demo.Demo{
		Name: name, Group: demo.Execution, Summary: summary, Server: serverOf(serve), Client: drive, Lesson: l, Measure: measure,
	}
}
