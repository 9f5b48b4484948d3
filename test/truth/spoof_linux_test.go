// SPDX-License-Identifier: Apache-2.0

package truth

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"
)

// Clients that are no sockets: their segments are written to a TUN device and what the server answers is read from it.
// Nothing is sent again, nothing is answered by itself.

// tunAddr is the server's address on the device; all of 10.9.0.0/16 is behind it.
var tunAddr = netip.MustParseAddr("10.9.0.1")

// opTun makes the device in the agent's network namespace and returns its descriptor.
func opTun(struct{}) (int, error) {
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
		return 0, fmt.Errorf("TUNSETIFF: %w", err)
	}
	s, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, err
	}
	defer unix.Close(s)
	address := tunAddr.As4()
	for _, step := range []struct {
		name    string
		request uint
		set     func() error
	}{
		{"address", unix.SIOCSIFADDR, func() error { return dev.SetInet4Addr(address[:]) }},
		{"netmask", unix.SIOCSIFNETMASK, func() error { return dev.SetInet4Addr([]byte{255, 255, 0, 0}) }},
		{"up", unix.SIOCSIFFLAGS, func() error { dev.SetUint16(unix.IFF_UP | unix.IFF_RUNNING); return nil }},
	} {
		if err := step.set(); err != nil {
			return 0, err
		}
		if err := unix.IoctlIfreq(s, step.request, dev); err != nil {
			return 0, fmt.Errorf("tun0 %s: %w", step.name, err)
		}
	}
	return fd, nil
}

// spoofed is one such client.
type spoofed struct {
	Addr     netip.AddrPort
	Answered bool   // by a SYN-ACK
	Seq      uint32 // the server's
}

const spoofedSeq = 1000

type spoofArgs struct {
	Tun    int
	Port   uint16 // of the server
	N      int    // SYNs, each from a client of its own
	First  int    // number of the first of them
	Answer bool   // wait for the SYN-ACKs: else the clients are not returned

	Damaged bool // their checksum is wrong
}

// opSpoof sends SYNs.
func opSpoof(a spoofArgs) ([]spoofed, error) {
	clients := make([]spoofed, a.N)
	for i := range clients {
		n := a.First + i
		clients[i].Addr = netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 9, byte(1 + n>>8&0x7f), byte(n)}), uint16(10000+n>>15))
		if err := writeSegment(a.Tun, clients[i].Addr, a.Port, flagSYN, spoofedSeq, 0, a.Damaged); err != nil {
			return nil, err
		}
	}
	if !a.Answer {
		return nil, nil
	}
	return clients, readAnswers(a.Tun, clients)
}

type spoofACKArgs struct {
	Tun     int
	Port    uint16
	Clients []spoofed
}

// opSpoofACK completes handshakes.
func opSpoofACK(a spoofACKArgs) (int, error) {
	for _, c := range a.Clients {
		if err := writeSegment(a.Tun, c.Addr, a.Port, flagACK, spoofedSeq+1, c.Seq+1, false); err != nil {
			return 0, err
		}
	}
	return len(a.Clients), nil
}

const (
	flagSYN = 0x02
	flagACK = 0x10
)

// writeSegment writes a TCP segment without data or options.
func writeSegment(tun int, from netip.AddrPort, port uint16, flags byte, seq, ack uint32, damaged bool) error {
	src, dst := from.Addr().As4(), tunAddr.As4()
	p := make([]byte, 40)
	p[0], p[8], p[9] = 0x45, 64, unix.IPPROTO_TCP
	binary.BigEndian.PutUint16(p[2:], uint16(len(p)))
	copy(p[12:], src[:])
	copy(p[16:], dst[:])
	binary.BigEndian.PutUint16(p[10:], checksum(p[:20], 0))
	t := p[20:]
	binary.BigEndian.PutUint16(t, from.Port())
	binary.BigEndian.PutUint16(t[2:], port)
	binary.BigEndian.PutUint32(t[4:], seq)
	binary.BigEndian.PutUint32(t[8:], ack)
	t[12], t[13] = 5<<4, flags
	binary.BigEndian.PutUint16(t[14:], 65535)
	pseudo := uint32(unix.IPPROTO_TCP + len(t))
	for i := 12; i < 20; i += 2 {
		pseudo += uint32(binary.BigEndian.Uint16(p[i:]))
	}
	binary.BigEndian.PutUint16(t[16:], checksum(t, pseudo))
	if damaged {
		t[16] ^= 0xff
	}
	if _, err := unix.Write(tun, p); err != nil {
		return fmt.Errorf("write to tun0: %w", err)
	}
	return nil
}

// checksum is the Internet checksum (RFC 1071) of an even number of bytes.
func checksum(b []byte, sum uint32) uint16 {
	for i := 0; i < len(b); i += 2 {
		sum += uint32(binary.BigEndian.Uint16(b[i:]))
	}
	for sum>>16 != 0 {
		sum = sum&0xffff + sum>>16
	}
	return ^uint16(sum)
}

// quiet is after how long without a segment the server has nothing more to say. SYN-ACKs are sent again after a second.
const quiet = 300 * time.Millisecond

// readAnswers reads the SYN-ACKs that have been sent, each client's first one.
func readAnswers(tun int, clients []spoofed) error {
	by := map[netip.AddrPort]*spoofed{}
	for i := range clients {
		by[clients[i].Addr] = &clients[i]
	}
	buf := make([]byte, 2048)
	for {
		n, err := unix.Read(tun, buf)
		if errors.Is(err, unix.EAGAIN) {
			ready, err := unix.Poll([]unix.PollFd{{Fd: int32(tun), Events: unix.POLLIN}}, int(quiet.Milliseconds()))
			if ready == 0 && err == nil {
				return nil
			}
			continue
		}
		if err != nil {
			return fmt.Errorf("read from tun0: %w", err)
		}
		if n < 40 || buf[0]>>4 != 4 || buf[9] != unix.IPPROTO_TCP || buf[33] != flagSYN|flagACK {
			continue
		}
		to := netip.AddrPortFrom(netip.AddrFrom4([4]byte(buf[16:20])), binary.BigEndian.Uint16(buf[22:]))
		if c := by[to]; c != nil && !c.Answered {
			c.Answered, c.Seq = true, binary.BigEndian.Uint32(buf[24:])
		}
	}
}
