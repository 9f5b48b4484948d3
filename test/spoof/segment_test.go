// SPDX-License-Identifier: Apache-2.0

package spoof

import "testing"

// A segment's checksums add up to all ones, and what is written can be read.
func TestSegment(t *testing.T) {
	s := Segment{Client: Client(70_000), Port: 8080, Flags: SYN, Seq: 1 << 31, Ack: 7}
	p := s.packet()
	if got := checksum(p[:20], 0); got != 0 {
		t.Errorf("the IP header sums to %#x", got)
	}
	pseudo := uint32(protocolTCP + 20)
	for i := 12; i < 20; i += 2 {
		pseudo += uint32(p[i])<<8 + uint32(p[i+1])
	}
	if got := checksum(p[20:], pseudo); got != 0 {
		t.Errorf("the segment sums to %#x", got)
	}
	if s.Damaged = true; checksum(s.packet()[20:], pseudo) == 0 {
		t.Error("a damaged segment has a good checksum")
	}
	got, ok := parse(p)
	// Read as the server's: its port is where the client's stands.
	if !ok || got.Port != s.Client.Port() || got.Client.Port() != s.Port || got.Seq != s.Seq || got.Ack != s.Ack || got.Flags != SYN {
		t.Errorf("%+v was read as %+v", s, got)
	}
	if _, ok := parse(p[:39]); ok {
		t.Error("39 bytes are a segment")
	}
}

// No two clients are the same, and none is the server.
func TestClients(t *testing.T) {
	seen := map[string]bool{}
	for n := range 100_000 {
		c := Client(n)
		if seen[c.String()] || c.Addr() == Server() {
			t.Fatalf("client %d is %v", n, c)
		}
		seen[c.String()] = true
	}
}
