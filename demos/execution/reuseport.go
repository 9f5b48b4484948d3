// SPDX-License-Identifier: Apache-2.0

package execution

import (
	"context"
	"errors"
	"runtime"

	"beltrace/demos/demo"
)

func reuseport() demo.Demo {
	d := demoOf("reuseport", "four listening sockets with one address: the kernel chooses", nil, reuseportLesson())
	d.Server = serveShared
	d.Missing = func() error {
		if runtime.GOOS != "linux" {
			return errors.New("SO_REUSEPORT does not share connections out on " + runtime.GOOS)
		}
		return nil
	}
	return d
}

// serveShared has threads that each have a listening socket of their own, all with one address.
func serveShared(ctx context.Context, env *demo.Env) error {
	lns, err := env.Open(ctx, Team)
	if err != nil {
		return err
	}
	addr := lns[0].Addr()
	var fds []int
	for _, ln := range lns {
		fd, plainErr := plain(ln)
		err = errors.Join(err, plainErr)
		fds = append(fds, fd)
	}
	if err != nil {
		return err
	}
	return run(ctx, env, fds[0], func(s *site) error {
		for _, fd := range fds[1:] {
			if err := s.add(fd); err != nil {
				return err
			}
		}
		for _, fd := range fds {
			s.thread(func() error {
				if fd != s.fd {
					defer s.remove(fd)
				}
				return s.serveInTurn(fd)
			})
		}
		env.Announce(addr)
		return nil
	})
}
