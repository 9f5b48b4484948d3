// SPDX-License-Identifier: Apache-2.0

package execution

import "beltrace/demos/demo"

func acceptorWorkers() demo.Demo {
	return demoOf("acceptor-workers", "one thread accepts, a queue of your own, four threads serve", serveByQueue, acceptorWorkersLesson())
}

// maxQueue is how many accepted clients may wait for a worker.
const maxQueue = 1024

// serveByQueue has one thread that accepts all clients at once, and others that take them from a queue.
func serveByQueue(s *site) error {
	queue := make(chan int, maxQueue)
	s.thread(func() error {
		defer close(queue)
		for {
			fd, err := s.accept(s.fd)
			if err != nil {
				return err
			}
			queue <- fd // when it is full the clients wait in the kernel's, as everywhere
		}
	})
	for range Team {
		s.thread(func() error {
			for fd := range queue {
				if err := s.converse(fd); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return nil
}

func acceptorWorkersLesson() demo.Lesson {
	return demo.Lesson{
		Title: "One acceptor, a queue, workers",
		Steps: []demo.Step{
			stepPair: {
				Title: "accepted at once, served by another",
				Text: "One thread accepts and puts each connection into a queue in memory; four workers take them from there and serve with blocking calls. It is how most thread pools work.\n" +
					"The accept queue of the kernel stays empty. The second client is accepted at once, and since three workers are free it is served at once, too.",
				Page:   "listeners",
				Claims: []demo.Claim{secondIsTaken},
			},
			stepCrowd: {
				Title: "the queue has moved, it is not shorter",
				Text: "Sixteen clients come and all are accepted in a moment. But four workers answer: the other twelve wait, now in the program's queue and not in the kernel's. To the clients it is the same wait.\n" +
					"The accept queue is empty and nothing is refused, so whoever watches the kernel's queue sees no trouble.",
				Page: "listeners",
				Claims: []demo.Claim{oneAcceptor, {
					Text:  "more clients were accepted at the same time than there are workers",
					Needs: []string{factAccept},
					Check: heldMoreThan(Team),
				}},
			},
			stepThreads: {
				Title: "who accepts, who works",
				Text: "The acceptor sleeps in accept and nowhere else; the workers sleep in read, for their clients and the database, or in futex, for the queue.\n" +
					"What the program gains by its own queue is the choice: whom to serve first, and whom to send away with an answer instead of silence. It has to bound that queue itself: memory does not say when it is long.",
				Page: "workers",
				Claims: []demo.Claim{{
					Text:  "four threads answered, and the acceptor was none of them",
					Needs: []string{factAccept, factTurn},
					Check: checkHandedOver,
				}, {
					Text:  "when the acceptor slept, it was in accept",
					Needs: []string{factBlocked},
					Check: sleptIn(acceptors, 70, "accept", "accept4"),
				}},
			},
		},
	}
}

// checkHandedOver proves that those who accepted the crowd and those who answered are not the same.
func checkHandedOver(s demo.Seen) demo.Verdict {
	both, took := 0, acceptors(s, stepCrowd)
	for t := range answers(s, stepCrowd) {
		if took[t] > 0 {
			both++
		}
	}
	v := answeredBy(Team, 1)(s)
	v.Evidence = v.Evidence.With("of_them_acceptors", int64(both))
	if v.State == demo.Proven && both > 0 {
		return demo.Refute(v.Evidence, "who accepted answered as well")
	}
	return v
}
