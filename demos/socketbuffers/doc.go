// SPDX-License-Identifier: Apache-2.0

// Package socketbuffers is the demo of the two buffers between a server's write and a client's read, and of what happens
// when nobody reads: the window closes, the buffers fill, and the writer stands still.
package socketbuffers

import (
	"time"

	"beltrace/demos/demo"
)

const (
	// Size is how long the large answer is: more than both buffers hold.
	Size = 8 << 20
	// Asleep is how long the slow client does not read.
	Asleep = time.Second
	// Window is the slow client's receive buffer, as it asks for it.
	Window = 64 << 10
	// Others is how many requests another client makes meanwhile.
	Others = 20
)

// Steps of the client and of the lesson.
const (
	stepQuick = iota
	stepSlow
	stepOther
)

const (
	pathLarge = "/large"
	pathSmall = "/small"
)

// Demo returns the demo.
func Demo() demo.Demo {
	return demo.Demo{
		Name:    "socket-buffers",
		Group:   demo.Kernel,
		Summary: "a client that does not read: the window closes and the writer stops",
		Server:  serve,
		Client:  drive,
		Lesson:  lesson(),
	}
}
