// SPDX-License-Identifier: Apache-2.0

package truth

import (
	"errors"
	"net"
	"net/netip"

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
