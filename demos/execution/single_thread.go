// SPDX-License-Identifier: Apache-2.0

package execution

import "beltrace/demos/demo"

func singleThread() demo.Demo {
	return demoOf("single-thread", "one blocking loop: whoever comes second waits", serveAlone, singleThreadLesson())
}

// serveAlone accepts a client, serves it until it leaves, and only then accepts the next.
func serveAlone(s *site) error {
	s.thread(func() error { return s.serveInTurn(s.fd) })
	return nil
}

// serveInTurn serves the clients of a listening socket one after the other, in the calling thread.
func (s *site) serveInTurn(ln int) error {
	for {
		fd, err := s.accept(ln)
		if err != nil {
			return err
		}
		if err := s.converse(fd); err != nil {
			return err
		}
	}
}
