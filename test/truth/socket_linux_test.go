// SPDX-License-Identifier: Apache-2.0

package truth

import (
	"errors"
	"fmt"
	"net/netip"
	"os"

	"golang.org/x/sys/unix"

	"beltrace/internal/testkit"
)

// socket is what a program knows about a socket of its own. Times are CLOCK_MONOTONIC ns, taken by the program.
type socket struct {
	PID, TID uint32
	FD       int
	Cookie   uint64 // SO_COOKIE
	Local    netip.AddrPort
	Remote   netip.AddrPort

	Called, Returned           int64 // connect or accept; listen for a listener
	Wrote, Written             int64 // before the first byte was written, after the last
	CloseCalled, CloseReturned int64
	In, Out                    uint64 // bytes
	Errno                      int32  // of connect

	Listener uint64 // cookie of the listener that it was accepted from

	// How a client opened it.
	Fast        bool // by TCP Fast Open: the SYN left with the first write
	NonBlocking bool // connect returned before the handshake was done
	Deferred    bool // its listener waits for the first data (the test's word, not the client's)
	Cookied     bool // its SYN was answered with a SYN cookie (the test's word, too)
	Ring        bool // accepted by io_uring
}

// self fills in who is calling and what the kernel says about the descriptor.
func (s *socket) self(fd int) error {
	s.PID, s.TID, s.FD = uint32(os.Getpid()), uint32(unix.Gettid()), fd
	cookie, err := unix.GetsockoptUint64(fd, unix.SOL_SOCKET, unix.SO_COOKIE)
	if err != nil {
		return fmt.Errorf("SO_COOKIE: %w", err)
	}
	s.Cookie = cookie
	if name, err := unix.Getsockname(fd); err == nil {
		s.Local = fromSockaddr(name)
	}
	if name, err := unix.Getpeername(fd); err == nil {
		s.Remote = fromSockaddr(name)
	}
	return nil
}

func fromSockaddr(sa unix.Sockaddr) netip.AddrPort {
	switch sa := sa.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(sa.Addr), uint16(sa.Port))
	case *unix.SockaddrInet6:
		return netip.AddrPortFrom(netip.AddrFrom16(sa.Addr).Unmap(), uint16(sa.Port))
	}
	return netip.AddrPort{}
}

func toSockaddr(a netip.AddrPort) (family int, sa unix.Sockaddr) {
	if a.Addr().Is4() {
		return unix.AF_INET, &unix.SockaddrInet4{Port: int(a.Port()), Addr: a.Addr().As4()}
	}
	return unix.AF_INET6, &unix.SockaddrInet6{Port: int(a.Port()), Addr: a.Addr().As16()}
}

// talk is what an end of a connection does with it: it writes and then reads if it is the client, the server the
// other way round, and then it ends.
type talk struct {
	Read, Write int
	End         string
}

// How a program ends a connection.
const (
	endClose = ""      // close at once
	endDrain = "drain" // read until the peer has closed, then close
	endReset = "reset" // close with a RST
	endKeep  = "keep"  // leave it open
	endStop  = "stop"  // of a listener: it listens no more, the descriptor stays
)

// write writes n bytes and counts them.
func (s *socket) write(n int) error {
	if n == 0 {
		return nil
	}
	if s.Wrote == 0 {
		s.Wrote = testkit.Mono()
	}
	for buf := make([]byte, n); len(buf) > 0; {
		done, err := unix.Write(s.FD, buf)
		if err != nil {
			return fmt.Errorf("write: %w", err)
		}
		s.Out, buf = s.Out+uint64(done), buf[done:]
	}
	s.Written = testkit.Mono()
	return nil
}

// read reads n bytes, or until the peer's end if n is negative.
func (s *socket) read(n int) error {
	for buf := make([]byte, 64<<10); n != 0; {
		want := buf
		if n > 0 && n < len(buf) {
			want = buf[:n]
		}
		done, err := unix.Read(s.FD, want)
		switch {
		case n < 0 && (done == 0 && err == nil || errors.Is(err, unix.ECONNRESET)):
			return nil
		case err != nil:
			return fmt.Errorf("read: %w", err)
		case done == 0:
			return fmt.Errorf("read: end of stream, %d bytes missing", n)
		}
		s.In += uint64(done)
		if n > 0 {
			n -= done
		}
	}
	return nil
}

// end ends the connection in the given way and keeps the time.
func (s *socket) end(how string) error {
	switch how {
	case endKeep:
		return nil
	case endStop:
		return unix.Shutdown(s.FD, unix.SHUT_RD)
	case endDrain:
		if err := s.read(-1); err != nil {
			return err
		}
	case endReset:
		if err := unix.SetsockoptLinger(s.FD, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1}); err != nil {
			return fmt.Errorf("SO_LINGER: %w", err)
		}
	}
	s.CloseCalled = testkit.Mono()
	err := unix.Close(s.FD)
	s.CloseReturned = testkit.Mono()
	return err
}

type finishArgs struct {
	Sockets []socket
	Talk    talk // reads first
}

// opFinish ends sockets that were kept. The sockets go back with what happened since.
func opFinish(a finishArgs) ([]socket, error) {
	for i := range a.Sockets {
		s := &a.Sockets[i]
		if err := s.read(a.Talk.Read); err != nil {
			return nil, err
		}
		if err := s.write(a.Talk.Write); err != nil {
			return nil, err
		}
		if err := s.end(a.Talk.End); err != nil {
			return nil, err
		}
	}
	return a.Sockets, nil
}
