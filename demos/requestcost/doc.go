// SPDX-License-Identifier: Apache-2.0

// Package requestcost is the demo of what a request costs before anything is done for it: to read it, and to parse it.
//
// The same request is sent in one piece, in ten pieces, and with a header of many lines. The server marks when it parses.
package requestcost

import (
	"time"

	"beltrace/demos/demo"
)

const (
	// Requests is how many the client makes in each way.
	Requests = 20
	// Pieces is in how many writes a request is sent in the second step, Gap how long after each other.
	Pieces = 10
	Gap    = 2 * time.Millisecond
	// Lines is how many header lines of LineLength bytes the requests of the third step have besides.
	Lines      = 400
	LineLength = 80
	// Buffer is how much the server reads at once at most.
	Buffer = 4096
)

// Steps of the client and of the lesson.
const (
	stepOnePiece = iota
	stepPieces
	stepLarge
)

// Demo returns the demo.
func Demo() demo.Demo {
	return demo.Demo{
		Name:    "request-cost",
		Group:   demo.Kernel,
		Summary: "what reading and parsing a request costs: in one read, in many, large",
		Server:  serve,
		Client:  drive,
		Lesson:  lesson(),
	}
}
