// SPDX-License-Identifier: Apache-2.0

package execution

import (
	"strings"

	"beltrace/demos/demo"
)

func ioUring() demo.Demo {
	d := demoOf("io-uring", "one thread that submits work to the kernel and takes what is done", serveByRing, ioUringLesson())
	d.Missing = missingRing
	return d
}

func ioUringLesson() demo.Lesson {
	return demo.Lesson{
		Title: "Not ready, but done",
		Steps: []demo.Step{
			stepPair: {
				Title: "the kernel does the calls",
				Text: "An event loop is told that a socket is ready, and then calls accept, read and write itself. With io_uring a thread writes what it wants into a ring in shared memory: accept here, receive there, send this. The kernel does it when it can, and puts what came of it into a second ring.\n" +
					"One submission may stand for many results: this server asks once to accept everybody who comes, and once for each client to receive everything that it sends (multishot; an older kernel is asked again each time).",
				Page: "listeners",
				Claims: []demo.Claim{{
					Text:  "the second client was accepted while the first was still there",
					Needs: []string{factAccept, factWait},
					Check: byRing(checkSecondIsTaken()),
				}},
			},
			stepCrowd: {
				Title: "one call for all of it",
				Text: "One submission to accept, and sixteen clients come out of it. It is one thread with all clients at once, as with the event loop.\n" +
					"No call of this server accepts anybody: the kernel does, when the last ACK of a handshake arrives, and tells of it in the ring.",
				Page: "connections",
				Claims: []demo.Claim{{
					Text:  "one thread accepted all clients",
					Needs: []string{factAccept},
					Check: byRing(acceptedBy(1, 1)),
				}, {
					Text:  "many clients were being served at the same time",
					Needs: []string{factAccept},
					Check: byRing(heldMoreThan(Team)),
				}},
			},
			stepThreads: {
				Title: "one call for all of it",
				Text: "The call that is left is io_uring_enter: it hands over what was written into the ring, and sleeps until something is done. What many clients want goes through in one call: compare the calls per request with those of the event loop by beltrace demo execution --compare.\n" +
					"And as in every loop, whoever computes makes everybody wait.",
				Page: "workers",
				Claims: []demo.Claim{{
					Text:  "the same single thread wrote all answers",
					Needs: []string{factTurn},
					Check: answeredBy(1, 1),
				}, {
					Text:  "when the thread slept, it was in io_uring_enter",
					Needs: []string{factBlocked},
					Check: sleptIn(answers, 90, "io_uring_enter"),
				}},
			},
		},
	}
}

// byRing returns a check that needs to see accepts that no system call accept makes.
func byRing(c check) check {
	return func(s demo.Seen) demo.Verdict {
		if hook := s.Probes["accept"].Hook; strings.Contains(hook, "sys_exit") && s.Probes["ring_accept"].Hook == "" {
			return demo.Unable("accepts by io_uring are in none of the calls that can be seen here: " + hook)
		}
		return c(s)
	}
}
