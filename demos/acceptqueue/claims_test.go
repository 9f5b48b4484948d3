// SPDX-License-Identifier: Apache-2.0

package acceptqueue

import (
	"fmt"
	"testing"

	"beltrace/collector/event"
	"beltrace/collector/model"
	"beltrace/demos/demo"
	"beltrace/demos/demotest"
)

const (
	at8080 = "127.0.0.1:8080"
	us     = int64(1000)
	ms     = 1000 * us
)

// moment is a time of the run in ms, on a clock that starts at 1 s.
func moment(at int64) int64 { return 1000*ms + at*ms }

// play returns what is seen of a run in which everything is as it should be: ten clients from 10 ms on, six more from
// 100 ms on, accepts at 11 and 1311 ms, the acceptor mended at 2611 ms, the patient ones let in at 3100 ms.
func play() demo.Seen { return playWith(Backlog) }

// playWith returns the run where the kernel gave the listener that backlog.
func playWith(backlog int) demo.Seen {
	s := demo.Seen{
		Snapshot: &model.Snapshot{TS: moment(6000), Listeners: []model.Listener{{
			Local: at8080, Backlog: model.Some(uint32(backlog)), BacklogAsked: model.Some(int32(Backlog)), Fidelity: map[string]model.Fidelity{"syn_drops": model.Exact},
			// Two that gave up; four that knocked three times in vain. Of one final ACK, too, the place was taken.
			SYNDrops: map[string]uint64{reasonFull: 2 + 4*3 + 1}, ACKDrops: map[string]uint64{reasonFull: 1},
		}}},
		Server: demo.Party{PID: 7, Addr: at8080},
		Steps:  []int64{moment(5), moment(50), moment(2612)},
		Notes:  map[string]float64{mendedNote: float64(moment(2611))},
		Done:   true,
	}
	for i := range int64(1 + backlog + 1) {
		at, accepted := moment(10+2*i), moment(2611)+(5+i)*us
		if i < Slow {
			accepted = moment(11 + 1300*i)
		}
		add(&s, 40000+i, at-50*us, at, accepted)
	}
	for i := range int64(Knocking) {
		at := moment(100 + 10*i)
		c := add(&s, 50000+i, at, 0, 0)
		if i < Impatient {
			c.State, c.Closed = model.StateClosed, model.Some(at+800*ms)
			continue
		}
		for n := range int64(3) {
			c.Story = append(c.Story, model.EventLine{TS: at + (n+1)*1000*ms, Kind: event.Retransmit.String()})
		}
		in := at + 3000*ms + 20*us
		c.Story = append(c.Story, model.EventLine{TS: in, Kind: event.Established.String()})
		c.HandshakeNS = model.Some(in - at)
		s.Connections = append(s.Connections, demotest.Life{
			Role: event.RoleServer, Local: at8080, Remote: c.Local, Established: in, Accepted: in + 30*us,
		}.Connection())
	}
	return s
}

// add adds a client's connection, and the server's side of it once that is established. It returns the client's.
func add(s *demo.Seen, port, connect, established, accepted int64) *model.Connection {
	client := fmt.Sprintf("127.0.0.1:%d", port)
	c := model.Connection{Role: event.RoleClient, State: model.StateConnecting, Local: client, Remote: at8080}
	c.Story = []model.EventLine{{TS: connect, Kind: event.Connect.String()}}
	if established != 0 {
		s.Connections = append(s.Connections, demotest.Life{
			Role: event.RoleServer, Local: at8080, Remote: client, Established: established, Accepted: accepted,
		}.Connection())
		c.HandshakeNS = model.Some(established - connect)
		c.Story = append(c.Story, model.EventLine{TS: established, Kind: event.Established.String()})
	}
	s.Connections = append(s.Connections, c)
	return &s.Connections[len(s.Connections)-1]
}

// sides returns the server's or the clients' connections, in order.
func sides(s *demo.Seen, role string) []*model.Connection {
	var out []*model.Connection
	for i := range s.Connections {
		if s.Connections[i].Role == role {
			out = append(out, &s.Connections[i])
		}
	}
	return out
}

func TestClaims(t *testing.T) {
	served := func(s *demo.Seen, i int) *model.Connection { return sides(s, event.RoleServer)[i] }
	knocked := func(s *demo.Seen, i int) *model.Connection { return sides(s, event.RoleClient)[1+Room+i] }
	accepted := func(c *model.Connection, at int64) {
		c.Story[1].TS, c.WaitNS = at, model.Some(at-c.Story[0].TS)
	}
	soFar := func(s *demo.Seen, at int64) { s.TS, s.Done = at, false }
	tests := []struct {
		name   string
		change func(*demo.Seen)
		check  func(demo.Seen) demo.Verdict
		want   demo.State
	}{
		{"full", nil, checkFull, demo.Proven},
		{"waited", nil, checkWaited, demo.Proven},
		{"refused", nil, checkRefused, demo.Proven},
		{"again", nil, checkAgain, demo.Proven},
		{"gave up", nil, checkGaveUp, demo.Proven},
		{"counted", nil, checkCounted, demo.Proven},
		{"counted: one fewer", func(s *demo.Seen) { s.Listeners[0].SYNDrops[reasonFull]-- }, checkCounted, demo.Refuted},
		{"counted: one more", func(s *demo.Seen) { s.Listeners[0].SYNDrops[reasonFull]++ }, checkCounted, demo.Refuted},
		{"counted: one for another reason", func(s *demo.Seen) {
			s.Listeners[0].SYNDrops[reasonFull]--
			s.Listeners[0].SYNDrops["other"] = 1
		}, checkCounted, demo.Refuted},
		{"counted: reasons unknown", func(s *demo.Seen) {
			l := &s.Listeners[0]
			l.Fidelity = map[string]model.Fidelity{"syn_drops": model.Derived}
			l.SYNDrops = map[string]uint64{reasonFull: 1, "unknown": 14}
		}, checkCounted, demo.Proven},
		{"counted: not yet", func(s *demo.Seen) { s.Listeners[0].SYNDrops[reasonFull] = 9; soFar(s, moment(3200)) }, checkCounted, demo.Waiting},
		{"drained", nil, checkDrained, demo.Proven},
		{"late", nil, checkLate, demo.Proven},
		{"full: one fewer", func(s *demo.Seen) { accepted(served(s, 5), moment(21)) }, checkFull, demo.Refuted},
		{"full: one more", func(s *demo.Seen) { accepted(served(s, 0), moment(1300)) }, checkFull, demo.Refuted},
		{"full: one more, after the next accept", func(s *demo.Seen) {
			for i := range int64(2) {
				add(s, 60000+i, moment(2100), moment(2101), moment(2612))
			}
		}, checkFull, demo.Proven},
		{"full: another backlog", func(s *demo.Seen) { s.Listeners[0].Backlog.V = 9 }, checkFull, demo.Refuted},
		{"full: backlog unknown", func(s *demo.Seen) { s.Listeners[0].Backlog.Known = false }, checkFull, demo.Refuted},
		{"full: not yet", func(s *demo.Seen) {
			s.Steps = s.Steps[:2]
			for _, c := range sides(s, event.RoleServer)[1:] {
				c.Story = c.Story[:1]
			}
			soFar(s, moment(300))
		}, checkFull, demo.Waiting},
		{"waited: connect slower", func(s *demo.Seen) { sides(s, event.RoleClient)[3].HandshakeNS.V = 2700 * ms }, checkWaited, demo.Refuted},
		{"waited: accepted at once", func(s *demo.Seen) {
			for i := range 1 + Room {
				accepted(served(s, i), moment(40))
			}
		}, checkWaited, demo.Refuted},
		{"waited: not yet", func(s *demo.Seen) { served(s, 9).WaitNS.Known = false; soFar(s, moment(300)) }, checkWaited, demo.Waiting},
		{"refused: one let in", func(s *demo.Seen) {
			add(s, 60000, moment(199), moment(200), moment(2620))
		}, checkRefused, demo.Refuted},
		{"refused: nobody came", func(s *demo.Seen) {
			for i := range Knocking {
				knocked(s, i).Story = nil
			}
		}, checkRefused, demo.Refuted},
		{"refused: never full", func(s *demo.Seen) { accepted(served(s, 5), moment(21)) }, checkRefused, demo.Refuted},
		{"again: at once", func(s *demo.Seen) { knocked(s, 4).Story[1].TS = moment(150) }, checkAgain, demo.Refuted},
		{"again: one did not", func(s *demo.Seen) { k := knocked(s, 4); k.Story = append(k.Story[:1], k.Story[4]) }, checkAgain, demo.Refuted},
		{"again: still knocking", func(s *demo.Seen) { k := knocked(s, 4); k.Story = k.Story[:4]; soFar(s, moment(3200)) }, checkAgain, demo.Waiting},
		{"gave up: only one", func(s *demo.Seen) {
			k := knocked(s, 1)
			k.Story = append(k.Story, model.EventLine{TS: moment(500), Kind: event.Established.String()})
		}, checkGaveUp, demo.Refuted},
		{"gave up: one is missing", func(s *demo.Seen) { knocked(s, 1).Remote = "127.0.0.1:1" }, checkGaveUp, demo.Refuted},
		{"drained: slowly", func(s *demo.Seen) { accepted(served(s, 9), moment(3950)) }, checkDrained, demo.Refuted},
		{"drained: one left", func(s *demo.Seen) { c := served(s, 9); c.Story = c.Story[:1] }, checkDrained, demo.Refuted},
		{"drained: not mended", func(s *demo.Seen) { delete(s.Notes, mendedNote); soFar(s, moment(2000)) }, checkDrained, demo.Waiting},
		{"late: at once", func(s *demo.Seen) { knocked(s, 3).HandshakeNS.V = 60 * us }, checkLate, demo.Refuted},
		{"late: one not", func(s *demo.Seen) { k := knocked(s, 3); k.Story = k.Story[:1]; soFar(s, moment(3200)) }, checkLate, demo.Waiting},
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

// TestClaimsOfCappedBacklog: where net.core.somaxconn makes the backlog shorter, the lesson is as true.
func TestClaimsOfCappedBacklog(t *testing.T) {
	for _, step := range lesson().Steps {
		for _, c := range step.Claims {
			if v := c.Check(playWith(4)); v.State != demo.Proven {
				t.Errorf("%q: %s (%s) %v", c.Text, v.State, v.Why, v.Evidence)
			}
		}
	}
	s := playWith(5)
	s.Listeners[0].Backlog.V = 4
	if v := checkFull(s); v.State != demo.Refuted {
		t.Errorf("six wait where the backlog is 4: %s %v", v.State, v.Evidence)
	}
}

func TestRoom(t *testing.T) {
	for limit, want := range map[string]int{"0\n": 1, "4\n": 5, "8\n": 9, "4096\n": 9, "": Room} {
		if got := room([]byte(limit)); got != want {
			t.Errorf("somaxconn %q: room for %d, want %d", limit, got, want)
		}
	}
}
