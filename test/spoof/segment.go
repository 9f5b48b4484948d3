// SPDX-License-Identifier: Apache-2.0

package spoof

import (
	"encoding/binary"
	"net/netip"
)

// Flags of a TCP segment.
const (
	SYN = 0x02
	ACK = 0x10
)

const protocolTCP = 6

// Server returns the host's address on the device. All of 10.9.0.0/16 is behind it.
func Server() netip.Addr { return netip.AddrFrom4([4]byte{10, 9, 0, 1}) }

// Client returns the nth of 2^24 clients.
func Client(n int) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 9, byte(1 + n>>8&0x7f), byte(n)}), uint16(10000+n>>15))
}

// Segment is one of TCP over IPv4, without options.
type Segment struct {
	Client  netip.AddrPort // sender, or receiver of the server's
	Port    uint16         // the server's
	Flags   byte
	Seq     uint32
	Ack     uint32
	Damaged bool       // the checksum is wrong
	To      netip.Addr // of a client's, if it is not for Server
	Data    string     // of a client's; an even number of bytes
}

// packet is the client's segment on the wire.
func (s Segment) packet() []byte {
	to := s.To
	if !to.IsValid() {
		to = Server()
	}
	src, dst := s.Client.Addr().As4(), to.As4()
	p := make([]byte, 40, 40+len(s.Data))
	p = append(p, s.Data...)
	p[0], p[8], p[9] = 0x45, 64, protocolTCP
	binary.BigEndian.PutUint16(p[2:], uint16(len(p)))
	copy(p[12:], src[:])
	copy(p[16:], dst[:])
	binary.BigEndian.PutUint16(p[10:], checksum(p[:20], 0))
	t := p[20:]
	binary.BigEndian.PutUint16(t, s.Client.Port())
	binary.BigEndian.PutUint16(t[2:], s.Port)
	binary.BigEndian.PutUint32(t[4:], s.Seq)
	binary.BigEndian.PutUint32(t[8:], s.Ack)
	t[12], t[13] = 5<<4, s.Flags
	binary.BigEndian.PutUint16(t[14:], 65535)
	pseudo := uint32(protocolTCP + len(t))
	for i := 12; i < 20; i += 2 {
		pseudo += uint32(binary.BigEndian.Uint16(p[i:]))
	}
	binary.BigEndian.PutUint16(t[16:], checksum(t, pseudo))
	if s.Damaged {
		t[16] ^= 0xff
	}
	return p
}

// parse reads a segment of the server; false if it is something else.
func parse(p []byte) (Segment, bool) {
	if len(p) < 40 || p[0] != 0x45 || p[9] != protocolTCP {
		return Segment{}, false
	}
	t := p[20:]
	return Segment{
		Client: netip.AddrPortFrom(netip.AddrFrom4([4]byte(p[16:20])), binary.BigEndian.Uint16(t[2:])),
		Port:   binary.BigEndian.Uint16(t), Flags: t[13],
		Seq: binary.BigEndian.Uint32(t[4:]), Ack: binary.BigEndian.Uint32(t[8:]),
	}, true
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
