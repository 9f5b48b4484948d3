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

// crowdArgs are clients that connect all at once, to a server that does not accept.
type crowdArgs struct {
	Addr netip.AddrPort
	N    int
	Hold time.Duration // how long they wait for their connection
}

// crowdResult is what the clients' own sockets say after that time. Those without a connection have been closed.
type crowdResult struct {
	Connected []socket // they believe
	SYNs      int      // that all of them sent
}

// opCrowd connects without blocking.
func opCrowd(a crowdArgs) (crowdResult, error) {
	family, sa := toSockaddr(a.Addr)
	var out crowdResult
	made := make([]socket, a.N)
	for i := range made {
		fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.IPPROTO_TCP)
		if err != nil {
			return out, fmt.Errorf("socket: %w", err)
		}
		made[i].Called = testkit.Mono()
		if err := unix.Connect(fd, sa); err != nil && !errors.Is(err, unix.EINPROGRESS) {
			return out, fmt.Errorf("connect: %w", err)
		}
		if err := made[i].self(fd); err != nil {
			return out, err
		}
	}
	time.Sleep(a.Hold)
	for _, s := range made {
		info, err := unix.GetsockoptTCPInfo(s.FD, unix.IPPROTO_TCP, unix.TCP_INFO)
		if err != nil {
			return out, fmt.Errorf("TCP_INFO: %w", err)
		}
		out.SYNs += 1 + int(info.Total_retrans)
		if info.State == stateEstablished {
			s.Remote = a.Addr
			out.Connected = append(out.Connected, s)
		} else if err := unix.Close(s.FD); err != nil {
			return out, err
		}
	}
	return out, nil
}

const stateEstablished = 1
