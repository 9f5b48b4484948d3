// SPDX-License-Identifier: Apache-2.0

package synqueue

import "beltrace/demos/demo"

// lesson is what the demo teaches.
func lesson() demo.Lesson {
	return demo.Lesson{
		Title: "What fills the SYN queue, and what empties it?",
		Steps: []demo.Step{
			stepFull: {
				Title: "half-open requests take all places",
				Text: "A SYN arrives, the kernel answers with a SYN-ACK and remembers the request in the SYN queue until the final ACK comes. Twenty clients here never hear the SYN-ACK, like an address that an attacker made up.\n" +
					"The backlog of 8 bounds this queue, too: nine requests fit, and wait for seconds. SYN cookies are off, so the kernel drops every further SYN. The server's program accepts at once and is idle all the while: it never hears of any of them.",
				Page: "listeners",
				Claims: []demo.Claim{{
					Text:  "the SYN queue filled to backlog + 1",
					Check: checkFull,
				}, {
					Text:  "the server's program got nothing of it: nothing was established",
					Check: checkNothing,
				}, {
					Text:  "an honest client was refused, and gave up before its SYN was sent again",
					Needs: []string{"connect"},
					Check: checkTurnedAway,
				}, {
					Text:  "SYNs that found the queue full were dropped for that reason",
					Check: checkDropped,
				}},
			},
			stepCookies: {
				Title: "a cookie instead of a place",
				Text: "Now tcp_syncookies is 1. The SYN queue is as full as before, but the kernel need not remember: it computes a number from addresses, ports, time and a secret, and sends that as its sequence number. Whoever returns it in the final ACK has proven that he hears.\n" +
					"The price: what the SYN said is forgotten. Options survive only as far as they fit into the timestamp.",
				Page: "connections",
				Claims: []demo.Claim{{
					Text:  "honest clients were connected at once while the SYN queue was full",
					Needs: []string{"handshake_ns"},
					Check: checkLetIn,
				}, {
					Text:  "they came in by a SYN cookie",
					Check: checkCookies,
				}},
			},
			stepGone: {
				Title: "how a half-open request ends",
				Text: "The twenty close their sockets. No segment tells the server: it only finds out when it sends a SYN-ACK again, after one second, then two, then four. Now a reset comes back, and the place is free.\n" +
					"An address that nobody has sends no reset: then the request stays until the kernel has sent its SYN-ACK tcp_synack_retries times, or until others press.",
				Page: "listeners",
				Claims: []demo.Claim{{
					Text:  "the kernel sent SYN-ACKs again, since nobody had acknowledged them",
					Needs: []string{"retransmit"},
					Check: checkSentAgain,
				}, {
					Text:  "the SYN queue is empty again",
					Check: checkEmpty,
				}},
			},
		},
	}
}
