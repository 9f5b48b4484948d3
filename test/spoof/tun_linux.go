// SPDX-License-Identifier: Apache-2.0

package spoof

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// Tun is the descriptor of a TUN device.
type Tun int

// Open makes the device tun0 in the network namespace of the calling thread.
func Open() (Tun, error) {
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return 0, fmt.Errorf("open /dev/net/tun: %w", err)
	}
	dev, err := unix.NewIfreq("tun0")
	if err != nil {
		return 0, err
	}
	dev.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
	if err := unix.IoctlIfreq(fd, unix.TUNSETIFF, dev); err != nil {
		unix.Close(fd)
		return 0, fmt.Errorf("TUNSETIFF: %w", err)
	}
	if err := configure(dev); err != nil {
		unix.Close(fd)
		return 0, err
	}
	return Tun(fd), nil
}

// configure gives the device its addresses and sets it up.
func configure(dev *unix.Ifreq) error {
	s, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("socket: %w", err)
	}
	defer unix.Close(s)
	address := Server().As4()
	for _, step := range []struct {
		name    string
		request uint
		set     func() error
	}{
		{"address", unix.SIOCSIFADDR, func() error { return dev.SetInet4Addr(address[:]) }},
		{"netmask", unix.SIOCSIFNETMASK, func() error { return dev.SetInet4Addr([]byte{255, 255, 0, 0}) }},
		{"flags", unix.SIOCSIFFLAGS, func() error { dev.SetUint16(unix.IFF_UP | unix.IFF_RUNNING); return nil }},
	} {
		if err := step.set(); err != nil {
			return fmt.Errorf("%s of tun0: %w", step.name, err)
		}
		if err := unix.IoctlIfreq(s, step.request, dev); err != nil {
			return fmt.Errorf("set %s of tun0: %w", step.name, err)
		}
	}
	return nil
}

// Close takes the device away.
func (t Tun) Close() error { return unix.Close(int(t)) }

// Send writes a segment as if a client had sent it to the server.
func (t Tun) Send(s Segment) error {
	if _, err := unix.Write(int(t), s.packet()); err != nil {
		return fmt.Errorf("write to tun0: %w", err)
	}
	return nil
}

// quiet is after how long without a segment the server has nothing more to say. SYN-ACKs are sent again after a second.
const quiet = 300 * time.Millisecond

// Answers calls f with each of the server's segments, until there are no more for a while or f wants no more.
func (t Tun) Answers(f func(Segment) (more bool)) error {
	for buf := make([]byte, 2048); ; {
		n, err := unix.Read(int(t), buf)
		switch {
		case errors.Is(err, unix.EAGAIN):
			ready, err := unix.Poll([]unix.PollFd{{Fd: int32(t), Events: unix.POLLIN}}, int(quiet.Milliseconds()))
			if ready == 0 && err == nil {
				return nil
			}
		case err != nil:
			return fmt.Errorf("read from tun0: %w", err)
		default:
			if s, ok := parse(buf[:n]); ok && !f(s) {
				return nil
			}
		}
	}
}
