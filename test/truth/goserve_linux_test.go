// SPDX-License-Identifier: Apache-2.0

package truth

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"

	"golang.org/x/sys/unix"

	"beltrace/internal/testkit"
)

type goServeArgs struct {
	Addr netip.AddrPort
	N    int
}

type goServed struct {
	Multipath bool // the listener's protocol is MPTCP
	Served    []socket
}

// opGoServe serves n connections with the net package, as most Go servers do: it reads until the client's end.
func opGoServe(a goServeArgs) (r goServed, err error) {
	l, err := net.Listen("tcp", a.Addr.String())
	if err != nil {
		return r, err
	}
	defer l.Close()
	raw, err := l.(*net.TCPListener).SyscallConn()
	if err != nil {
		return r, err
	}
	err = raw.Control(func(fd uintptr) {
		proto, _ := unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_PROTOCOL)
		r.Multipath = proto == unix.IPPROTO_MPTCP
	})
	if err != nil {
		return r, err
	}
	for range a.N {
		s, err := goServeOne(l)
		if err != nil {
			return r, err
		}
		r.Served = append(r.Served, s)
	}
	return r, nil
}

func goServeOne(l net.Listener) (s socket, err error) {
	s.Called = testkit.Mono()
	c, err := l.Accept()
	if err != nil {
		return s, err
	}
	s.Returned = testkit.Mono()
	raw, err := c.(*net.TCPConn).SyscallConn()
	if err != nil {
		return s, err
	}
	if err := errors.Join(raw.Control(func(fd uintptr) { err = s.self(int(fd)) }), err); err != nil {
		return s, err
	}
	s.TID = 0 // any thread of the runtime may have called accept
	n, err := c.Read(make([]byte, 4096))
	if err != nil {
		return s, err
	}
	s.In = uint64(n)
	s.CloseCalled = testkit.Mono()
	err = c.Close()
	s.CloseReturned = testkit.Mono()
	return s, err
}

type bequestArgs struct {
	Socket socket
	Write  int
}

// opBequest leaves a socket to a new child process, which writes to it and closes it last.
func opBequest(a bequestArgs) (s socket, err error) {
	s = a.Socket
	file := os.NewFile(uintptr(s.FD), "socket")
	heir := exec.Command("/proc/self/exe")
	heir.Env = append(os.Environ(), "BELTRACE_TEST_ROLE=heir")
	heir.ExtraFiles = []*os.File{file}
	heir.Stderr = os.Stderr
	stdin, err := heir.StdinPipe()
	if err != nil {
		return s, err
	}
	if err := heir.Start(); err != nil {
		return s, err
	}
	file.Close() // the socket lives on in the heir
	s.CloseCalled = testkit.Mono()
	if _, err := fmt.Fprintln(stdin, a.Write); err != nil {
		return s, err
	}
	err = heir.Wait()
	s.CloseReturned = testkit.Mono()
	s.Out += uint64(a.Write)
	return s, err
}

// runHeir is the role of a process that was born with a socket as descriptor 3.
func runHeir(talk *testkit.Talk) error {
	var n int
	if err := talk.Hear(&n); err != nil {
		return err
	}
	s := socket{FD: 3}
	if err := s.write(n); err != nil {
		return err
	}
	return s.end(endClose)
}
