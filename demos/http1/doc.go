// SPDX-License-Identifier: Apache-2.0

// Package http1 is the demo of how HTTP/1.1 uses a connection: one request after the other, several at once, and answers
// whose length nobody knows when they begin.
package http1

import (
	"time"

	"beltrace/demos/demo"
)

const (
	// Kept is how many requests follow each other on one connection.
	Kept = 5
	// Pipelined is how many requests are sent at once. Their first bytes fit into what is looked at of a turn.
	Pipelined = 5
	// Work is how long each of those takes.
	Work = 20 * time.Millisecond
	// Pieces is how many pieces the answer of unknown length has, Gap how long the server needs for each but the first.
	Pieces = 5
	Gap    = 20 * time.Millisecond
)

// Steps of the client and of the lesson.
const (
	stepKeepAlive = iota
	stepPipelining
	stepChunked
)

// Demo returns the demo.
func Demo() demo.Demo {
	return demo.Demo{
		Name:    "http1",
		Group:   demo.Protocols,
		Summary: "HTTP/1.1 on a connection: keep-alive, pipelining, chunked answers",
		Server:  serve,
		Client:  drive,
		Lesson:  lesson(),
	}
}
