// SPDX-License-Identifier: Apache-2.0

package connectaccept

import (
	"fmt"
	"testing"

	"beltrace/collector/event"
	"beltrace/collector/model"
	"beltrace/demos/demo"
	"beltrace/demos/demotest"
)

const (
	server = "127.0.0.1:8080"
	us     = int64(1000)
	ms     = 1000 * us
	delay  = int64(Delay)
)

// play returns what is seen of a run in which everything is as it should be: connections 1 ms apart, accepted as
// late as the server sleeps, and then 10 ms apart. Times start at 1 s.
func play() demo.Seen {
	s := demo.Seen{
		Snapshot: &model.Snapshot{TS: 5000 * ms, Listeners: []model.Listener{{
			Local: server, Backlog: model.Some(uint32(4096)), AcceptQueue: model.Some(uint32(0)),
			History: []model.QueueSample{sample(900*ms, 0), sample(1700*ms, Connections), sample(2001*ms, Connections), sample(3000*ms, 0)},
		}}},
		Server: demo.Party{PID: 7, Addr: server},
		Steps:  []int64{1000 * ms, 1006 * ms, 1012*ms + delay},
		Notes:  map[string]float64{"slept_ns": float64(delay)},
		Done:   true,
	}
	for i := range int64(Connections) {
		client := fmt.Sprintf("127.0.0.1:%d", 40000+i)
		at := (1001 + i) * ms
		taken := 1002*ms + delay + 10*i*ms
		s.Connections = append(s.Connections,
			demotest.Life{Role: event.RoleServer, Local: server, Remote: client, Established: at, Accepted: taken, Handshake: 30 * us}.Connection(),
			demotest.Life{Role: event.RoleClient, Local: client, Remote: server, Established: at, Handshake: 60 * us}.Connection())
		s.Notes[connectNote(client)] = float64(at - 60*us)
		s.Notes[connectedNote(client)] = float64(at + 80*us)
		s.Notes[acceptNote(client)] = float64(taken - 5*us)
		s.Notes[acceptedNote(client)] = float64(taken + 5*us)
	}
	return s
}

func sample(ts int64, n uint32) model.QueueSample {
	return model.QueueSample{TS: ts, AcceptQueue: model.Some(n)}
}

func TestClaims(t *testing.T) {
	sockets := func(s demo.Seen, i int) *model.Connection { return &s.Connections[2*i] }
	accepted := func(c *model.Connection, at int64) {
		c.Story[1].TS, c.WaitNS = at, model.Some(at-c.Story[0].TS)
	}
	tests := []struct {
		name   string
		change func(*demo.Seen)
		check  func(demo.Seen) demo.Verdict
		want   demo.State
	}{
		{"before", nil, checkBefore, demo.Proven},
		{"connect", nil, checkConnect, demo.Proven},
		{"held", nil, checkHeld, demo.Proven},
		{"length", nil, checkLength, demo.Proven},
		{"delay", nil, checkDelay, demo.Proven},
		{"length: one fewer", func(s *demo.Seen) {
			for i := range s.Listeners[0].History {
				s.Listeners[0].History[i].AcceptQueue.V = Connections - 1
			}
		}, checkLength, demo.Refuted},
		{"length: one is left", func(s *demo.Seen) { s.Listeners[0].AcceptQueue.V = 1 }, checkLength, demo.Refuted},
		{"length: one is left so far", func(s *demo.Seen) { s.Listeners[0].AcceptQueue.V, s.Done = 1, false }, checkLength, demo.Waiting},
		{"length: no sample", func(s *demo.Seen) { s.Listeners[0].History = s.Listeners[0].History[3:] }, checkLength, demo.Unproven},
		{"order", nil, checkOrder, demo.Proven},
		{"clocks", nil, checkClocks, demo.Proven},
		{"accepted at once", func(s *demo.Seen) { accepted(sockets(*s, 0), 1002*ms) }, checkBefore, demo.Refuted},
		{"accepted at once: held fewer", func(s *demo.Seen) { accepted(sockets(*s, 0), 1001*ms+1) }, checkHeld, demo.Refuted},
		{"wait too short", func(s *demo.Seen) { accepted(sockets(*s, 0), 1000*ms+delay) }, checkDelay, demo.Refuted},
		{"last first", func(s *demo.Seen) { accepted(sockets(*s, 4), 1001*ms+delay) }, checkOrder, demo.Refuted},
		{"clocks far apart", func(s *demo.Seen) { sockets(*s, 2).WaitNS.V += 90 * ms }, checkClocks, demo.Refuted},
		{"clocks far apart, wait too short", func(s *demo.Seen) { sockets(*s, 2).WaitNS.V -= 90 * ms }, checkClocks, demo.Refuted},
		{"the server waited for a CPU after accept", func(s *demo.Seen) { s.Notes[acceptedNote("127.0.0.1:40002")] += float64(90 * ms) }, checkClocks, demo.Proven},
		{"the client waited for a CPU after connect", func(s *demo.Seen) { s.Notes[connectedNote("127.0.0.1:40002")] += float64(90 * ms) }, checkClocks, demo.Proven},
		{"clocks within bounds", func(s *demo.Seen) { sockets(*s, 2).WaitNS.V += 15 * ms }, checkClocks, demo.Proven},
		{"wait unknown", func(s *demo.Seen) { sockets(*s, 0).WaitNS.Known = false }, checkDelay, demo.Unproven},
		{"a note is missing", func(s *demo.Seen) { delete(s.Notes, acceptedNote("127.0.0.1:40003")) }, checkClocks, demo.Unproven},
		{"slow connect", func(s *demo.Seen) { s.Connections[1].HandshakeNS.V = delay + 100*ms }, checkConnect, demo.Refuted},
		{"one connection missing", func(s *demo.Seen) { s.Connections = s.Connections[2:] }, checkHeld, demo.Refuted},
		{"one connection missing so far", func(s *demo.Seen) { s.Connections, s.Done = s.Connections[2:], false }, checkHeld, demo.Waiting},
		{"not accepted yet", func(s *demo.Seen) { sockets(*s, 4).Story, s.Done = sockets(*s, 4).Story[:1], false }, checkClocks, demo.Waiting},
		{"the run before does not count", func(s *demo.Seen) { s.Steps[0] = 1003 * ms }, checkOrder, demo.Refuted},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := play()
			if tt.change != nil {
				tt.change(&s)
			}
			if v := tt.check(s); v.State != tt.want {
				t.Errorf("%s (%s) %v, want %s", v.State, v.Why, v.Evidence, tt.want)
			}
		})
	}
}
