// SPDX-License-Identifier: Apache-2.0

package nagle

import "beltrace/demos/demo"

// lesson is what the demo teaches.
func lesson() demo.Lesson {
	turn := []string{demo.FactTurn}
	return demo.Lesson{
		Title: "Nagle's algorithm and the delayed acknowledgement",
		Steps: []demo.Step{
			stepTwoWrites: {
				Title: "an answer in two writes",
				Text: "The server writes the header, then the body: two calls. The first leaves at once. Nagle's algorithm keeps the second back: a small segment has to wait while an earlier one is not acknowledged.\n" +
					"The client's kernel has the header, and delays its acknowledgement by 40 ms, in the hope that an answer can carry it. But its application waits for the body. Both ends wait for each other; nobody works.",
				Page: "requests",
				Claims: []demo.Claim{{
					Text: "each answer was written in two calls", Needs: turn, Check: writesEach(stepTwoWrites, 2),
				}, {
					Text: "its second part was kept back until the first was acknowledged: tens of milliseconds each time", Needs: turn, Check: checkHeld,
				}, {
					Text: "that is where the time of the request goes: written, and not sent", Needs: turn, Check: checkSend,
				}},
			},
			stepNoDelay: {
				Title: "TCP_NODELAY",
				Text: "The same two calls on a connection with TCP_NODELAY: Nagle's algorithm is off, and both segments leave at once. The client reads the body while its acknowledgement is still delayed; it goes out with the next request.\n" +
					"Go, node and nginx set TCP_NODELAY by themselves. In most other languages it is the programmer's to do.",
				Page: "requests",
				Claims: []demo.Claim{{
					Text: "there are two calls for each answer again, and nothing is kept back", Needs: turn, Check: checkFree(stepNoDelay, 2),
				}, {
					Text: "an answer takes less than half of the time", Needs: turn, Check: checkFaster(stepNoDelay),
				}},
			},
			stepOneWrite: {
				Title: "one write",
				Text: "Nagle's algorithm is on again, but the server collects header and body and writes them in one call. There is one segment, and none before it that is not acknowledged: it leaves at once.\n" +
					"This is the better cure. It also costs one system call and one segment less. Buffered writers, writev and MSG_MORE all do it.",
				Page: "connections",
				Claims: []demo.Claim{{
					Text: "one call for each answer, and nothing is kept back although Nagle's algorithm is on", Needs: turn, Check: checkFree(stepOneWrite, 1),
				}, {
					Text: "an answer in one write takes less than half of the time, too", Needs: turn, Check: checkFaster(stepOneWrite),
				}},
			},
		},
	}
}
