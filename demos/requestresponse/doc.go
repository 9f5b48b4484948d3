// SPDX-License-Identifier: Apache-2.0

// Package requestresponse is the demo of the oldest pattern: a client asks, a server answers, over HTTP/1.1.
//
// The same requests are made twice, without and with keep-alive, so that the kernel's part of a request can be counted:
// handshakes, accepts, and the time that they take.
package requestresponse

import "beltrace/demos/demo"

// Requests is how many requests the client makes in each of its two ways.
const Requests = 50

// Steps of the client and of the lesson.
const (
	stepClose = iota
	stepKeepAlive
	stepCost
)

// Demo returns the demo.
func Demo() demo.Demo {
	return demo.Demo{
		Name:    "request-response",
		Group:   demo.Patterns,
		Summary: "HTTP/1.1 requests, with a connection each and with one for all",
		Server:  serve,
		Client:  drive,
		Lesson:  lesson(),
	}
}
