// SPDX-License-Identifier: Apache-2.0

// Package nagle is the demo of two good ideas that wait for each other: Nagle's algorithm in the sender, and the delayed
// acknowledgement in the receiver.
//
// The same small answers are written in two calls, once with Nagle's algorithm and once without, and then in one call.
package nagle

import "beltrace/demos/demo"

// Requests is how many requests the client makes in each way.
const Requests = 15

// Steps of the client and of the lesson.
const (
	stepTwoWrites = iota
	stepNoDelay
	stepOneWrite
)

// paths say how an answer is to be written.
var paths = [...]string{stepTwoWrites: "/two-writes", stepNoDelay: "/no-delay", stepOneWrite: "/one-write"}

// Demo returns the demo.
func Demo() demo.Demo {
	return demo.Demo{
		Name:    "nagle",
		Group:   demo.Kernel,
		Summary: "an answer in two writes waits 40 ms for an acknowledgement",
		Server:  serve,
		Client:  drive,
		Lesson:  lesson(),
	}
}
