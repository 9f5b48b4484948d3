// SPDX-License-Identifier: Apache-2.0

package truth

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"

	"beltrace/internal/testkit"
)

type listenArgs struct {
	Addr        netip.AddrPort
	Backlog     int
	ReusePort   bool
	FastOpen    bool
	DeferAccept bool
	NonBlocking bool
	Unbound     bool // listen() chooses the port
	IPv6Only    bool
	Hidden      bool // in a network namespace that only the listener keeps, once the operation has ended
}

// opListen makes a listener and returns it, as a socket that was Called to listen.
func opListen(a listenArgs) (l socket, err error) {
	if a.Hidden {
		if err := testkit.UnshareNet(); err != nil {
			return l, err
		}
	}
	family, sa := toSockaddr(a.Addr)
	flags := unix.SOCK_STREAM | unix.SOCK_CLOEXEC
	if a.NonBlocking {
		flags |= unix.SOCK_NONBLOCK
	}
	fd, err := unix.Socket(family, flags, unix.IPPROTO_TCP)
	if err != nil {
		return l, fmt.Errorf("socket: %w", err)
	}
	options := []struct {
		on          bool
		level, name int
		value       int
		label       string
	}{
		{true, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1, "SO_REUSEADDR"},
		{family == unix.AF_INET6, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 0, "IPV6_V6ONLY"},
		{a.IPv6Only, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 1, "IPV6_V6ONLY"},
		{a.ReusePort, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1, "SO_REUSEPORT"},
		{a.FastOpen, unix.IPPROTO_TCP, unix.TCP_FASTOPEN, 16, "TCP_FASTOPEN"},
		{a.DeferAccept, unix.IPPROTO_TCP, unix.TCP_DEFER_ACCEPT, 5, "TCP_DEFER_ACCEPT"},
	}
	for _, o := range options {
		if !o.on {
			continue
		}
		if err := unix.SetsockoptInt(fd, o.level, o.name, o.value); err != nil {
			return l, fmt.Errorf("%s: %w", o.label, err)
		}
	}
	if !a.Unbound {
		if err := unix.Bind(fd, sa); err != nil {
			return l, fmt.Errorf("bind %v: %w", a.Addr, err)
		}
	}
	l.Called = testkit.Mono()
	if err := unix.Listen(fd, a.Backlog); err != nil {
		return l, fmt.Errorf("listen: %w", err)
	}
	l.Returned = testkit.Mono()
	return l, l.self(fd)
}

type serveArgs struct {
	Listener socket
	N        int
	Delay    time.Duration // between a connection's arrival and the call of accept
	Talk     talk
}

// opServe accepts n connections one after the other and talks on each before it takes the next.
func opServe(a serveArgs) ([]socket, error) {
	var served []socket
	for range a.N {
		s, err := acceptOne(a.Listener, a.Delay)
		if err != nil {
			return nil, err
		}
		if err := s.serve(a.Talk); err != nil {
			return nil, err
		}
		served = append(served, s)
	}
	return served, nil
}

func acceptOne(l socket, delay time.Duration) (s socket, err error) {
	if delay > 0 {
		if err := untilReadable(l.FD); err != nil {
			return s, err
		}
		time.Sleep(delay)
	}
	s.Listener, s.Called = l.Cookie, testkit.Mono()
	fd, peer, err := unix.Accept4(l.FD, unix.SOCK_CLOEXEC)
	s.Returned = testkit.Mono()
	if err != nil {
		return s, fmt.Errorf("accept: %w", err)
	}
	s.Remote = fromSockaddr(peer) // a connection that the client has reset is not asked for its peer any more
	return s, s.self(fd)
}

func untilReadable(fd int) error {
	for {
		_, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, -1)
		if !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

// serve talks as a server does: it reads first.
func (s *socket) serve(t talk) error {
	if err := s.read(t.Read); err != nil {
		return err
	}
	if err := s.write(t.Write); err != nil {
		return err
	}
	return s.end(t.End)
}

type pokeArgs struct {
	Listener socket
	N        int
}

// opPoke calls accept n times on a non-blocking listener with an empty queue, and returns how often it said EAGAIN.
func opPoke(a pokeArgs) (int, error) {
	empty := 0
	for range a.N {
		fd, _, err := unix.Accept4(a.Listener.FD, unix.SOCK_CLOEXEC)
		switch {
		case errors.Is(err, unix.EAGAIN):
			empty++
		case err != nil:
			return empty, fmt.Errorf("accept: %w", err)
		default:
			unix.Close(fd)
			return empty, errors.New("accept took a connection out of an empty queue")
		}
	}
	return empty, nil
}

// opWaiting returns the length of a listener's accept queue.
func opWaiting(l socket) (int, error) {
	info, err := unix.GetsockoptTCPInfo(l.FD, unix.IPPROTO_TCP, unix.TCP_INFO)
	if err != nil {
		return 0, fmt.Errorf("TCP_INFO: %w", err)
	}
	return int(info.Unacked), nil // of a listener: sk_ack_backlog
}
