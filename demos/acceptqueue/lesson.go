// SPDX-License-Identifier: Apache-2.0

package acceptqueue

import "beltrace/demos/demo"

// lesson is what the demo teaches.
func lesson() demo.Lesson {
	return demo.Lesson{
		Title: "What happens when the accept queue is full?",
		Steps: []demo.Step{
			stepFill: {
				Title: "an acceptor that works, and a queue that fills",
				Text: "This server accepts a client, asks a slow database for it, answers, and only then accepts the next. Its kernel goes on shaking hands: nine more clients are connected and wait in the accept queue.\n" +
					"listen was called with a backlog of 8. The kernel refuses when the queue holds more than that, so nine fit. Those who wait were told that they are connected; nothing tells them that nobody has seen them yet.",
				Page: "listeners",
				Claims: []demo.Claim{{
					Text:  "the accept queue filled to backlog + 1, and no further before the next accept",
					Needs: []string{"accept"},
					Check: checkFull,
				}, {
					Text:  "connect returned at once, and then they waited longer than the work for one client takes",
					Needs: []string{"wait_ns", "handshake_ns"},
					Check: checkWaited,
				}},
			},
			stepKnock: {
				Title: "the queue that says no, without a word",
				Text: "Six more clients call connect. The kernel drops their SYNs: no answer, no reset, nothing in the server's log. A client cannot tell that from a cable that is cut.\n" +
					"So it does what it would do then: it sends the SYN again after a second, and later again. Whoever set a shorter timeout gives up; the server's program never hears of them. " +
					"If several SYNs come for one free place, all are answered, and the kernel drops the final ACKs of the others: those believe that they are connected.",
				Page: "connections",
				Claims: []demo.Claim{{
					Text:  "while the queue was full clients knocked, and none was let in",
					Needs: []string{"connect", "accept"},
					Check: checkRefused,
				}, {
					Text:  "the kernel counted each SYN that it did not answer as refused at this listener",
					Needs: []string{"syn_drops", "retransmit"},
					Check: checkCounted,
				}, {
					Text:  "a client that heard nothing sent its SYN again, after a second",
					Needs: []string{"retransmit"},
					Check: checkAgain,
				}, {
					Text:  "impatient clients gave up before they were connected",
					Needs: []string{"connect"},
					Check: checkGaveUp,
				}},
			},
			stepMend: {
				Title: "an acceptor that only accepts",
				Text: "Now the acceptor hands each connection to somebody else and accepts the next at once. The work takes as long as before, but no client waits for another's. The queue is empty in a moment.\n" +
					"A larger backlog would not have helped: it makes the queue longer, not the acceptor faster. Those whose SYN was dropped still pay: they come in when their SYN is sent again, seconds late, and no earlier.",
				Page: "listeners",
				Claims: []demo.Claim{{
					Text:  "the mended acceptor emptied the queue sooner than the slow one took one client",
					Needs: []string{"accept"},
					Check: checkDrained,
				}, {
					Text:  "patient clients were connected by a SYN that was sent again, a second or more later",
					Needs: []string{"connect", "handshake_ns"},
					Check: checkLate,
				}},
			},
		},
	}
}
