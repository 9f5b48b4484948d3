// SPDX-License-Identifier: Apache-2.0

package execution

import "beltrace/demos/demo"

func threadPerConnection() demo.Demo {
	return demoOf("thread-per-connection", "a thread for each client, and blocking calls", serveByThreads, threadPerConnectionLesson())
}

// serveByThreads has one thread that does nothing but accept, and starts one for each client.
func serveByThreads(s *site) error {
	s.thread(func() error {
		for {
			fd, err := s.accept(s.fd)
			if err != nil {
				return err
			}
			s.thread(func() error { return s.converse(fd) })
		}
	})
	return nil
}

func threadPerConnectionLesson() demo.Lesson {
	return demo.Lesson{
		Title: "A thread for each client",
		Steps: []demo.Step{
			stepPair: {
				Title: "the second client does not wait",
				Text: "One thread does nothing but accept. For each client it starts a thread, which reads, works and writes with blocking calls, as simple as before, and ends when the client leaves.\n" +
					"The first client is slow again. The second one is accepted at once: the thread that sleeps in read for the first is not the thread that accepts.",
				Page:   "listeners",
				Claims: []demo.Claim{secondIsTaken},
			},
			stepCrowd: {
				Title: "sixteen clients, sixteen threads",
				Text: "Each client of the crowd has a thread of its own. While one thread sleeps, the scheduler gives its CPU to another: waiting costs nothing but memory.\n" +
					"Nobody stands in line, neither in the accept queue nor in the program.",
				Page: "connections",
				Claims: []demo.Claim{oneAcceptor, {
					Text:  "each client was answered by a thread of its own",
					Needs: []string{factTurn},
					Check: answeredBy(Crowd, 1),
				}, servedTogether},
			},
			stepThreads: {
				Title: "what so many threads cost",
				Text: "It is the number of clients that decides how many threads there are. Sixteen are nothing; ten thousand need ten thousand stacks, and when many can run at once they wait for a CPU: look at QUEUE.\n" +
					"That is why such servers bound their threads, and then the others wait again: see multi-thread and acceptor-workers.",
				Page: "workers",
				Claims: []demo.Claim{{
					Text:  "each of those threads ended when its client had left",
					Needs: []string{factTurn, factBlocked},
					Check: checkThreadsEnded,
				}, sleptInRead},
			},
		},
	}
}

// checkThreadsEnded proves that the threads that answered the crowd are gone.
func checkThreadsEnded(s demo.Seen) demo.Verdict {
	ended, all := 0, answers(s, stepCrowd)
	for _, w := range crew(s) {
		if w.Ended.Known && all[thread{w.PID, w.TID}] > 0 {
			ended++
		}
	}
	e := demo.Evidence{}.With("ended", int64(ended)).With("clients", Crowd)
	if ended < Crowd {
		return pending(s, e, "some were not seen to end")
	}
	return demo.Equal(e, "ended", ended, Crowd)
}
