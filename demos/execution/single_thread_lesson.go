// SPDX-License-Identifier: Apache-2.0

package execution

import "beltrace/demos/demo"

func singleThreadLesson() demo.Lesson {
	return demo.Lesson{
		Title: "One thread, one client at a time",
		Steps: []demo.Step{
			stepPair: {
				Title: "the second client waits",
				Text: "The oldest server: accept a client, read its request, work, write the answer, and do so until it leaves; then accept the next. One thread, no locks, nothing to get wrong.\n" +
					"While the first client is connected, a second one comes. Its connect succeeds at once, since the kernel shakes hands without the program. Then it waits in the accept queue, whether the thread computes, waits for the database, or only waits for the first client to say something.",
				Page: "listeners",
				Claims: []demo.Claim{{
					Text:  "the second client was accepted only when the first had left",
					Needs: []string{factAccept, factWait},
					Check: checkSecondWaits(),
				}},
			},
			stepCrowd: {
				Title: "a crowd stands in line",
				Text: "Sixteen clients come at once, and each wants nine answers: three at once, three after 2 ms of computing, three after 20 ms of waiting for a database.\n" +
					"One is served, fifteen wait in the accept queue: look at its bar and at the longest wait. Each client waits for all before it.",
				Page: "listeners",
				Claims: []demo.Claim{oneAcceptor, {
					Text:  "never were two of them accepted at the same time",
					Needs: []string{factAccept},
					Check: heldAtOnce(1),
				}, {
					Text:  "half of the clients waited in the accept queue longer than it takes to serve one",
					Needs: []string{factWait},
					Check: checkQueued(),
				}},
			},
			stepThreads: {
				Title: "asleep, and yet busy",
				Text: "The thread slept most of the time, in read: for the database, or for its client's next request. The CPU was idle, and yet fifteen clients stood in line.\n" +
					"More CPUs would not help, and a longer accept queue would only make the line longer. The next demos each do something about it; beltrace demo execution --compare shows what it brings.",
				Page: "workers",
				Claims: []demo.Claim{{
					Text:  "the same single thread wrote all answers",
					Needs: []string{factTurn},
					Check: answeredBy(1, 1),
				}, {
					Text:  "when the thread slept, it was in read: for its database or for one client",
					Needs: []string{factBlocked},
					Check: sleptIn(answers, 70, "read"),
				}},
			},
		},
	}
}
