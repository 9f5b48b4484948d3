// SPDX-License-Identifier: Apache-2.0

package requestresponse

import "beltrace/demos/demo"

// lesson is what the demo teaches.
func lesson() demo.Lesson {
	return demo.Lesson{
		Title: "Request and response",
		Steps: []demo.Step{
			stepClose: {
				Title: "a connection for every request",
				Text: "Before an HTTP client can ask, it needs a TCP connection. The two kernels exchange SYN, SYN-ACK and ACK; " +
					"the finished connection waits in the server's accept queue until the server calls accept; then the request is read and answered.\n" +
					"This client says \"Connection: close\". Each of its 50 requests pays for all of that, and the connection is thrown away after one answer.",
				Page: "connections",
				Claims: []demo.Claim{{
					Text:  "without keep-alive every request has a connection of its own",
					Check: countServed(stepClose, Requests),
				}, {
					Text:  "the server accepted each one, and each was closed after its answer",
					Check: checkClosed,
				}},
			},
			stepKeepAlive: {
				Title: "one connection for all",
				Text: "The same 50 requests, with keep-alive, the default of HTTP/1.1: client and server leave the connection open and the next request follows on it.\n" +
					"The server cannot see a difference in what is asked, but its kernel does: one handshake, one accept, one socket. " +
					"The price is that an open connection holds memory and a file descriptor while nobody asks, so servers close idle ones after a while.",
				Page: "connections",
				Claims: []demo.Claim{{
					Text:  "with keep-alive one connection serves them all",
					Check: countServed(stepKeepAlive, 1),
				}, {
					Text:  "that one connection carried about as many bytes as all the others together",
					Check: checkBytes,
				}},
			},
			stepCost: {
				Title: "what a new connection costs",
				Text: "The handshake takes one round trip, here over loopback in microseconds; across an ocean it takes 100 ms, and TLS adds one or two more. " +
					"The wait in the accept queue is the time until the server's thread runs and calls accept.\n" +
					"Now the client takes turns: a request on a new connection, one on the kept one. " +
					"Compare how soon the server sees each. This is why clients keep a pool of open connections, and proxies keep one towards their backends.",
				Page: "listeners",
				Claims: []demo.Claim{{
					Text:  "each new connection costs a handshake and a wait for accept: once a request without keep-alive",
					Needs: []string{"handshake_ns", "wait_ns"},
					Check: checkPaid,
				}, {
					Text:  "with keep-alive the server sees the next request sooner",
					Needs: []string{"mark"},
					Check: checkFaster,
				}},
			},
		},
	}
}
