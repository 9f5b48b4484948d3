// SPDX-License-Identifier: Apache-2.0

package execution

import "beltrace/demos/demo"

func multiThread() demo.Demo {
	return demoOf("multi-thread", "four threads, each accepts from the same queue and serves", serveByTeam, multiThreadLesson())
}

// serveByTeam has threads that all do what the single one did, with the same listening socket.
func serveByTeam(s *site) error {
	for range Team {
		s.thread(func() error { return s.serveInTurn(s.fd) })
	}
	return nil
}

func multiThreadLesson() demo.Lesson {
	return demo.Lesson{
		Title: "Several acceptors, one queue",
		Steps: []demo.Step{
			stepPair: {
				Title: "whoever is free accepts",
				Text: "Four threads run the loop of the single-threaded server, and all of them call accept on the same socket. The kernel lets them sleep in a line and wakes one for each connection that is complete.\n" +
					"The first client keeps one thread. The second client gets another: there is one queue, and whoever is free takes the next from it.",
				Page:   "listeners",
				Claims: []demo.Claim{secondIsTaken},
			},
			stepCrowd: {
				Title: "four are served, twelve wait in the kernel",
				Text: "Sixteen clients come, four threads take one each, and the others wait in the accept queue until a thread is free. How many are served at once is decided beforehand: a bound on memory and on threads.\n" +
					"One queue for all is fair: the oldest client goes to whichever thread is free first.",
				Page: "listeners",
				Claims: []demo.Claim{{
					Text:  "four threads of one process accepted, all from one listening socket",
					Needs: []string{factAccept},
					Check: acceptedBy(Team, 1),
				}, {
					Text:  "never were more clients accepted at the same time than there are threads",
					Needs: []string{factAccept},
					Check: heldAtOnce(Team),
				}, {
					Text:  "half of the clients waited in the accept queue longer than it takes to serve one",
					Needs: []string{factWait},
					Check: checkQueued(),
				}},
			},
			stepThreads: {
				Title: "a thread for a client, as long as it stays",
				Text: "Who accepts a client serves it until it leaves, whether the client says something or not. A thread that sleeps for its client takes nobody else, however idle the CPU is.\n" +
					"So four silent clients with open connections are enough to stop such a server. That is why they close idle connections soon.",
				Page: "workers",
				Claims: []demo.Claim{{
					Text:  "the threads that accepted are the threads that answered",
					Needs: []string{factAccept, factTurn},
					Check: checkSameThreads,
				}, sleptInRead},
			},
		},
	}
}

// checkSameThreads proves that each thread that accepted some of the crowd answered, and no other.
func checkSameThreads(s demo.Seen) demo.Verdict {
	accepting, answering := acceptors(s, stepCrowd), answers(s, stepCrowd)
	same := 0
	for t := range accepting {
		if answering[t] > 0 {
			same++
		}
	}
	e := demo.Evidence{}.With("accepting_threads", int64(len(accepting))).With("answering_threads", int64(len(answering))).With("both", int64(same))
	switch {
	case same == 0 || same < len(accepting):
		return pending(s, e, "not all of them were seen to answer")
	case same < len(answering):
		return demo.Refute(e, "others answered as well")
	}
	return demo.Prove(e)
}
