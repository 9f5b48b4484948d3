// SPDX-License-Identifier: Apache-2.0

package connectaccept

import "beltrace/demos/demo"

// lesson is what the demo teaches.
func lesson() demo.Lesson {
	return demo.Lesson{
		Title: "Who accepts a connection?",
		Steps: []demo.Step{
			stepConnect: {
				Title: "connect returns, and nobody was asked",
				Text: "A server calls listen once. From then on its kernel answers every SYN with a SYN-ACK by itself, and when the final ACK arrives the connection is established. " +
					"No line of the server's program runs for that.\n" +
					"This server sleeps. Five clients call connect all the same, and each call returns after one round trip.",
				Page: "connections",
				Claims: []demo.Claim{{
					Text:  "the kernel established every connection before the server's first accept",
					Check: checkBefore,
				}, {
					Text:  "connect returned while the server slept",
					Needs: []string{"handshake_ns"},
					Check: checkConnect,
				}},
			},
			stepWait: {
				Title: "the accept queue",
				Text: "An established connection that the server has not taken waits in the accept queue of its listener. The client may even send: the bytes wait in the socket.\n" +
					"The queue is bounded by the backlog, the number given to listen, and by net.core.somaxconn. A client cannot tell a server that is slow to accept from one that is slow to answer; " +
					"the time in the queue shows the difference.",
				Page: "listeners",
				Claims: []demo.Claim{{
					Text:  "the accept queue held all of them at once",
					Check: checkHeld,
				}, {
					Text:  "the kernel's own length of the queue: all of them while the server slept, and none at the end",
					Check: checkLength,
				}, {
					Text:  "the first one waited as long as the server slept",
					Needs: []string{"wait_ns"},
					Check: checkDelay,
				}},
			},
			stepAccept: {
				Title: "accept takes the oldest",
				Text: "accept makes no connection. It takes the oldest finished one out of the queue and gives it a file descriptor, or sleeps until there is one.\n" +
					"First in, first out: whoever waits longest is served first, and a server that accepts more slowly than clients arrive lets everyone wait longer and longer, until the queue is full.",
				Page: "connections",
				Claims: []demo.Claim{{
					Text:  "connections were accepted in the order in which they were established",
					Check: checkOrder,
				}, {
					Text:  "the waits that the kernel measured agree with the programs' own clocks",
					Needs: []string{"wait_ns"},
					Check: checkClocks,
				}},
			},
		},
	}
}
