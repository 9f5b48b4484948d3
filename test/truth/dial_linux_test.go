// SPDX-License-Identifier: Apache-2.0

package truth

import (
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"beltrace/internal/testkit"
)

// How a client opens a connection.
const (
	plainly     = ""
	nonBlocking = "nonblock"  // connect returns EINPROGRESS, poll says when it is done
	fastConnect = "tfo"       // TCP_FASTOPEN_CONNECT: the SYN leaves with the first write
	fastSend    = "tfo-send"  // sendto with MSG_FASTOPEN instead of connect
	oneSYNRetry = "one-retry" // TCP_SYNCNT 1: times out after three seconds
	deafAtFirst = "deaf"      // for deafTime nothing comes in: the SYN-ACK must be sent again
)

const deafTime = 300 * time.Millisecond

type dialArgs struct {
	Addr  netip.AddrPort
	From  netip.AddrPort // where a listener with SO_REUSEPORT is; not valid: the kernel chooses
	N     int
	Lanes int // how many at once; 0: one after the other
	How   string
	Pause time.Duration // between connect and the first write
	Talk  talk
}

// opDial makes n connections. A connect that fails is not an error of the operation: the socket has its Errno.
func opDial(a dialArgs) ([]socket, error) {
	made := make([]socket, a.N)
	lanes := max(a.Lanes, 1)
	var group errgroup.Group
	for lane := range lanes {
		group.Go(func() error {
			runtime.LockOSThread()
			for i := lane; i < a.N; i += lanes {
				if err := made[i].dial(a); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return made, group.Wait()
}

func (s *socket) dial(a dialArgs) error {
	if err := s.connect(a); err != nil {
		return err
	}
	if s.Errno != 0 {
		return s.end(endClose)
	}
	time.Sleep(a.Pause)
	if s.Out == 0 {
		if err := undisturbed(func() error { return s.write(a.Talk.Write) }); err != nil {
			return err
		}
	}
	if err := s.read(a.Talk.Read); err != nil {
		return err
	}
	return s.end(a.Talk.End)
}

// connect opens the connection in the way that a says and fills in all but what is done with it later.
func (s *socket) connect(a dialArgs) error {
	family, sa := toSockaddr(a.Addr)
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, unix.IPPROTO_TCP)
	if err != nil {
		return fmt.Errorf("socket: %w", err)
	}
	if err := prepare(fd, a.How); err != nil {
		return err
	}
	if a.From.IsValid() {
		if err := bindShared(fd, a.From); err != nil {
			return err
		}
	}
	s.Fast, s.NonBlocking = a.How == fastConnect || a.How == fastSend, a.How == nonBlocking
	s.Called = testkit.Mono()
	switch a.How {
	case fastSend:
		s.Wrote = s.Called
		err = undisturbed(func() error { return unix.Sendto(fd, make([]byte, a.Talk.Write), unix.MSG_FASTOPEN, sa) })
		if err == nil {
			s.Out = uint64(a.Talk.Write)
		}
	case nonBlocking:
		err = connectAndPoll(fd, sa)
	case deafAtFirst:
		err = connectDeaf(fd, sa)
	default:
		err = unix.Connect(fd, sa)
	}
	s.Returned = testkit.Mono()
	s.Remote = a.Addr // the kernel names no peer before the handshake is done
	if a.How == fastSend {
		s.Written = s.Returned
	}
	if errno := unix.Errno(0); errors.As(err, &errno) {
		s.Errno = int32(errno)
	}
	return s.self(fd)
}

// undisturbed makes a call that the runtime's signal does not interrupt: the kernel starts such a send again from its
// beginning, and with TCP Fast Open the SYN has taken the data already, which then goes out twice.
func undisturbed(call func() error) error {
	var block, old unix.Sigset_t
	block.Val[0] = 1 << (unix.SIGURG - 1)
	if err := unix.PthreadSigmask(unix.SIG_BLOCK, &block, &old); err != nil {
		return fmt.Errorf("block SIGURG: %w", err)
	}
	defer unix.PthreadSigmask(unix.SIG_SETMASK, &old, nil)
	return call()
}

func prepare(fd int, how string) error {
	switch how {
	case fastConnect:
		return unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_FASTOPEN_CONNECT, 1)
	case oneSYNRetry:
		return unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_SYNCNT, 1)
	}
	return nil
}

// bindShared binds a socket to an address that others may have, too.
func bindShared(fd int, addr netip.AddrPort) error {
	for _, option := range []int{unix.SO_REUSEADDR, unix.SO_REUSEPORT} {
		if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, option, 1); err != nil {
			return err
		}
	}
	_, sa := toSockaddr(addr)
	return unix.Bind(fd, sa)
}

// connectDeaf connects a socket that drops all that comes in during deafTime.
func connectDeaf(fd int, sa unix.Sockaddr) error {
	none := unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K}
	if err := unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{Len: 1, Filter: &none}); err != nil {
		return fmt.Errorf("SO_ATTACH_FILTER: %w", err)
	}
	hears := make(chan error)
	time.AfterFunc(deafTime, func() { hears <- unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_DETACH_FILTER, 0) })
	err := unix.Connect(fd, sa)
	return errors.Join(err, <-hears)
}

// connectAndPoll connects without blocking in connect; the socket is blocking again afterwards.
func connectAndPoll(fd int, sa unix.Sockaddr) error {
	if err := unix.SetNonblock(fd, true); err != nil {
		return err
	}
	if err := unix.Connect(fd, sa); !errors.Is(err, unix.EINPROGRESS) {
		return err
	}
	for {
		_, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}, -1)
		if err == nil {
			break
		}
		if !errors.Is(err, unix.EINTR) {
			return err
		}
	}
	errno, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ERROR)
	if err != nil {
		return err
	}
	if errno != 0 {
		return unix.Errno(errno)
	}
	return unix.SetNonblock(fd, false)
}
