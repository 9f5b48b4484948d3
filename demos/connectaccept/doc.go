// SPDX-License-Identifier: Apache-2.0

// Package connectaccept is the demo of who does what in a TCP handshake: the kernel completes it, the application
// only takes the result out of the accept queue, when it likes.
//
// The server calls accept long after the clients connected, straight through system calls, so that nothing between the
// program and the kernel can accept for it.
package connectaccept

import (
	"fmt"
	"time"

	"beltrace/demos/demo"
)

const (
	// Connections is how many connections the client opens.
	Connections = 5
	// Delay is how long the server does not call accept although connections wait.
	// It is long enough for a sample of the queue, of which there is one a second, to fall into it.
	Delay = 1300 * time.Millisecond
	// pause is what the server does with a connection before it accepts the next one.
	pause = 10 * time.Millisecond
)

// Steps of the client and of the lesson.
const (
	stepConnect = iota
	stepWait
	stepAccept
)

// Demo returns the demo.
func Demo() demo.Demo {
	return demo.Demo{
		Name:    "connect-accept",
		Group:   demo.Kernel,
		Summary: "the kernel completes handshakes although nobody has called accept",
		Server:  serve,
		Client:  drive,
		Lesson:  lesson(),
	}
}

// Names of the moments that the two programs note, by the client's address: before and after their system call. What
// the kernel does for the call lies between them, however long the program then waits for a CPU.
func connectNote(client string) string   { return fmt.Sprintf("connect_%s_ns", client) }
func connectedNote(client string) string { return fmt.Sprintf("connected_%s_ns", client) }
func acceptNote(client string) string    { return fmt.Sprintf("accept_%s_ns", client) }
func acceptedNote(client string) string  { return fmt.Sprintf("accepted_%s_ns", client) }
