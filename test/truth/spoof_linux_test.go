// SPDX-License-Identifier: Apache-2.0

package truth

import (
	"net/netip"

	"beltrace/test/spoof"
)

// opTun makes a TUN device in the agent's network namespace.
func opTun(struct{}) (spoof.Tun, error) { return spoof.Open() }

// spoofed is a client that is no socket.
type spoofed struct {
	Addr     netip.AddrPort
	Answered bool   // by a SYN-ACK
	Seq      uint32 // the server's
	Next     uint32 // its own, after the SYN
}

const spoofedSeq = 1000

type spoofArgs struct {
	Tun     spoof.Tun
	Port    uint16     // of the server
	N       int        // SYNs, each from a client of its own
	First   int        // number of the first of them
	Answer  bool       // wait for the SYN-ACKs: else the clients are not returned
	Data    string     // that each SYN carries
	Damaged bool       // their checksum is wrong
	To      netip.Addr // if not spoof.Server
}

// opSpoof sends SYNs.
func opSpoof(a spoofArgs) ([]spoofed, error) {
	clients, by := make([]spoofed, a.N), map[netip.AddrPort]*spoofed{}
	for i := range clients {
		c := &clients[i]
		c.Addr, c.Next = spoof.Client(a.First+i), spoofedSeq+1+uint32(len(a.Data))
		by[c.Addr] = c
		if err := a.Tun.Send(spoof.Segment{Client: c.Addr, Port: a.Port, Flags: spoof.SYN, Seq: spoofedSeq, Damaged: a.Damaged, To: a.To, Data: a.Data}); err != nil {
			return nil, err
		}
	}
	if !a.Answer {
		return nil, nil
	}
	open := a.N
	return clients, a.Tun.Answers(func(s spoof.Segment) bool {
		if c := by[s.Client]; c != nil && s.Flags == spoof.SYN|spoof.ACK && !c.Answered {
			c.Answered, c.Seq = true, s.Seq
			open--
		}
		return open > 0
	})
}

type spoofACKArgs struct {
	Tun     spoof.Tun
	Port    uint16
	Clients []spoofed
}

// opSpoofACK completes handshakes.
func opSpoofACK(a spoofACKArgs) (int, error) {
	for _, c := range a.Clients {
		if err := a.Tun.Send(spoof.Segment{Client: c.Addr, Port: a.Port, Flags: spoof.ACK, Seq: c.Next, Ack: c.Seq + 1}); err != nil {
			return 0, err
		}
	}
	return len(a.Clients), nil
}
